package flow

import (
	"math"
	"math/rand/v2"
)

// value is what an instrument is worth, as nobody sees it: a random walk whose volatility is itself one
// that returns to its mean, and that jumps now and then.
type value struct {
	log        float64 // of the price
	base       float64 // volatility of a second, at its mean
	excitement float64 // logarithm of how much higher it is now
	at         int64
}

const (
	secondsPerDay = 86_400
	// Excitement forgets half of itself in a quarter of an hour, and is drawn towards none.
	calming  = math.Ln2 / 900
	agitated = 0.45 // its deviation in the long run
	jumps    = 1.0 / 300
	jumpSize = 6 // standard deviations of a second
)

func newValue(m *Market) value {
	return value{log: math.Log(float64(m.Price)), base: m.Volatility / math.Sqrt(secondsPerDay)}
}

func (v *value) price() float64 { return math.Exp(v.log) }

// volatility of a second, now.
func (v *value) volatility() float64 { return v.base * math.Exp(v.excitement-agitated*agitated/2) }

func (v *value) advance(random *rand.Rand, now int64) {
	if v.at == 0 || now <= v.at {
		v.at = max(v.at, now)
		return
	}
	seconds := min(float64(now-v.at)/nsPerSecond, 60)
	v.at = now
	keep := math.Exp(-calming * seconds)
	v.excitement = v.excitement*keep + agitated*math.Sqrt(1-keep*keep)*random.NormFloat64()
	sigma := v.volatility()
	v.log += sigma * math.Sqrt(seconds) * random.NormFloat64()
	if random.Float64() < jumps*seconds {
		v.log += jumpSize * sigma * random.NormFloat64()
		v.excitement += 0.3 // News is talked about.
	}
}
