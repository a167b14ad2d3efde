package market

import (
	"cmp"
	"errors"
	"io"
)

// bufferedRows is how many rows of each file are held in memory while files are merged.
const bufferedRows = 4096

// Window is the part of a data set that is read. The zero Window is all of it.
type Window struct {
	Instruments []uint32 // indexes into the data set's instruments; nil is all
	StartTime   int64    // first transact time; 0 is the first there is
	EndTime     int64    // transact times from here on are left out; 0 is no end
}

// Reader gives the rows of a data set in the order of time. It belongs to one goroutine.
type Reader struct {
	window    Window
	wanted    []bool  // by instrument
	sequences []int64 // md_sequence of each instrument's last row
	sources   []*source
}

// source is one file and the rows of it that were read ahead.
type source struct {
	index  int // in the manifest
	file   *fileReader
	buffer []Row
	next   int // first row of the buffer that was not given yet
	count  int // rows in the buffer
}

// Read opens the data set's files. Rows of equal time come as orders, levels, quotes, trades, bars; in one kind by
// instrument; and then in the order of the file.
func (d *Dataset) Read(window Window) (*Reader, error) {
	reader := &Reader{
		window:    window,
		wanted:    make([]bool, len(d.Instruments)),
		sequences: make([]int64, len(d.Instruments)),
	}
	for i := range reader.wanted {
		reader.wanted[i] = window.Instruments == nil
	}
	for _, index := range window.Instruments {
		reader.wanted[index] = true
	}
	for i, file := range d.files {
		opened, err := openFile(d.dir, file, d.Instruments)
		if err != nil {
			return nil, errors.Join(err, reader.Close())
		}
		reader.sources = append(reader.sources, &source{index: i, file: opened, buffer: make([]Row, bufferedRows)})
	}
	return reader, nil
}

// Next fills rows and says how many; io.EOF when there are none left. A row that breaks a rule ends the
// reading; as with io.Reader, rows before it may come together with the error.
func (r *Reader) Next(rows []Row) (int, error) {
	n := 0
	for n < len(rows) {
		run, err := r.nextRun()
		if err != nil {
			if n > 0 && errors.Is(err, io.EOF) {
				return n, nil
			}
			return n, err
		}
		n += r.take(run, rows[n:])
	}
	return n, nil
}

// Close closes the files.
func (r *Reader) Close() error {
	var errs []error
	for _, s := range r.sources {
		errs = append(errs, s.file.close())
	}
	return errors.Join(errs...)
}

// nextRun is the source with the earliest row and the rows of it that come before all other sources'.
func (r *Reader) nextRun() (run, error) {
	var first, second *source
	for _, s := range r.sources {
		switch err := s.fill(); {
		case errors.Is(err, io.EOF):
			continue
		case err != nil:
			return run{}, err
		}
		switch {
		case first == nil || s.before(first):
			first, second = s, first
		case second == nil || s.before(second):
			second = s
		}
	}
	if first == nil || r.window.EndTime != 0 && first.head().TransactTime >= r.window.EndTime {
		return run{}, io.EOF
	}
	return run{first, second}, nil
}

// run is rows of one source, up to the next row of another.
type run struct{ source, until *source }

// take copies the wanted rows of a run.
func (r *Reader) take(run run, rows []Row) int {
	s, n := run.source, 0
	for n < len(rows) && s.next < s.count && (run.until == nil || s.before(run.until)) {
		row := s.head()
		if r.window.EndTime != 0 && row.TransactTime >= r.window.EndTime {
			break
		}
		s.next++
		if row.TransactTime < r.window.StartTime && r.window.StartTime != 0 || !r.wanted[row.Instrument] {
			continue
		}
		r.sequences[row.Instrument]++
		rows[n] = *row
		rows[n].MdSequence = r.sequences[row.Instrument]
		n++
	}
	return n
}

func (s *source) head() *Row { return &s.buffer[s.next] }

func (s *source) fill() error {
	if s.next < s.count {
		return nil
	}
	count, err := s.file.next(s.buffer)
	s.next, s.count = 0, count
	if count > 0 {
		return nil
	}
	return err
}

// before is the order of rows of two files.
func (s *source) before(other *source) bool {
	a, b := s.head(), other.head()
	if a.TransactTime != b.TransactTime {
		return a.TransactTime < b.TransactTime
	}
	return cmp.Or(
		cmp.Compare(tieRank[a.Kind], tieRank[b.Kind]),
		cmp.Compare(a.Instrument, b.Instrument),
		cmp.Compare(s.index, other.index),
	) < 0
}

// tieRank puts what was quoted before what traded on it, and a bar behind the rows that it sums up.
var tieRank = [...]int{BookOrder: 0, BookLevel: 1, Quote: 2, Trade: 3, Bar: 4}
