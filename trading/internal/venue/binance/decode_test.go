package binance_test

import (
	"fmt"
	"strings"
	"testing"

	"aetherion/trading/internal/book"
	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/market"
	"aetherion/trading/internal/venue/binance"
	"aetherion/trading/internal/venue/feed"
)

func newDecoder() *binance.Decoder {
	return binance.NewDecoder(feed.NewInstruments([]engine.Instrument{{InstrumentID: "ABCUSDT.BINANCE", PriceScale: 2, QtyScale: 3}}))
}

const (
	delta    = `{"e":"depthUpdate","E":12,"s":"ABCUSDT","U":5,"u":7,"b":[["10.50","1.000"],["10.4","0"]],"a":[["11","2.5"]]}`
	future   = `{"stream":"abcusdt@depth@0ms","data":{"e":"depthUpdate","E":12,"T":11,"s":"ABCUSDT","U":5,"u":7,"pu":2,"b":[],"a":[]}}`
	ticker   = `{"u":9,"s":"ABCUSDT","b":"10.50","B":"1.000","a":"11.00","A":"2.5"}`
	trade    = `{"e":"trade","E":12,"s":"ABCUSDT","t":3,"p":"10.50","q":"0.125","b":88,"a":50,"T":11,"m":true,"M":true}`
	aggTrade = `{"e":"aggTrade","E":12,"a":26129,"p":"0.01","q":"4.7","f":100,"l":105,"T":11,"m":false,"s":"ABCUSDT"}`
)

func TestDecode(t *testing.T) {
	for name, c := range map[string]struct {
		text, want string
	}{
		"delta":     {delta, "2 12000000 4-7 [{1050 1000} {1040 0}] [{1100 2500}]"},
		"future":    {future, "2 11000000 2-7 [] []"},
		"ticker":    {ticker, "3 9 1050 1000 1100 2500"},
		"trade":     {trade, "4 11000000 1050 125 2"},
		"aggTrade":  {aggTrade, "4 11000000 1 4700 1"},
		"insurance": {strings.Replace(trade, `"m":true`, `"X":"INSURANCE_FUND","m":true`, 1), "0"},
		"candle":    {`{"e":"kline","E":1,"s":"ABCUSDT","k":{"t":1,"b":[1,{"a":null}]}}`, "0"},
		"answer":    {`{"result":null,"id":1}`, "0"},
	} {
		m, err := newDecoder().Decode([]byte(c.text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := describe(m); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func describe(m *feed.Message) string {
	switch m.Kind {
	case feed.Delta:
		return fmt.Sprint(m.Kind, " ", m.TransactTime, " ", m.Book.Prev, "-", m.Book.Last, " ", m.Book.Bids, " ", m.Book.Asks)
	case feed.Quote:
		return fmt.Sprint(m.Kind, " ", m.UpdateID, m.BidPx, m.BidQty, m.AskPx, m.AskQty)
	case feed.Trade:
		return fmt.Sprint(m.Kind, " ", m.TransactTime, m.TradePx, m.TradeQty, m.AggressorSide)
	default:
		return fmt.Sprint(m.Kind)
	}
}

func TestRefused(t *testing.T) {
	for want, text := range map[string]string{
		"malformed message":          delta[:len(delta)-1],
		"must be the end":            delta + "x",
		"symbol: must be":            strings.Replace(delta, "ABCUSDT", "XYZ", 1),
		"price: must have at most 2": strings.Replace(delta, "10.50", "10.501", 1),
		"price: must be a decimal":   strings.Replace(delta, "10.50", "1e5", 1),
		"price: must be positive":    strings.Replace(delta, "10.50", "-1", 1),
		"price: must fit 64 bits":    strings.Replace(delta, "10.50", "92233720368547758.08", 1),
		"qty: must not be negative":  strings.Replace(delta, "1.000", "-1", 1),
		"u: must be at least U":      strings.Replace(delta, `"u":7`, `"u":4`, 1),
		"positive, and after pu":     strings.Replace(delta, `"U":5,`, "", 1),
		"a level of price":           strings.Replace(delta, `["10.4","0"]`, `["10.4"]`, 1),
		"E: must be a time":          strings.Replace(delta, `"E":12`, `"E":9223372036854775807`, 1),
		"nested less deep":           `{"x":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`,
		"trade: must have":           strings.Replace(trade, "0.125", "0.000", 1),
		"quote: must have":           strings.Replace(ticker, `"A":"2.5"`, `"A":"-2.5"`, 1),
	} {
		if _, err := newDecoder().Decode([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got error %v, want %q", text, err, want)
		}
	}
}

func TestRows(t *testing.T) {
	m, err := newDecoder().DecodeSnapshot("ABCUSDT", []byte(`{"lastUpdateId":6,"bids":[["10.5","1"],["10.4","2"]],"asks":[["11","3"]]}`))
	if err != nil {
		t.Fatal(err)
	}
	rows := m.Rows(nil, 99)
	flags := []uint8{market.BookSnapshot | market.BookClear, market.BookSnapshot, market.BookSnapshot | market.BookLastOfEvent}
	for n, row := range rows {
		if row.Kind != market.BookLevel || row.BookFlags != flags[n] || row.TransactTime != 99 || row.ReceiveTime != 99 {
			t.Errorf("row %d: %+v", n, row)
		}
	}
	if len(rows) != 3 || rows[2].BookSide != uint8(engine.Sell) || rows[2].BookQty != 3000 {
		t.Errorf("rows %+v", rows)
	}
}

func TestNoAllocations(t *testing.T) {
	d, message := newDecoder(), []byte(delta)
	var b book.Synced
	_ = b.Snapshot(book.Event{Last: 1})
	if n := testing.AllocsPerRun(100, func() { _, _ = d.Decode(message) }); n > 1 {
		t.Errorf("%v allocations a message", n)
	}
}

func TestExchangeInfo(t *testing.T) {
	const filters = `"filters":[{"filterType":"PRICE_FILTER","tickSize":"0.0500"},{"filterType":"LOT_SIZE","minQty":"0.010","maxQty":"5","stepSize":"0.010"}]`
	got, err := binance.DecodeExchangeInfo("BINANCE", []byte(`{"symbols":[
		{"symbol":"ABCUSDT","baseAsset":"ABC","quoteAsset":"USDT","baseAssetPrecision":8,"quoteAssetPrecision":4,`+filters+`},
		{"symbol":"ABCUSD_PERP","baseAsset":"ABC","quoteAsset":"USD","marginAsset":"ABC",`+filters+`},
		{"symbol":"ABCUSDC","baseAsset":"ABC","quoteAsset":"USDC","marginAsset":"USDC",`+filters+`}]}`))
	if err != nil || len(got) != 2 {
		t.Fatalf("%v, %+v", err, got)
	}
	if i := got[0]; i.InstrumentID != "ABCUSDT.BINANCE" || i.Class != engine.Spot || i.PriceScale != 4 || i.PriceIncrement != 500 ||
		i.QtyScale != 8 || i.QtyIncrement != 1_000_000 || i.MaxQty != 500_000_000 {
		t.Errorf("spot: %+v", i)
	}
	if i := got[1]; i.Class != engine.Future || i.QtyScale != 2 || i.MinQty != 1 {
		t.Errorf("future: %+v", i)
	}
	if _, err := binance.DecodeExchangeInfo("BINANCE", []byte(`{"symbols":[{"symbol":"ABC"}]}`)); err == nil {
		t.Error("a symbol without filters passes")
	}
}

func FuzzDecode(f *testing.F) {
	for _, text := range []string{delta, future, ticker, trade, aggTrade, `{"result":null}`, `{"data":{"b":"1"}}`, ``} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d := newDecoder()
		if m, err := d.Decode(data); err == nil {
			for _, row := range m.Rows(nil, 1) {
				if row.Kind == market.BookLevel && (row.BookPx <= 0 || row.BookQty < 0) {
					t.Fatalf("%q gave %+v", data, row)
				}
			}
		}
		_, _ = d.DecodeSnapshot("ABCUSDT", data)
	})
}
