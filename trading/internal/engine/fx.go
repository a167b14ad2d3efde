package engine

import (
	"cmp"
	"fmt"
	"math/big"
	"slices"
)

// pair is what an exchange rate is of: one unit of currency is worth so many of quote.
type pair struct{ currency, quote string }

// rates are the exchange rates in force.
type rates map[pair]Decimal

func (e *Engine) applyFxRates(event *Event, changed *FxRates, effects *Effects) error {
	seen := map[pair]bool{}
	for i := range changed.Rates {
		r := &changed.Rates[i]
		if err := r.check(); err != nil {
			return fmt.Errorf("rates[%d]%w", i, err)
		}
		p := pair{r.Currency, r.QuoteCurrency}
		if seen[p] {
			return fmt.Errorf("rates[%d]: %s in %s stands twice", i, p.currency, p.quote)
		}
		seen[p] = true
	}
	for _, r := range changed.Rates {
		e.fx[pair{r.Currency, r.QuoteCurrency}] = r.Rate
	}
	effects.tell(event, PretradeEvent{FxRates: changed})
	return nil
}

func (r *FxRate) check() error {
	switch {
	case r.Currency == "" || r.QuoteCurrency == "" || r.Currency == r.QuoteCurrency:
		return fmt.Errorf(": must be of two currencies, got %q and %q", r.Currency, r.QuoteCurrency)
	case r.Rate.Mantissa <= 0 || r.Rate.Scale > amountScale:
		return fmt.Errorf(".rate: must be positive and have at most 18 decimal places, got %d * 10^-%d", r.Rate.Mantissa, r.Rate.Scale)
	}
	return nil
}

// KnowsCurrency says whether an account, a balance, an instrument or an exchange rate is in a currency.
func (e *Engine) KnowsCurrency(currency string) bool {
	for _, a := range e.accounts {
		if _, held := a.cash[currency]; held || a.baseCurrency == currency {
			return true
		}
	}
	for _, i := range e.instruments {
		if i.BaseCurrency == currency || i.QuoteCurrency == currency {
			return true
		}
	}
	for p := range e.fx {
		if p.currency == currency || p.quote == currency {
			return true
		}
	}
	return false
}

// convert is an amount of one currency in another, rounded half-even once; false without a rate, or when
// it does not fit. The rule is that of FxRates in the contract.
func (r rates) convert(amount Amount, from, to string) (Amount, bool) {
	if from == to || amount == (Amount{}) {
		return amount, true
	}
	ratio, known := r.ratio(from, to)
	if !known {
		if ratio, known = r.cross(from, to); !known {
			return Amount{}, false
		}
	}
	return roundedAmount(ratio.Mul(ratio, amount.rat()))
}

// ratio is the rate of two currencies that one was given for, either way.
func (r rates) ratio(from, to string) (*big.Rat, bool) {
	if rate, known := r[pair{from, to}]; known {
		return big.NewRat(rate.Mantissa, int64(pow10(rate.Scale))), true
	}
	if rate, known := r[pair{to, from}]; known {
		return big.NewRat(int64(pow10(rate.Scale)), rate.Mantissa), true
	}
	return nil, false
}

// cross is the rate over the first currency by name that has one with both.
func (r rates) cross(from, to string) (*big.Rat, bool) {
	var over string
	for p := range r {
		candidate := p.quote
		if p.quote == from {
			candidate = p.currency
		} else if p.currency != from {
			continue
		}
		if _, known := r.ratio(candidate, to); known && (over == "" || candidate < over) {
			over = candidate
		}
	}
	if over == "" {
		return nil, false
	}
	first, _ := r.ratio(from, over)
	second, _ := r.ratio(over, to)
	return first.Mul(first, second), true
}

// sorted are all rates by pair.
func (r rates) sorted() []FxRate {
	all := make([]FxRate, 0, len(r))
	for p, rate := range r {
		all = append(all, FxRate{p.currency, p.quote, rate})
	}
	slices.SortFunc(all, func(a, b FxRate) int {
		return cmp.Or(cmp.Compare(a.Currency, b.Currency), cmp.Compare(a.QuoteCurrency, b.QuoteCurrency))
	})
	return all
}

// rat is the amount as a number of 10^-18.
func (a Amount) rat() *big.Rat {
	whole := new(big.Int).Lsh(big.NewInt(a.hi), 64)
	return new(big.Rat).SetInt(whole.Add(whole, new(big.Int).SetUint64(a.lo)))
}

// roundedAmount is a number of 10^-18, rounded half-even; false when it does not fit.
func roundedAmount(r *big.Rat) (Amount, bool) {
	quotient, rest := new(big.Int).QuoRem(new(big.Int).Abs(r.Num()), r.Denom(), new(big.Int))
	if half := rest.Lsh(rest, 1).Cmp(r.Denom()); half > 0 || half == 0 && quotient.Bit(0) == 1 {
		quotient.Add(quotient, big.NewInt(1))
	}
	if quotient.BitLen() > 127 {
		return Amount{}, false
	}
	lo := new(big.Int).And(quotient, new(big.Int).SetUint64(1<<64-1)).Uint64()
	amount, err := amountOf(r.Sign() < 0, unsigned128{quotient.Rsh(quotient, 64).Uint64(), lo})
	return amount, err == nil
}

func walkRates(w walker, r rates) {
	all := r.sorted()
	walkSlice(w, &all, func(w walker, rate *FxRate) {
		walkString(w, &rate.Currency)
		walkString(w, &rate.QuoteCurrency)
		walkDecimal(w, &rate.Rate)
		if !w.reads() || failed(w) {
			return
		}
		if err := rate.check(); err != nil {
			w.fault(fmt.Errorf("fx_rates%w", err))
		}
		r[pair{rate.Currency, rate.QuoteCurrency}] = rate.Rate
	})
}
