package market

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/parquet-go/parquet-go"

	"aetherion/trading/internal/engine"
)

// fileReader reads the rows of one Parquet file and holds each against the rules of its kind.
type fileReader struct {
	path    string
	kind    Kind
	rows    int64 // that the manifest names
	rules   *rules
	file    *os.File
	groups  []parquet.RowGroup // not read yet
	columns []*column
	read    int64 // rows given so far
	err     error // that ended the reading
}

// columnNames are the columns of a file, in the order in which decode takes them.
var columnNames = map[Kind][]columnName{
	Bar: {
		{"instrument", false}, {"transact_time_ns", false}, {"open_time_ns", false}, {"open_px", false},
		{"high_px", false}, {"low_px", false}, {"close_px", false}, {"volume", false},
	},
	Quote: {
		{"instrument", false}, {"transact_time_ns", false}, {"receive_time_ns", false}, {"bid_px", true},
		{"bid_qty", true}, {"ask_px", true}, {"ask_qty", true},
	},
	Trade: {
		{"instrument", false}, {"transact_time_ns", false}, {"receive_time_ns", false}, {"trade_px", false},
		{"trade_qty", false}, {"aggressor_side", false},
	},
	BookLevel: {
		{"instrument", false}, {"transact_time_ns", false}, {"receive_time_ns", false}, {"book_side", false},
		{"book_px", false}, {"book_qty", false}, {"book_flags", false},
	},
	BookOrder: {
		{"instrument", false}, {"transact_time_ns", false}, {"receive_time_ns", false}, {"book_side", false},
		{"book_px", false}, {"book_qty", false}, {"book_flags", false}, {"book_order_id", false},
	},
}

// narrow are the columns whose numbers a Row holds in fields of one byte, beside the instrument.
var narrow = map[Kind][]narrowColumn{
	Trade:     {{5, sides}},
	BookLevel: {{3, sides}, {6, levelFlags}},
	BookOrder: {{3, sides}, {6, orderFlags}},
}

type narrowColumn struct {
	index int
	bound int64
}

type columnName struct {
	name     string
	nullable bool
}

func openFile(dir string, f datafile, instruments []engine.Instrument) (opened *fileReader, err error) {
	path := filepath.Join(dir, f.path)
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	r := &fileReader{path: path, kind: f.kind, rows: f.rows, rules: newRules(instruments), file: file}
	defer recoverDamage(path, &err)
	defer func() {
		if opened == nil {
			file.Close()
		}
	}()
	if err := r.readSchema(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

func (r *fileReader) readSchema() error {
	info, err := r.file.Stat()
	if err != nil {
		return err
	}
	file, err := parquet.OpenFile(r.file, info.Size(), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return fmt.Errorf("not a Parquet file: %w", err)
	}
	if file.NumRows() != r.rows {
		return fmt.Errorf("rows: must be %d as in the manifest, got %d", r.rows, file.NumRows())
	}
	r.groups = file.RowGroups()
	for _, c := range columnNames[r.kind] {
		column, err := newColumn(file.Schema(), c.name, c.nullable)
		if err != nil {
			return err
		}
		r.columns = append(r.columns, column)
	}
	return nil
}

// next fills rows and says how many; io.EOF when there are none left. Rows before a bad one are given first.
func (r *fileReader) next(rows []Row) (n int, err error) {
	if r.err != nil {
		return 0, r.err
	}
	defer func() {
		if err != nil {
			r.err = err
		}
	}()
	defer recoverDamage(r.path, &err)
	n, err = r.nextPart(rows)
	if err != nil && err != io.EOF {
		err = &FaultError{r.path, err}
	}
	return n, err
}

// FaultError is what is wrong with a file of a data set.
type FaultError struct {
	Path string
	Err  error
}

func (e *FaultError) Error() string { return e.Path + ": " + e.Err.Error() }

// Unwrap gives the fault itself.
func (e *FaultError) Unwrap() error { return e.Err }

func (r *fileReader) nextPart(rows []Row) (int, error) {
	available, err := r.fill()
	if err != nil {
		return 0, err
	}
	n, narrowErr := r.narrow(min(len(rows), available))
	r.decode(rows[:n])
	for i := range n {
		if err := r.rules.check(&rows[i]); err != nil {
			return i, fmt.Errorf("row %d: %w", r.read+int64(i)+1, err)
		}
	}
	for _, c := range r.columns {
		c.drop(n)
	}
	r.read += int64(n)
	return n, narrowErr
}

// narrow says how many of the next n rows have numbers that fit the narrow fields of a Row.
func (r *fileReader) narrow(n int) (int, error) {
	n, err := r.columns[0].within(n, r.read+1, int64(len(r.rules.instruments)))
	for _, c := range narrow[r.kind] {
		if before, narrowErr := r.columns[c.index].within(n, r.read+1, c.bound); narrowErr != nil {
			n, err = before, narrowErr
		}
	}
	return n, err
}

// fill loads pages until every column has values, and says how many all of them have.
func (r *fileReader) fill() (int, error) {
	for {
		available, ended, err := r.fillColumns()
		switch {
		case err != nil:
			return 0, err
		case ended == 0:
			return available, nil
		case ended != len(r.columns):
			return 0, fmt.Errorf("row %d: the columns of the row group have different lengths", r.read+1)
		case len(r.groups) == 0:
			return 0, io.EOF
		}
		for _, c := range r.columns {
			if err := c.open(r.groups[0]); err != nil {
				return 0, err
			}
		}
		r.groups = r.groups[1:]
	}
}

// fillColumns says how many values all columns have, and how many columns are at the row group's end.
func (r *fileReader) fillColumns() (available, ended int, err error) {
	for i, c := range r.columns {
		switch err := c.fill(r.read + 1); {
		case err == io.EOF:
			ended++
		case err != nil:
			return 0, 0, err
		case i == 0 || len(c.values) < available:
			available = len(c.values)
		}
	}
	return available, ended, nil
}

// close closes the file.
func (r *fileReader) close() error {
	for _, c := range r.columns {
		c.close()
	}
	return r.file.Close()
}

// decode turns the first values of all columns into rows.
func (r *fileReader) decode(rows []Row) {
	instrument, transactTime, third := r.columns[0].values, r.columns[1].values, r.columns[2].values
	for i := range rows {
		rows[i] = Row{Kind: r.kind, Instrument: uint32(instrument[i]), TransactTime: transactTime[i]}
	}
	switch r.kind {
	case Bar:
		decodeBars(rows, third, r.columns[3:])
	case Quote:
		decodeQuotes(rows, third, r.columns[3:])
	case Trade:
		decodeTrades(rows, third, r.columns[3:])
	case BookLevel:
		decodeBook(rows, third, r.columns[3:])
	case BookOrder:
		decodeBook(rows, third, r.columns[3:])
		for i, id := range r.columns[7].values[:len(rows)] {
			rows[i].BookOrderID = id
		}
	}
}

func decodeBars(rows []Row, openTime []int64, c []*column) {
	open, high, low, last, volume := c[0].values, c[1].values, c[2].values, c[3].values, c[4].values
	for i := range rows {
		r := &rows[i]
		r.OpenTime = openTime[i]
		r.OpenPx, r.HighPx, r.LowPx, r.ClosePx, r.Volume = open[i], high[i], low[i], last[i], volume[i]
	}
}

func decodeQuotes(rows []Row, receiveTime []int64, c []*column) {
	for i := range rows {
		r := &rows[i]
		r.ReceiveTime = receiveTime[i]
		r.BidPx, r.BidQty, r.HasBid = c[0].values[i], c[1].values[i], c[0].has(i)
		r.AskPx, r.AskQty, r.HasAsk = c[2].values[i], c[3].values[i], c[2].has(i)
	}
}

func decodeTrades(rows []Row, receiveTime []int64, c []*column) {
	price, qty, side := c[0].values, c[1].values, c[2].values
	for i := range rows {
		r := &rows[i]
		r.ReceiveTime = receiveTime[i]
		r.TradePx, r.TradeQty = price[i], qty[i]
		r.AggressorSide = uint8(side[i])
	}
}

func decodeBook(rows []Row, receiveTime []int64, c []*column) {
	side, price, qty, flags := c[0].values, c[1].values, c[2].values, c[3].values
	for i := range rows {
		r := &rows[i]
		r.ReceiveTime = receiveTime[i]
		r.BookSide, r.BookFlags = uint8(side[i]), uint8(flags[i])
		r.BookPx, r.BookQty = price[i], qty[i]
	}
}

// recoverDamage makes an error of a panic that a damaged file caused in the Parquet library.
func recoverDamage(path string, err *error) {
	if cause := recover(); cause != nil {
		*err = &FaultError{path, fmt.Errorf("damaged Parquet file: %v", cause)}
	}
}
