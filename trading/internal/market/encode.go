package market

import (
	"encoding/binary"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/engine"
)

// Encoder turns rows into the contract's columns. It belongs to one goroutine.
type Encoder struct {
	instruments []engine.Instrument
	batchIndex  []uint32 // by instrument: its place in the batch's instrument_ids, from 1; 0: not there yet
}

// NewEncoder is for rows whose Instrument is an index into instruments.
func NewEncoder(instruments []engine.Instrument) *Encoder {
	return &Encoder{instruments: instruments, batchIndex: make([]uint32, len(instruments))}
}

// Encode makes one batch of all rows. It names only instruments that occur, in the order in which they do.
func (e *Encoder) Encode(rows []Row) *pb.MarketDataBatch {
	t := newTable(rows)
	ids := e.encodeInstruments(rows, t.instrument)
	for i := range rows {
		t.put(i, &rows[i])
	}
	return &pb.MarketDataBatch{RowCount: uint32(len(rows)), InstrumentIds: ids, Columns: t.columns}
}

func (e *Encoder) encodeInstruments(rows []Row, data []byte) []string {
	var ids []string
	for i := range rows {
		index := rows[i].Instrument
		if e.batchIndex[index] == 0 {
			ids = append(ids, e.instruments[index].InstrumentID)
			e.batchIndex[index] = uint32(len(ids))
		}
		binary.LittleEndian.PutUint32(data[4*i:], e.batchIndex[index]-1)
	}
	for i := range rows {
		e.batchIndex[rows[i].Instrument] = 0
	}
	return ids
}

// table is the memory of a batch's columns; those that apply to no row are nil. Columns that apply to the
// same rows share their bitmap.
type table struct {
	kind, instrument, mdSequence, transactTime, receiveTime []byte
	openTime, openPx, highPx, lowPx, closePx, volume        []byte
	bidPx, bidQty, askPx, askQty                            []byte
	tradePx, tradeQty, aggressorSide                        []byte
	bookSide, bookPx, bookQty, bookOrderID, bookFlags       []byte
	bars, bids, asks, trades, book, orders                  []byte // validity

	columns []*pb.Column
	memory  []byte // one allocation, cut into pieces
	rows    int
}

const (
	columnCount = 23
	bitmapCount = 6
)

func newTable(rows []Row) *table {
	n, counts := len(rows), countRows(rows)
	t := &table{rows: n, columns: make([]*pb.Column, 0, columnCount)}
	t.memory = make([]byte, 8*n*counts.columns()+bitmapCount*bitmapBytes(n))
	t.bars, t.bids = t.bitmap(counts.bars), t.bitmap(counts.bids)
	t.asks, t.trades = t.bitmap(counts.asks), t.bitmap(counts.trades)
	t.book, t.orders = t.bitmap(counts.book), t.bitmap(counts.orders)

	t.kind = t.column(pb.ColumnId_COLUMN_ID_KIND, pb.ColumnEncoding_COLUMN_ENCODING_UINT8, n, nil)
	t.instrument = t.column(pb.ColumnId_COLUMN_ID_INSTRUMENT, pb.ColumnEncoding_COLUMN_ENCODING_UINT32, n, nil)
	t.mdSequence = t.int64s(pb.ColumnId_COLUMN_ID_MD_SEQUENCE, n, nil)
	t.transactTime = t.int64s(pb.ColumnId_COLUMN_ID_TRANSACT_TIME_NS, n, nil)
	t.receiveTime = t.int64s(pb.ColumnId_COLUMN_ID_RECEIVE_TIME_NS, counts.received, nil)
	t.openTime = t.int64s(pb.ColumnId_COLUMN_ID_OPEN_TIME_NS, counts.bars, t.bars)
	t.openPx = t.int64s(pb.ColumnId_COLUMN_ID_OPEN_PX, counts.bars, t.bars)
	t.highPx = t.int64s(pb.ColumnId_COLUMN_ID_HIGH_PX, counts.bars, t.bars)
	t.lowPx = t.int64s(pb.ColumnId_COLUMN_ID_LOW_PX, counts.bars, t.bars)
	t.closePx = t.int64s(pb.ColumnId_COLUMN_ID_CLOSE_PX, counts.bars, t.bars)
	t.volume = t.int64s(pb.ColumnId_COLUMN_ID_VOLUME, counts.bars, t.bars)
	t.bidPx = t.int64s(pb.ColumnId_COLUMN_ID_BID_PX, counts.bids, t.bids)
	t.bidQty = t.int64s(pb.ColumnId_COLUMN_ID_BID_QTY, counts.bids, t.bids)
	t.askPx = t.int64s(pb.ColumnId_COLUMN_ID_ASK_PX, counts.asks, t.asks)
	t.askQty = t.int64s(pb.ColumnId_COLUMN_ID_ASK_QTY, counts.asks, t.asks)
	t.tradePx = t.int64s(pb.ColumnId_COLUMN_ID_TRADE_PX, counts.trades, t.trades)
	t.tradeQty = t.int64s(pb.ColumnId_COLUMN_ID_TRADE_QTY, counts.trades, t.trades)
	t.aggressorSide = t.column(pb.ColumnId_COLUMN_ID_AGGRESSOR_SIDE, pb.ColumnEncoding_COLUMN_ENCODING_UINT8,
		counts.trades, t.trades)
	t.bookSide = t.column(pb.ColumnId_COLUMN_ID_BOOK_SIDE, pb.ColumnEncoding_COLUMN_ENCODING_UINT8, counts.book, t.book)
	t.bookPx = t.int64s(pb.ColumnId_COLUMN_ID_BOOK_PX, counts.book, t.book)
	t.bookQty = t.int64s(pb.ColumnId_COLUMN_ID_BOOK_QTY, counts.book, t.book)
	t.bookOrderID = t.int64s(pb.ColumnId_COLUMN_ID_BOOK_ORDER_ID, counts.orders, t.orders)
	t.bookFlags = t.column(pb.ColumnId_COLUMN_ID_BOOK_FLAGS, pb.ColumnEncoding_COLUMN_ENCODING_UINT8, counts.book, t.book)
	return t
}

func (t *table) put(i int, r *Row) {
	t.kind[i] = byte(r.Kind)
	put(t.mdSequence, i, r.MdSequence)
	put(t.transactTime, i, r.TransactTime)
	if t.receiveTime != nil {
		put(t.receiveTime, i, r.ReceiveTime)
	}
	switch r.Kind {
	case Bar:
		t.putBar(i, r)
	case Quote:
		t.putQuote(i, r)
	case Trade:
		t.putTrade(i, r)
	case BookLevel:
		t.putBook(i, r)
	case BookOrder:
		t.putBook(i, r)
		put(t.bookOrderID, i, r.BookOrderID)
		mark(t.orders, i)
	}
}

func (t *table) putBar(i int, r *Row) {
	put(t.openTime, i, r.OpenTime)
	put(t.openPx, i, r.OpenPx)
	put(t.highPx, i, r.HighPx)
	put(t.lowPx, i, r.LowPx)
	put(t.closePx, i, r.ClosePx)
	put(t.volume, i, r.Volume)
	mark(t.bars, i)
}

func (t *table) putQuote(i int, r *Row) {
	if r.HasBid {
		put(t.bidPx, i, r.BidPx)
		put(t.bidQty, i, r.BidQty)
		mark(t.bids, i)
	}
	if r.HasAsk {
		put(t.askPx, i, r.AskPx)
		put(t.askQty, i, r.AskQty)
		mark(t.asks, i)
	}
}

func (t *table) putTrade(i int, r *Row) {
	put(t.tradePx, i, r.TradePx)
	put(t.tradeQty, i, r.TradeQty)
	t.aggressorSide[i] = r.AggressorSide
	mark(t.trades, i)
}

func (t *table) putBook(i int, r *Row) {
	t.bookSide[i], t.bookFlags[i] = r.BookSide, r.BookFlags
	put(t.bookPx, i, r.BookPx)
	put(t.bookQty, i, r.BookQty)
	mark(t.book, i)
}

func put(data []byte, i int, value int64) { binary.LittleEndian.PutUint64(data[8*i:], uint64(value)) }

func mark(validity []byte, i int) {
	if validity != nil {
		validity[i>>3] |= 1 << (i & 7)
	}
}

func (t *table) int64s(id pb.ColumnId, count int, validity []byte) []byte {
	return t.column(id, pb.ColumnEncoding_COLUMN_ENCODING_INT64, count, validity)
}

// column adds a column that applies to count rows; nil when there are none.
func (t *table) column(id pb.ColumnId, encoding pb.ColumnEncoding, count int, validity []byte) []byte {
	if count == 0 {
		return nil
	}
	data := t.cut(t.rows * widths[encoding])
	t.columns = append(t.columns, &pb.Column{Id: id, Encoding: encoding, Data: data, Validity: validity})
	return data
}

var widths = [...]int{
	pb.ColumnEncoding_COLUMN_ENCODING_INT64:  8,
	pb.ColumnEncoding_COLUMN_ENCODING_UINT32: 4,
	pb.ColumnEncoding_COLUMN_ENCODING_UINT8:  1,
}

// bitmap is for columns that apply to count rows; none is needed when that is all or none.
func (t *table) bitmap(count int) []byte {
	if count == 0 || count == t.rows {
		return nil
	}
	return t.cut(bitmapBytes(t.rows))
}

func bitmapBytes(rows int) int { return (rows + 7) / 8 }

func (t *table) cut(size int) []byte {
	piece := t.memory[:size:size]
	t.memory = t.memory[size:]
	return piece
}

// rowCounts is how many rows have what.
type rowCounts struct{ received, bars, bids, asks, trades, book, orders int }

func countRows(rows []Row) rowCounts {
	var c rowCounts
	for i := range rows {
		r := &rows[i]
		if r.ReceiveTime != 0 {
			c.received++
		}
		switch r.Kind {
		case Bar:
			c.bars++
		case Trade:
			c.trades++
		case BookLevel:
			c.book++
		case BookOrder:
			c.book++
			c.orders++
		case Quote:
			if r.HasBid {
				c.bids++
			}
			if r.HasAsk {
				c.asks++
			}
		}
	}
	return c
}

// columns is how many columns of eight bytes hold what there is, narrow ones counted in full.
func (c rowCounts) columns() int {
	always, n := 3, 0 // kind and instrument fit in one
	for _, group := range []struct{ count, columns int }{{c.received, 1}, {c.bars, 6}, {c.bids, 2}, {c.asks, 2}, {c.trades, 3}, {c.book, 4}, {c.orders, 1}} {
		if group.count > 0 {
			n += group.columns
		}
	}
	return always + n
}
