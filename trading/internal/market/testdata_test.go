package market

import (
	"testing"

	"aetherion/trading/internal/market/markettest"
)

func newFolder(t testing.TB) *markettest.Folder { return markettest.New(t, t.TempDir()) }

// open writes the manifest of a folder and opens it.
func open(t testing.TB, f *markettest.Folder) *Dataset {
	t.Helper()
	f.Write(f.Manifest())
	dataset, err := Open(f.Dir)
	if err != nil {
		t.Fatal(err)
	}
	return dataset
}

func bar(instrument int32, at int64) markettest.Bar {
	return markettest.Bar{
		Instrument: instrument, OpenTime: at - 10, TransactTime: at, Open: 100, High: 110, Low: 90, Close: 105, Volume: 1000,
	}
}

func trade(instrument int32, at, price, qty int64, side int32) markettest.Trade {
	return markettest.Trade{
		Instrument: instrument, TransactTime: at, ReceiveTime: at + 2, TradePx: price, TradeQty: qty, AggressorSide: side,
	}
}

func level(instrument int32, at int64, side int32, price, qty int64, flags int32) markettest.Level {
	return markettest.Level{
		Instrument: instrument, TransactTime: at, ReceiveTime: at + 3, BookSide: side, BookPx: price, BookQty: qty, BookFlags: flags,
	}
}

func order(instrument int32, at int64, side int32, price, qty int64, flags int32, id int64) markettest.Order {
	return markettest.Order{Level: level(instrument, at, side, price, qty, flags), BookOrderID: id}
}

func quote(instrument int32, at int64, bidPx, bidQty, askPx, askQty *int64) markettest.Quote {
	return markettest.Quote{
		Instrument: instrument, TransactTime: at, ReceiveTime: at + 1, BidPx: bidPx, BidQty: bidQty, AskPx: askPx, AskQty: askQty,
	}
}

func pointer(v int64) *int64 { return &v }

func readAll(t testing.TB, dataset *Dataset, window Window, batch int) ([]Row, error) {
	t.Helper()
	reader, err := dataset.Read(window)
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	var all []Row
	rows := make([]Row, batch)
	for {
		n, err := reader.Next(rows)
		all = append(all, rows[:n]...)
		if err != nil {
			return all, err
		}
	}
}
