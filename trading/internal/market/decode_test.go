package market

import (
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	pb "aetherion/trading/gen/aetherion/v1"
)

func TestDecodeGivesBackTheRows(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 5))
	encoder, decoder := NewEncoder(twoInstruments), NewDecoder(twoInstruments)
	for n := range 200 {
		rows := randomRows(random, 1+n%70, 1+random.IntN(15))
		got, err := decoder.Decode(encoder.Encode(rows))
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, rows) {
			t.Fatalf("got  %+v\nwant %+v", got, rows)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	batch := NewEncoder(twoInstruments).Encode([]Row{{Kind: Quote, BidPx: 1, HasBid: true}, {Kind: Trade}, {Kind: Trade}})
	for want, change := range map[string]func(*pb.MarketDataBatch){
		"the column is missing":                            func(b *pb.MarketDataBatch) { b.Columns = b.Columns[1:] },
		"data: must have 3 bytes for 3 rows, got 2":        func(b *pb.MarketDataBatch) { b.Columns[0].Data = b.Columns[0].Data[1:] },
		"data: must have 4294967295 bytes":                 func(b *pb.MarketDataBatch) { b.RowCount = 1<<32 - 1 },
		"encoding: unknown value 9":                        func(b *pb.MarketDataBatch) { b.Columns[0].Encoding = 9 },
		"kind: unknown value 77":                           func(b *pb.MarketDataBatch) { b.Columns[0].Data[1] = 77 },
		"instrument: must be 0 or more and below 1, got 5": func(b *pb.MarketDataBatch) { b.Columns[1].Data[0] = 5 },
		`instrument_id: unknown instrument "Z.Z"`:          func(b *pb.MarketDataBatch) { b.InstrumentIds[0] = "Z.Z" },
		"validity: must have 1 bytes for 3 rows":           func(b *pb.MarketDataBatch) { b.Columns[0].Validity = make([]byte, 2) },
	} {
		changed := proto.CloneOf(batch)
		change(changed)
		if _, err := NewDecoder(twoInstruments).Decode(changed); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	whole, err := proto.Marshal(NewEncoder(twoInstruments).Encode([]Row{{Kind: Quote, BidPx: 1, HasBid: true}, {Kind: Trade}, {Kind: Bar}}))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Fuzz(func(_ *testing.T, data []byte) {
		batch := &pb.MarketDataBatch{}
		if proto.Unmarshal(data, batch) == nil {
			_, _ = NewDecoder(twoInstruments).Decode(batch)
		}
	})
}
