package market

import (
	"io"
	"testing"

	"github.com/parquet-go/parquet-go"

	"aetherion/trading/internal/market/markettest"
)

const benchRows = 1 << 18

var importerLayout = []parquet.WriterOption{
	parquet.MaxRowsPerRowGroup(65_536), parquet.PageBufferSize(1 << 20), parquet.Compression(&parquet.Zstd),
}

func benchQuotes() []markettest.Quote {
	rows := make([]markettest.Quote, benchRows)
	for i := range rows {
		at := 1_700_000_000_000_000_000 + int64(i)*1_000_003
		px := 60_000_00 + int64(i%977)
		rows[i] = quote(int32(i&1), at, pointer(px), pointer(int64(i%89)), pointer(px+100), pointer(int64(i%83)))
	}
	return rows
}

func BenchmarkReader(b *testing.B) {
	for _, c := range []struct {
		name    string
		dataset func(*markettest.Folder)
	}{
		{"quotes", func(f *markettest.Folder) {
			markettest.Add(f, "quotes.parquet", "quote", benchQuotes(), importerLayout...)
		}},
		{"bars", func(f *markettest.Folder) {
			rows := make([]markettest.Bar, benchRows)
			for i := range rows {
				rows[i] = bar(int32(i&1), int64(1000+i))
			}
			markettest.Add(f, "bars.parquet", "bar", rows, importerLayout...)
		}},
		{"quotes and trades", func(f *markettest.Folder) {
			quotes := benchQuotes()
			trades := make([]markettest.Trade, len(quotes)/4)
			for i := range trades {
				trades[i] = trade(0, quotes[4*i].TransactTime+1, 60_000_00, 5, 1)
			}
			markettest.Add(f, "quotes.parquet", "quote", quotes, importerLayout...)
			markettest.Add(f, "trades.parquet", "trade", trades, importerLayout...)
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			f := newFolder(b)
			c.dataset(f)
			dataset := open(b, f)
			rows := make([]Row, 4096)
			for b.Loop() {
				reader, err := dataset.Read(Window{})
				if err != nil {
					b.Fatal(err)
				}
				for err == nil {
					_, err = reader.Next(rows)
				}
				if err != io.EOF {
					b.Fatal(err)
				}
				reader.Close()
			}
			perSecond(b, int(dataset.Rows))
		})
	}
}

func BenchmarkEncode(b *testing.B) {
	for _, c := range []struct {
		name string
		row  func(i int) Row
	}{
		{"quotes", func(i int) Row {
			return Row{Kind: Quote, Instrument: uint32(i & 1), BidPx: 1, BidQty: 2, AskPx: 3, AskQty: 4, HasBid: true, HasAsk: true, ReceiveTime: 1}
		}},
		{"bars", func(i int) Row { return Row{Kind: Bar, Instrument: uint32(i & 1), OpenPx: 1, Volume: 2} }},
		{"quotes and trades", func(i int) Row {
			if i%4 == 0 {
				return Row{Kind: Trade, TradePx: 1, TradeQty: 2}
			}
			return Row{Kind: Quote, BidPx: 1, AskPx: 2, HasBid: true, HasAsk: i%7 > 0}
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			rows := make([]Row, 4096)
			for i := range rows {
				rows[i] = c.row(i)
			}
			encoder := NewEncoder(twoInstruments)
			for b.Loop() {
				if encoder.Encode(rows).RowCount != 4096 {
					b.Fatal("rows are missing")
				}
			}
			perSecond(b, len(rows))
		})
	}
}

func perSecond(b *testing.B, rows int) {
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mrows/s")
}
