package coinbase_test

import (
	"strings"
	"testing"

	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/market"
	"aetherion/trading/internal/venue/coinbase"
	"aetherion/trading/internal/venue/feed"
)

func newDecoder() *coinbase.Decoder {
	return coinbase.NewDecoder(feed.NewInstruments([]engine.Instrument{{InstrumentID: "ABC-USD.COINBASE", PriceScale: 2, QtyScale: 3}}))
}

const (
	snapshot = `{"type":"snapshot","product_id":"ABC-USD","asks":[["11.00","2.5"]],"bids":[["10.50","1"]]}`
	update   = `{"type":"l2update","changes":[["sell","11.00","0"],["buy","10.60","3"]],"product_id":"ABC-USD","time":"1970-01-01T00:00:01.5Z"}`
	match    = `{"type":"match","trade_id":7,"side":"sell","size":"0.5","price":"11.00","product_id":"ABC-USD","sequence":12,"time":"1970-01-01T00:00:02Z"}`
	ticker   = `{"type":"ticker","sequence":13,"product_id":"ABC-USD","price":"11","best_bid":"10.5","best_ask":"11","side":"buy","time":"1970-01-01T00:00:02Z","trade_id":7,"last_size":"0.5"}`
)

func decode(t *testing.T, text string) *feed.Message {
	t.Helper()
	m, err := newDecoder().Decode([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return m
}

func TestDecode(t *testing.T) {
	if m := decode(t, snapshot); m.Kind != feed.Snapshot || m.Book.Bids[0].Px != 1050 || m.Book.Asks[0].Qty != 2500 {
		t.Errorf("snapshot: %+v", m)
	}
	if m := decode(t, update); m.Kind != feed.Delta || m.TransactTime != 1_500_000_000 || m.Book.Bids[0].Px != 1060 || m.Book.Asks[0].Qty != 0 {
		t.Errorf("update: %+v", m)
	}
	if m := decode(t, match); m.Kind != feed.Trade || m.TradeID != 7 || m.TradePx != 1100 || m.TradeQty != 500 || m.AggressorSide != engine.Buy {
		t.Errorf("match: %+v", m)
	}
	if m := decode(t, ticker); m.Kind != feed.Quote || m.BidPx != 1050 || m.AskPx != 1100 || len(m.Rows(nil, 1)) != 1 || !m.Rows(nil, 1)[0].HasBid {
		t.Errorf("ticker: %+v", m)
	}
	if m := decode(t, `{"type":"subscriptions","channels":[{"name":"level2","product_ids":["ABC-USD"]}]}`); m.Kind != feed.Ignored {
		t.Errorf("subscriptions: %+v", m)
	}
}

func TestRefused(t *testing.T) {
	for want, text := range map[string]string{
		"malformed message":       snapshot[:40],
		"symbol: must be":         strings.Replace(match, "ABC-USD", "XYZ", 1),
		"side: must be buy":       strings.Replace(update, "sell", "short", 1),
		"size: must have at most": strings.Replace(match, "0.5", "0.5001", 1),
		"time: must be":           strings.Replace(match, "1970-01-01T", "9999-01-01 ", 1),
		"a level of price":        strings.Replace(update, `["buy","10.60","3"]`, `["buy","10.60"]`, 1),
		"got none in trade":       strings.Replace(match, `"side":"sell",`, "", 1),
		"says \"no such":          `{"type":"error","message":"no such product"}`,
	} {
		if _, err := newDecoder().Decode([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got error %v, want %q", text, err, want)
		}
	}
}

func TestProducts(t *testing.T) {
	got, err := coinbase.DecodeProducts("COINBASE", []byte(`[{"id":"ABC-USD","base_currency":"ABC","quote_currency":"USD",
		"base_min_size":"5","base_max_size":"1000","quote_increment":"0.01","base_increment":"0.1"},
		{"id":"DEF-USD","base_currency":"DEF","quote_currency":"USD","quote_increment":"0.01","base_increment":"0.00000001"}]`))
	if err != nil || len(got) != 2 {
		t.Fatalf("%v, %+v", err, got)
	}
	if i := got[0]; i.InstrumentID != "ABC-USD.COINBASE" || i.PriceScale != 2 || i.QtyScale != 1 || i.MinQty != 50 || i.MaxQty != 10_000 {
		t.Errorf("ABC: %+v", i)
	}
	if i := got[1]; i.MinQty != 1 || i.MaxQty != 0 {
		t.Errorf("DEF: %+v", i)
	}
}

func FuzzDecode(f *testing.F) {
	for _, text := range []string{snapshot, update, match, ticker, `{"type":"heartbeat"}`, ``} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := newDecoder().Decode(data)
		if err != nil {
			return
		}
		for _, row := range m.Rows(nil, 1) {
			if row.Kind == market.BookLevel && (row.BookPx <= 0 || row.BookQty < 0) {
				t.Fatalf("%q gave %+v", data, row)
			}
		}
	})
}
