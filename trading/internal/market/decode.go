package market

import (
	"encoding/binary"
	"fmt"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/engine"
)

// Decoder turns the contract's columns into rows. What comes from another process is not trusted.
type Decoder struct{ index map[string]uint32 }

// NewDecoder is for rows whose Instrument becomes an index into instruments.
func NewDecoder(instruments []engine.Instrument) *Decoder {
	index := make(map[string]uint32, len(instruments))
	for i := range instruments {
		index[instruments[i].InstrumentID] = uint32(i)
	}
	return &Decoder{index}
}

// Decode gives the rows of a batch.
func (d *Decoder) Decode(batch *pb.MarketDataBatch) ([]Row, error) {
	n := int(batch.GetRowCount())
	columns, err := columnsOf(batch, n)
	if err != nil {
		return nil, err
	}
	rows := make([]Row, n)
	instruments := columns[pb.ColumnId_COLUMN_ID_INSTRUMENT]
	for i := range rows {
		r := &rows[i]
		named := instruments.at(i)
		if named < 0 || named >= int64(len(batch.GetInstrumentIds())) {
			return nil, fmt.Errorf("row %d: instrument: must be 0 or more and below %d, got %d", i, len(batch.GetInstrumentIds()), named)
		}
		id := batch.GetInstrumentIds()[named]
		known := false
		if r.Instrument, known = d.index[id]; !known {
			return nil, fmt.Errorf("row %d: instrument_id: unknown instrument %q", i, id)
		}
		if r.Kind = Kind(columns[pb.ColumnId_COLUMN_ID_KIND].at(i)); r.Kind < Bar || r.Kind > BookOrder {
			return nil, fmt.Errorf("row %d: kind: unknown value %d", i, r.Kind)
		}
		columns.fill(i, r)
	}
	return rows, nil
}

// values are one column of a batch.
type values struct {
	data, validity []byte
	size           int // bytes a value
}

// at is a value, 0 in a column that is not there.
func (v *values) at(i int) int64 {
	switch {
	case v == nil:
		return 0
	case v.size == 8:
		return int64(binary.LittleEndian.Uint64(v.data[8*i:]))
	case v.size == 4:
		return int64(binary.LittleEndian.Uint32(v.data[4*i:]))
	}
	return int64(v.data[i])
}

func (v *values) has(i int) bool {
	return v != nil && (len(v.validity) == 0 || v.validity[i/8]&(1<<(i%8)) != 0)
}

type columns map[pb.ColumnId]*values

func columnsOf(batch *pb.MarketDataBatch, rows int) (columns, error) {
	all := columns{}
	for _, c := range batch.GetColumns() {
		v := &values{data: c.GetData(), validity: c.GetValidity()}
		switch c.GetEncoding() {
		case pb.ColumnEncoding_COLUMN_ENCODING_INT64:
			v.size = 8
		case pb.ColumnEncoding_COLUMN_ENCODING_UINT32:
			v.size = 4
		case pb.ColumnEncoding_COLUMN_ENCODING_UINT8:
			v.size = 1
		default:
			return nil, fmt.Errorf("%v: encoding: unknown value %d", c.GetId(), c.GetEncoding())
		}
		if len(v.data) != v.size*rows {
			return nil, fmt.Errorf("%v: data: must have %d bytes for %d rows, got %d", c.GetId(), v.size*rows, rows, len(v.data))
		}
		if len(v.validity) != 0 && len(v.validity) != bitmapBytes(rows) {
			return nil, fmt.Errorf("%v: validity: must have %d bytes for %d rows, got %d", c.GetId(), bitmapBytes(rows), rows, len(v.validity))
		}
		all[c.GetId()] = v
	}
	for _, id := range []pb.ColumnId{
		pb.ColumnId_COLUMN_ID_KIND, pb.ColumnId_COLUMN_ID_INSTRUMENT, pb.ColumnId_COLUMN_ID_MD_SEQUENCE, pb.ColumnId_COLUMN_ID_TRANSACT_TIME_NS,
	} {
		if rows > 0 && all[id] == nil {
			return nil, fmt.Errorf("%v: the column is missing", id)
		}
	}
	return all, nil
}

func (c columns) fill(i int, r *Row) {
	at := func(id pb.ColumnId) int64 { return c[id].at(i) }
	r.MdSequence, r.TransactTime = at(pb.ColumnId_COLUMN_ID_MD_SEQUENCE), at(pb.ColumnId_COLUMN_ID_TRANSACT_TIME_NS)
	r.ReceiveTime = at(pb.ColumnId_COLUMN_ID_RECEIVE_TIME_NS)
	switch r.Kind {
	case Bar:
		r.OpenTime, r.Volume = at(pb.ColumnId_COLUMN_ID_OPEN_TIME_NS), at(pb.ColumnId_COLUMN_ID_VOLUME)
		r.OpenPx, r.HighPx = at(pb.ColumnId_COLUMN_ID_OPEN_PX), at(pb.ColumnId_COLUMN_ID_HIGH_PX)
		r.LowPx, r.ClosePx = at(pb.ColumnId_COLUMN_ID_LOW_PX), at(pb.ColumnId_COLUMN_ID_CLOSE_PX)
	case Quote:
		if r.HasBid = c[pb.ColumnId_COLUMN_ID_BID_PX].has(i); r.HasBid {
			r.BidPx, r.BidQty = at(pb.ColumnId_COLUMN_ID_BID_PX), at(pb.ColumnId_COLUMN_ID_BID_QTY)
		}
		if r.HasAsk = c[pb.ColumnId_COLUMN_ID_ASK_PX].has(i); r.HasAsk {
			r.AskPx, r.AskQty = at(pb.ColumnId_COLUMN_ID_ASK_PX), at(pb.ColumnId_COLUMN_ID_ASK_QTY)
		}
	case Trade:
		r.TradePx, r.TradeQty = at(pb.ColumnId_COLUMN_ID_TRADE_PX), at(pb.ColumnId_COLUMN_ID_TRADE_QTY)
		r.AggressorSide = uint8(at(pb.ColumnId_COLUMN_ID_AGGRESSOR_SIDE))
	case BookLevel, BookOrder:
		r.BookPx, r.BookQty = at(pb.ColumnId_COLUMN_ID_BOOK_PX), at(pb.ColumnId_COLUMN_ID_BOOK_QTY)
		r.BookSide, r.BookFlags = uint8(at(pb.ColumnId_COLUMN_ID_BOOK_SIDE)), uint8(at(pb.ColumnId_COLUMN_ID_BOOK_FLAGS))
		if r.Kind == BookOrder {
			r.BookOrderID = at(pb.ColumnId_COLUMN_ID_BOOK_ORDER_ID)
		}
	}
}
