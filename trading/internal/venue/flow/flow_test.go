package flow_test

import (
	"crypto/sha256"
	"math"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/market"
	"aetherion/trading/internal/venue/exchange"
	"aetherion/trading/internal/venue/flow"
)

const second = int64(1_000_000_000)

func btcusd() engine.Instrument {
	return engine.Instrument{
		InstrumentID: "BTCUSD.SIM", Version: 1, Class: engine.Spot, BaseCurrency: "BTC", QuoteCurrency: "USD",
		PriceScale: 2, QtyScale: 4, PriceIncrement: 100, QtyIncrement: 1, MinQty: 1, Multiplier: engine.Decimal{Mantissa: 1},
	}
}

// session is what came of hours of trading.
type session struct {
	rows    []market.Row
	fills   int
	refused int
	hash    [32]byte
	told    [32]byte
}

// run lets the flow trade on an exchange of its own, in virtual time.
func run(t testing.TB, seed uint64, seconds int64) session {
	t.Helper()
	instrument := btcusd()
	x, err := exchange.New(exchange.Config{Instruments: []engine.Instrument{instrument}, Seed: seed})
	if err != nil {
		t.Fatal(err)
	}
	f, err := flow.New(flow.Config{Seed: seed, Markets: []flow.Market{{Instrument: instrument, Price: 6_000_000, Size: 1_000}}})
	if err != nil {
		t.Fatal(err)
	}
	start, err := f.Start()
	if err != nil {
		t.Fatal(err)
	}
	now := second
	for _, command := range start {
		if err := x.Handle(now, command); err != nil {
			t.Fatal(err)
		}
	}
	var s session
	told := sha256.New()
	for end := seconds * second; now < end; now = max(f.Next(), now+1) {
		outputs, rows, err := x.Advance(now)
		if err != nil {
			t.Fatal(err)
		}
		f.See(rows)
		s.rows = append(s.rows, rows...)
		for _, output := range outputs {
			f.Hear(output.Report)
			if output.Report.GetOrdRejReason() != 0 {
				s.refused++
			}
			if output.Report.GetLastQty() > 0 {
				s.fills++
			}
			encoded, err := proto.MarshalOptions{Deterministic: true}.Marshal(output.Report)
			if err != nil {
				t.Fatal(err)
			}
			told.Write(encoded)
		}
		for _, command := range f.Act(now) {
			if err := x.Handle(now, command); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.hash = x.Hash()
	copy(s.told[:], told.Sum(nil))
	return s
}

func TestTheSameSeedGivesTheSameBytes(t *testing.T) {
	a, b, other := run(t, 7, 600), run(t, 7, 600), run(t, 8, 600)
	if a.told != b.told || a.hash != b.hash {
		t.Error("two runs of one seed differ")
	}
	if a.told == other.told {
		t.Error("two seeds gave the same")
	}
}

// The stylised facts of some hours: see docs/synthetic-flow.md.
func TestStylisedFacts(t *testing.T) {
	const hours = 2
	s := run(t, 1, hours*3600)
	var mids, spreads, signs []float64
	depth := 0.0
	at, last := int64(0), market.Row{}
	for i := range s.rows {
		row := &s.rows[i]
		switch row.Kind {
		case market.Quote:
			if row.HasBid && row.HasAsk && row.BidPx >= row.AskPx {
				t.Fatalf("crossed at %d: %d %d", row.TransactTime, row.BidPx, row.AskPx)
			}
			last = *row
		case market.Trade:
			signs = append(signs, float64(3-2*int(row.AggressorSide)))
		}
		// The mid every ten seconds, after the first ten minutes.
		for ; row.TransactTime > at; at += 10 * second {
			if at > 600*second && last.HasBid && last.HasAsk {
				mids = append(mids, math.Log(float64(last.BidPx+last.AskPx)/2))
				spreads = append(spreads, float64(last.AskPx-last.BidPx)/100)
				depth += float64(last.BidQty + last.AskQty)
			}
		}
	}
	returns := make([]float64, len(mids)-1)
	for i := range returns {
		returns[i] = mids[i+1] - mids[i]
	}
	magnitudes := make([]float64, len(returns))
	for i, r := range returns {
		magnitudes[i] = math.Abs(r)
	}
	slices.Sort(spreads)
	for _, fact := range []struct {
		name      string
		got       float64
		low, high float64
	}{
		{"trades a minute", float64(len(signs)) / (hours * 60), 10, 300},
		{"median spread in ticks", spreads[len(spreads)/2], 1, 20},
		{"share of the spread's 99th percentile over the median", spreads[len(spreads)*99/100] / spreads[len(spreads)/2], 1, 20},
		{"two-sided at the sampled times", float64(len(mids)) / (hours*360 - 60), 0.98, 1.01},
		{"autocorrelation of returns at lag 2", correlation(returns, 2), -0.1, 0.1},
		{"autocorrelation of returns at lag 6", correlation(returns, 6), -0.1, 0.1},
		{"autocorrelation of magnitudes at lag 1", correlation(magnitudes, 1), 0.1, 1},
		{"autocorrelation of magnitudes at lag 12", correlation(magnitudes, 12), 0.05, 1},
		{"excess kurtosis", kurtosis(returns), 1, 100},
		{"autocorrelation of trade signs at lag 1", correlation(signs, 1), 0.1, 1},
		{"autocorrelation of trade signs at lag 10", correlation(signs, 10), 0.02, 1},
	} {
		if fact.got < fact.low || fact.got > fact.high {
			t.Errorf("%s is %.3f, want %v to %v", fact.name, fact.got, fact.low, fact.high)
		} else {
			t.Logf("%s: %.3f", fact.name, fact.got)
		}
	}
}

func TestWhatIsNoMarketIsRefused(t *testing.T) {
	for want, change := range map[string]func(*flow.Market){
		"markets[0]: price: must be a multiple of 100 and at least a hundred of it, got 150": func(m *flow.Market) { m.Price = 150 },
		"markets[0]: size: must be a multiple of 1 from 1 on, got 0":                         func(m *flow.Market) { m.Size = 0 },
		"markets[0]: volatility: must be above 0 and at most 1, got 2":                       func(m *flow.Market) { m.Volatility = 2 },
	} {
		m := flow.Market{Instrument: btcusd(), Price: 6_000_000, Size: 1_000}
		change(&m)
		if _, err := flow.New(flow.Config{Markets: []flow.Market{m}}); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func correlation(values []float64, lag int) float64 {
	mean, variance, sum := 0.0, 0.0, 0.0
	for _, v := range values {
		mean += v / float64(len(values))
	}
	for _, v := range values {
		variance += (v - mean) * (v - mean)
	}
	for i := range values[lag:] {
		sum += (values[i] - mean) * (values[i+lag] - mean)
	}
	return sum / variance
}

func kurtosis(values []float64) float64 {
	mean, second, fourth := 0.0, 0.0, 0.0
	n := float64(len(values))
	for _, v := range values {
		mean += v / n
	}
	for _, v := range values {
		d := (v - mean) * (v - mean)
		second += d / n
		fourth += d * d / n
	}
	return fourth/(second*second) - 3
}

func BenchmarkFlow(b *testing.B) {
	for b.Loop() {
		run(b, 1, 600)
	}
}
