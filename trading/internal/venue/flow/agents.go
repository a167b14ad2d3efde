package flow

import (
	"math"

	pb "aetherion/trading/gen/aetherion/v1"
)

const (
	buy  = pb.Side_SIDE_BUY
	sell = pb.Side_SIDE_SELL
	gtc  = pb.TimeInForce_TIME_IN_FORCE_GTC
	ioc  = pb.TimeInForce_TIME_IN_FORCE_IOC
	// levels that a maker quotes a side.
	levels = 5
	// patience is how long quotes stand although the value has moved: makers look at different times.
	patience = nsPerSecond / 2
)

// maker quotes both sides around what it takes the value to be, and leans against what it holds.
type maker struct {
	account string
	quotes  map[int64]*quote // by price, negative for offers: one a side and price
	held    float64          // usual orders bought less sold
	error   float64          // of its estimate, relative
	nextAt  int64
}

type quote struct {
	name string
	qty  int64
}

func (m *maker) act(f *Flow, t *trading, n int, now int64) {
	if now < m.nextAt {
		return
	}
	m.nextAt = now + int64((0.5+f.random.Float64())*patience)
	sigma := t.value.volatility()
	m.error = 0.9*m.error + 0.3*sigma*f.random.NormFloat64()
	tick := float64(t.Instrument.PriceIncrement)
	mid := t.value.price() * (1 + m.error)
	// Half of the spread pays for the moves of some seconds; a maker that is long offers cheaper.
	half := max(0.6*tick, 0.6*sigma*mid*(1+0.25*float64(n)))
	mid -= half * clamp(m.held/20, 2)
	step := max(tick, half/2)
	wanted := map[int64]int64{}
	for level := range levels {
		qty := t.Size * int64(1+level)
		wanted[t.grid(mid-half-float64(level)*step, buy)] += qty
		wanted[-t.grid(mid+half+float64(level)*step, sell)] += qty
	}
	m.change(f, t, wanted)
}

// change cancels what is no longer wanted and asks for what is not there, in the order of prices.
func (m *maker) change(f *Flow, t *trading, wanted map[int64]int64) {
	for _, price := range sortedKeys(m.quotes) {
		if wanted[price] == 0 {
			f.cancel(m.account, m.quotes[price].name)
			delete(m.quotes, price)
		}
	}
	for _, price := range sortedKeys(wanted) {
		if m.quotes[price] != nil {
			continue
		}
		side, px := buy, price
		if price < 0 {
			side, px = sell, -price
		}
		// Where another's quote has gone stale it trades with that, and the rest of it rests.
		name := f.order(t, m.account, side, wanted[price], px, gtc)
		m.quotes[price] = &quote{name: name, qty: wanted[price]}
	}
}

// hear forgets quotes that have ended, and counts what was traded.
func (m *maker) hear(report *pb.ExecutionReport) {
	if report.GetExecType() == pb.ExecType_EXEC_TYPE_TRADE {
		lots := float64(report.GetLastQty()) / float64(max(report.GetOrderQty(), 1))
		if report.GetSide() == sell {
			lots = -lots
		}
		m.held += lots
	}
	if report.GetLeavesQty() > 0 {
		return
	}
	price := report.GetPrice()
	if report.GetSide() == sell {
		price = -price
	}
	if q := m.quotes[price]; q != nil && q.name == report.GetClOrdId() {
		delete(m.quotes, price)
	}
}

// splitter works large orders off in small ones: why the signs of trades are correlated for so long.
type splitter struct {
	account string
	side    pb.Side
	left    int // small orders of the large one
	nextAt  int64
}

func (s *splitter) act(f *Flow, t *trading, now int64) {
	if now < s.nextAt {
		return
	}
	s.nextAt = now + int64(f.random.ExpFloat64()*2*nsPerSecond)
	if s.left == 0 {
		s.side = buy
		// Rather towards the value than away from it.
		lean := (t.value.price() - float64(t.lastPx)) / (float64(t.lastPx) * t.value.volatility() * 10)
		if f.random.Float64() > 0.5+0.3*clamp(lean, 1) {
			s.side = sell
		}
		s.left = int(min(math.Pow(1-f.random.Float64(), -1/1.5), 200))
	}
	s.left--
	f.take(t, s.account, s.side)
}

// trend buys what has risen: it feeds moves a little.
type trend struct {
	account string
	slow    float64
	nextAt  int64
}

func (s *trend) act(f *Flow, t *trading, now int64) {
	if now < s.nextAt {
		return
	}
	s.nextAt = now + int64((1+f.random.ExpFloat64()*8)*nsPerSecond)
	px := float64(t.lastPx)
	if s.slow == 0 {
		s.slow = px
	}
	s.slow += 0.1 * (px - s.slow)
	switch move := (px - s.slow) / (px * t.value.volatility()); {
	case move > 4:
		f.take(t, s.account, buy)
	case move < -4:
		f.take(t, s.account, sell)
	}
}

// take removes liquidity, at a limit so that an empty book costs nothing.
func (f *Flow) take(t *trading, account string, side pb.Side) {
	best := t.ask
	if side == sell {
		best = t.bid
	}
	if best == 0 {
		return
	}
	through := 3 * t.value.volatility() * float64(best)
	if side == sell {
		through = -through
	}
	f.order(t, account, side, f.size(t), t.grid(float64(best)+through, side), ioc)
}

// noise rests small orders here and there, and takes them away again.
type noise struct {
	account string
	resting []resting
	nextAt  int64
}

type resting struct {
	name  string
	until int64
}

const mostResting = 20

func (s *noise) act(f *Flow, t *trading, now int64) {
	if now < s.nextAt {
		return
	}
	s.nextAt = now + int64(f.random.ExpFloat64()*nsPerSecond)
	kept := s.resting[:0]
	for _, r := range s.resting {
		if now >= r.until {
			f.cancel(s.account, r.name) // It may have traded: then the venue says that it is too late.
		} else {
			kept = append(kept, r)
		}
	}
	s.resting = kept
	side, best, away := buy, t.bid, -1.0
	if f.random.Float64() < 0.5 {
		side, best, away = sell, t.ask, 1.0
	}
	switch {
	case best == 0:
	case f.random.Float64() < 0.3:
		// In either direction alike, so that it moves nothing in the mean.
		f.take(t, s.account, side)
	case len(s.resting) < mostResting:
		depth := (f.random.ExpFloat64()*8 - 1) * float64(t.Instrument.PriceIncrement)
		price := t.grid(float64(best)+away*depth, side)
		name := f.order(t, s.account, side, f.size(t), price, gtc, pb.ExecInst_EXEC_INST_POST_ONLY)
		s.resting = append(s.resting, resting{name, now + int64((2+f.random.ExpFloat64()*20)*nsPerSecond)})
	}
}

func clamp(v, most float64) float64 { return max(-most, min(v, most)) }
