package market

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/engine"
)

var twoInstruments = []engine.Instrument{{InstrumentID: "AAA.XNAS"}, {InstrumentID: "BBB.XNAS"}}

// Every batch decodes to the rows that it was made of, by a reader that knows only the contract.
func TestEncodeAgainstPlainDecoder(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	encoder := NewEncoder(twoInstruments)
	for n := range 200 {
		rows := randomRows(random, 1+n%70, 1+random.IntN(15))
		got, err := plainDecode(encoder.Encode(rows), twoInstruments)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, rows) {
			t.Fatalf("got  %+v\nwant %+v", got, rows)
		}
	}
}

func TestEncodeLeavesOutWhatAppliesToNoRow(t *testing.T) {
	type column struct {
		id       pb.ColumnId
		validity []byte
	}
	columns := func(rows ...Row) []column {
		var all []column
		for _, c := range NewEncoder(twoInstruments).Encode(rows).Columns {
			if c.Id > pb.ColumnId_COLUMN_ID_TRANSACT_TIME_NS {
				all = append(all, column{c.Id, c.Validity})
			}
		}
		return all
	}
	bid := Row{Kind: Quote, BidPx: 1, HasBid: true}
	for _, c := range []struct {
		name string
		rows []Row
		want []column
	}{
		{"one side", []Row{bid}, []column{{pb.ColumnId_COLUMN_ID_BID_PX, nil}, {pb.ColumnId_COLUMN_ID_BID_QTY, nil}}},
		{"an empty quote", []Row{{Kind: Quote}}, nil},
		{"nine rows", []Row{{Kind: Quote}, bid, bid, {Kind: Quote}, {}, {}, {}, {}, bid}, []column{
			{pb.ColumnId_COLUMN_ID_BID_PX, []byte{0b110, 1}}, {pb.ColumnId_COLUMN_ID_BID_QTY, []byte{0b110, 1}}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := columns(c.rows...); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestEncodeNamesOnlyInstrumentsThatOccur(t *testing.T) {
	encoder := NewEncoder(twoInstruments)
	for _, c := range []struct {
		rows []Row
		want []string
	}{
		{[]Row{{Kind: Quote, Instrument: 1}}, []string{"BBB.XNAS"}},
		{[]Row{{Kind: Quote, Instrument: 1}, {Kind: Quote, Instrument: 0}}, []string{"BBB.XNAS", "AAA.XNAS"}},
		{nil, nil},
	} {
		if got := encoder.Encode(c.rows).InstrumentIds; !reflect.DeepEqual(got, c.want) {
			t.Errorf("got %v, want %v", got, c.want)
		}
	}
}

func randomRows(random *rand.Rand, n, kinds int) []Row {
	rows := make([]Row, n)
	for i := range rows {
		r := &rows[i]
		r.Instrument, r.MdSequence, r.TransactTime = uint32(random.IntN(2)), random.Int64(), random.Int64()-random.Int64()
		switch r.Kind = Kind(1 + random.IntN(5)); {
		case kinds&1 != 0 && r.Kind == Bar:
			r.OpenTime, r.OpenPx, r.HighPx, r.LowPx, r.ClosePx = random.Int64(), random.Int64(), random.Int64(), random.Int64(), random.Int64()
			r.Volume = random.Int64()
		case kinds&2 != 0 && r.Kind == Trade:
			r.ReceiveTime, r.TradePx, r.TradeQty, r.AggressorSide = random.Int64(), -random.Int64(), random.Int64(), uint8(random.IntN(3))
		case kinds&4 != 0 && r.Kind == BookLevel:
			r.ReceiveTime, r.BookPx, r.BookQty = random.Int64(), -random.Int64(), random.Int64()
			r.BookSide, r.BookFlags = uint8(1+random.IntN(2)), uint8(random.IntN(8))
		case kinds&8 != 0 && r.Kind == BookOrder:
			r.ReceiveTime, r.BookPx, r.BookQty, r.BookOrderID = random.Int64(), -random.Int64(), random.Int64(), random.Int64()
			r.BookSide, r.BookFlags = uint8(1+random.IntN(2)), uint8(random.IntN(16))
		default:
			r.Kind = Quote
			if r.HasBid = random.IntN(2) == 0; r.HasBid {
				r.BidPx, r.BidQty = random.Int64(), random.Int64()
			}
			if r.HasAsk = random.IntN(3) == 0; r.HasAsk {
				r.AskPx, r.AskQty = random.Int64(), random.Int64()
			}
		}
	}
	return rows
}

// plainDecode is the slow and simple twin of Encode.
func plainDecode(batch *pb.MarketDataBatch, instruments []engine.Instrument) ([]Row, error) {
	indexes := map[string]uint32{}
	for i, instrument := range instruments {
		indexes[instrument.InstrumentID] = uint32(i)
	}
	rows := make([]Row, batch.RowCount)
	var last pb.ColumnId
	for _, c := range batch.Columns {
		if c.Id <= last {
			return nil, fmt.Errorf("column %v after %v", c.Id, last)
		}
		last = c.Id
		if want := len(rows) * widths[c.Encoding]; len(c.Data) != want {
			return nil, fmt.Errorf("column %v has %d bytes, want %d", c.Id, len(c.Data), want)
		}
		for i := range rows {
			valid := len(c.Validity) == 0 || c.Validity[i/8]&(1<<(i%8)) != 0
			value := int64(0)
			switch c.Encoding {
			case pb.ColumnEncoding_COLUMN_ENCODING_INT64:
				value = int64(binary.LittleEndian.Uint64(c.Data[8*i:]))
			case pb.ColumnEncoding_COLUMN_ENCODING_UINT32:
				value = int64(binary.LittleEndian.Uint32(c.Data[4*i:]))
			case pb.ColumnEncoding_COLUMN_ENCODING_UINT8:
				value = int64(c.Data[i])
			}
			if !valid && value != 0 {
				return nil, fmt.Errorf("column %v: row %d is not valid and not 0", c.Id, i)
			}
			set(&rows[i], c.Id, value, valid, func() uint32 { return indexes[batch.InstrumentIds[value]] })
		}
	}
	return rows, nil
}

func set(r *Row, id pb.ColumnId, value int64, valid bool, instrument func() uint32) {
	switch id {
	case pb.ColumnId_COLUMN_ID_KIND:
		r.Kind = Kind(value)
	case pb.ColumnId_COLUMN_ID_INSTRUMENT:
		r.Instrument = instrument()
	case pb.ColumnId_COLUMN_ID_MD_SEQUENCE:
		r.MdSequence = value
	case pb.ColumnId_COLUMN_ID_TRANSACT_TIME_NS:
		r.TransactTime = value
	case pb.ColumnId_COLUMN_ID_RECEIVE_TIME_NS:
		r.ReceiveTime = value
	case pb.ColumnId_COLUMN_ID_OPEN_TIME_NS:
		r.OpenTime = value
	case pb.ColumnId_COLUMN_ID_OPEN_PX:
		r.OpenPx = value
	case pb.ColumnId_COLUMN_ID_HIGH_PX:
		r.HighPx = value
	case pb.ColumnId_COLUMN_ID_LOW_PX:
		r.LowPx = value
	case pb.ColumnId_COLUMN_ID_CLOSE_PX:
		r.ClosePx = value
	case pb.ColumnId_COLUMN_ID_VOLUME:
		r.Volume = value
	case pb.ColumnId_COLUMN_ID_BID_PX:
		r.BidPx, r.HasBid = value, valid
	case pb.ColumnId_COLUMN_ID_BID_QTY:
		r.BidQty = value
	case pb.ColumnId_COLUMN_ID_ASK_PX:
		r.AskPx, r.HasAsk = value, valid
	case pb.ColumnId_COLUMN_ID_ASK_QTY:
		r.AskQty = value
	case pb.ColumnId_COLUMN_ID_TRADE_PX:
		r.TradePx = value
	case pb.ColumnId_COLUMN_ID_TRADE_QTY:
		r.TradeQty = value
	case pb.ColumnId_COLUMN_ID_AGGRESSOR_SIDE:
		r.AggressorSide = uint8(value)
	case pb.ColumnId_COLUMN_ID_BOOK_SIDE:
		r.BookSide = uint8(value)
	case pb.ColumnId_COLUMN_ID_BOOK_PX:
		r.BookPx = value
	case pb.ColumnId_COLUMN_ID_BOOK_QTY:
		r.BookQty = value
	case pb.ColumnId_COLUMN_ID_BOOK_ORDER_ID:
		r.BookOrderID = value
	case pb.ColumnId_COLUMN_ID_BOOK_FLAGS:
		r.BookFlags = uint8(value)
	}
}
