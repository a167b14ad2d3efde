package queue

import "math"

// Position estimates what stands before one order at its price.
type Position interface {
	// Trade tells of a trade at the price that took from the order's side.
	Trade(qty int64)
	// Depth tells that the quantity at the price changed, by trades and all else.
	Depth(before, after int64)
	// Reached is how much of the trades at the price went beyond what stood before the order.
	Reached() int64
	// Filled takes off what the order had of Reached.
	Filled(qty int64)
}

// Model starts the estimate of an order that joins behind a quantity.
type Model func(ahead int64) Position

// Choice gives the model of an instrument, one whole of which is so many units.
type Choice func(unit int64) Model

// Model is that of an instrument of so many decimals, without a choice the risk-averse.
func (c Choice) Model(qtyScale uint32) Model {
	if c == nil {
		return RiskAverse
	}
	unit := int64(1)
	for range qtyScale {
		unit *= 10
	}
	return c(unit)
}

// RiskAverse advances an order only by trades at its price, and where less is left than stood before it:
// whatever else leaves the level, left behind the order.
func RiskAverse(ahead int64) Position {
	p := riskAverse(ahead)
	return &p
}

type riskAverse int64

func (p *riskAverse) Trade(qty int64)      { *p -= riskAverse(qty) }
func (p *riskAverse) Depth(_, after int64) { *p = min(*p, riskAverse(after)) }
func (p *riskAverse) Reached() int64       { return max(0, -int64(*p)) }
func (p *riskAverse) Filled(qty int64)     { *p += riskAverse(qty) }

// Behind is the probability that a quantity which leaves a level without a trade left behind our order,
// given what stands before and behind it.
type Behind func(front, back float64) float64

// Probabilistic splits what leaves a level without a trade between before and behind an order.
//
// Formula: front' = front - (1-p)·d + min(0, back - p·d), at most what is left, for d that left beside
// the trades since the level's last change. The estimate is a double in units of 10^-qty_scale, exact
// while whole; what trades went beyond it is rounded to the nearest unit.
// Source: Rigtorp, "Estimating order queue position", 2013, as hftbacktest's ProbQueueModel has it.
func Probabilistic(behind Behind) Model {
	return func(ahead int64) Position { return &probabilistic{behind: behind, front: float64(ahead)} }
}

type probabilistic struct {
	behind Behind
	front  float64
	traded int64 // since the last change of the level, which includes it
}

func (p *probabilistic) Trade(qty int64) {
	p.front -= float64(qty)
	p.traded += qty
}

func (p *probabilistic) Depth(before, after int64) {
	left := float64(before - after - p.traded)
	p.traded = 0
	if left >= 0 {
		p.front = p.split(float64(before)-p.front, left)
	}
	p.front = min(p.front, float64(after))
}

// split is what stands before the order after a quantity left.
func (p *probabilistic) split(back, left float64) float64 {
	behind := p.behind(p.front, back)
	switch {
	case math.IsNaN(behind): // nothing before and nothing behind, or a fraction of a unit below that
		return math.Inf(1)
	case math.IsInf(behind, 0):
		behind = 1
	}
	// The conversions keep a compiler from fusing: results are the same on every machine.
	return p.front - float64((1-behind)*left) + min(0, back-float64(behind*left))
}

func (p *probabilistic) Reached() int64   { return int64(max(0, math.Round(-p.front))) }
func (p *probabilistic) Filled(qty int64) { p.front += float64(qty) }

// Log weighs by f(x) = ln(1+x): f(back) / f(back+front), for x in a unit of so many 10^-qty_scale.
func Log(unit int64) Behind {
	f := func(x float64) float64 { return math.Log(1 + x/float64(unit)) }
	return func(front, back float64) float64 { return f(back) / f(back+front) }
}

// Power weighs by f(x) = xⁿ: f(back) / (f(back)+f(front)).
func Power(n float64) Behind {
	return func(front, back float64) float64 {
		b := math.Pow(back, n)
		return b / (b + math.Pow(front, n))
	}
}
