package engine

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"
)

// ErrOverflow says that an exact result does not fit; nothing was changed.
var ErrOverflow = errors.New("overflow")

const (
	attosPerUnit = 1_000_000_000_000_000_000
	amountScale  = 18
	// Amounts beyond ±2^63 units do not fit the contract's Money; hi of that bound: 10^18 * 2^63 / 2^64.
	amountBound = attosPerUnit / 2
)

// Amount is an exact number of 10^-18 parts of a currency: 128 bits in two's complement, within
// ±2^63 units so that it always fits Money of the contract.
type Amount struct {
	hi int64
	lo uint64
}

// Money is an amount of a currency.
type Money struct {
	Currency string
	Amount   Amount
}

// NewAmount is units + attos * 10^-18. The parts must have the same sign, as in the contract.
func NewAmount(units, attos int64) (Amount, error) {
	if attos <= -attosPerUnit || attos >= attosPerUnit {
		return Amount{}, fmt.Errorf("attos: must be within ±(10^18-1), got %d", attos)
	}
	if units > 0 && attos < 0 || units < 0 && attos > 0 {
		return Amount{}, fmt.Errorf("attos: must have the sign of units, got units %d and attos %d", units, attos)
	}
	whole, err := amountOf(units < 0, mul64(magnitude64(units), attosPerUnit))
	if err != nil {
		return Amount{}, err
	}
	return whole.Add(Amount{attos >> 63, uint64(attos)})
}

// Parts are the whole units and the rest in 10^-18, both with the sign of the amount.
func (a Amount) Parts() (units, attos int64) {
	negative, m := a.magnitude()
	quotient, remainder := bits.Div64(m.hi, m.lo, attosPerUnit)
	if negative {
		return int64(-quotient), -int64(remainder)
	}
	return int64(quotient), int64(remainder)
}

// Add is the exact sum.
func (a Amount) Add(b Amount) (Amount, error) {
	lo, carry := bits.Add64(a.lo, b.lo, 0)
	// Both are within ±2^63 units, so that the sum cannot leave 128 bits.
	return Amount{a.hi + b.hi + int64(carry), lo}.checked()
}

// Sub is the exact difference.
func (a Amount) Sub(b Amount) (Amount, error) {
	lo, borrow := bits.Sub64(a.lo, b.lo, 0)
	return Amount{a.hi - b.hi - int64(borrow), lo}.checked()
}

// Neg is the amount with the other sign; the lowest amount has none.
func (a Amount) Neg() (Amount, error) { return Amount{}.Sub(a) }

// Sign is -1, 0 or 1.
func (a Amount) Sign() int {
	switch {
	case a.hi < 0:
		return -1
	case a == Amount{}:
		return 0
	}
	return 1
}

// MulDiv is a * numerator / denominator, rounded half-even once.
func (a Amount) MulDiv(numerator, denominator int64) (Amount, error) {
	if denominator == 0 {
		return Amount{}, errors.New("division by zero")
	}
	negative, m := a.magnitude()
	negative = negative != (numerator < 0) != (denominator < 0)
	quotient, err := m.mulDiv(magnitude64(numerator), magnitude64(denominator))
	if err != nil {
		return Amount{}, err
	}
	return amountOf(negative, quotient)
}

// String is the amount as a decimal number without trailing zeros.
func (a Amount) String() string {
	units, attos := a.Parts()
	text := strconv.FormatUint(magnitude64(units), 10)
	if attos != 0 {
		text += "." + strings.TrimRight(fmt.Sprintf("%018d", magnitude64(attos)), "0")
	}
	if a.hi < 0 {
		return "-" + text
	}
	return text
}

// String is the amount and its currency.
func (m Money) String() string { return m.Amount.String() + " " + m.Currency }

// float is for display only.
func (a Amount) float() float64 {
	negative, m := a.magnitude()
	value := (float64(m.hi)*(1<<64) + float64(m.lo)) / attosPerUnit
	if negative {
		return -value
	}
	return value
}

func (a Amount) checked() (Amount, error) {
	if a.hi >= amountBound || a.hi < -amountBound {
		return Amount{}, fmt.Errorf("amount beyond ±2^63 units: %w", ErrOverflow)
	}
	return a, nil
}

func (a Amount) magnitude() (negative bool, m unsigned128) {
	if a.hi >= 0 {
		return false, unsigned128{uint64(a.hi), a.lo}
	}
	lo, borrow := bits.Sub64(0, a.lo, 0)
	hi, _ := bits.Sub64(0, uint64(a.hi), borrow)
	return true, unsigned128{hi, lo}
}

func amountOf(negative bool, m unsigned128) (Amount, error) {
	if m.hi > math.MaxInt64 {
		return Amount{}, fmt.Errorf("amount beyond ±2^63 units: %w", ErrOverflow)
	}
	if !negative {
		return Amount{int64(m.hi), m.lo}.checked()
	}
	lo, borrow := bits.Sub64(0, m.lo, 0)
	hi, _ := bits.Sub64(0, m.hi, borrow)
	return Amount{int64(hi), lo}.checked()
}

// unsigned128 is the magnitude that products and quotients are computed on.
type unsigned128 struct{ hi, lo uint64 }

func mul64(a, b uint64) unsigned128 {
	hi, lo := bits.Mul64(a, b)
	return unsigned128{hi, lo}
}

// mul is m * factor.
func (m unsigned128) mul(factor uint64) (unsigned128, error) {
	top, low := bits.Mul64(m.hi, factor)
	carry, lo := bits.Mul64(m.lo, factor)
	hi, overflow := bits.Add64(low, carry, 0)
	if top != 0 || overflow != 0 {
		return unsigned128{}, fmt.Errorf("product beyond 128 bits: %w", ErrOverflow)
	}
	return unsigned128{hi, lo}, nil
}

// mulDiv is m * factor / divisor, rounded half-even, with all 192 bits of the product.
func (m unsigned128) mulDiv(factor, divisor uint64) (unsigned128, error) {
	top, low := bits.Mul64(m.hi, factor)
	carry, lo := bits.Mul64(m.lo, factor)
	hi, c := bits.Add64(low, carry, 0)
	top += c
	if top >= divisor {
		return unsigned128{}, fmt.Errorf("quotient beyond 128 bits: %w", ErrOverflow)
	}
	qHi, remainder := bits.Div64(top, hi, divisor)
	qLo, remainder := bits.Div64(remainder, lo, divisor)
	if rest := divisor - remainder; remainder > rest || remainder == rest && qLo&1 == 1 {
		var overflow uint64
		qLo, overflow = bits.Add64(qLo, 1, 0)
		qHi, overflow = bits.Add64(qHi, 0, overflow)
		if overflow != 0 {
			return unsigned128{}, fmt.Errorf("quotient beyond 128 bits: %w", ErrOverflow)
		}
	}
	return unsigned128{qHi, qLo}, nil
}

func magnitude64(v int64) uint64 {
	if v < 0 {
		return -uint64(v)
	}
	return uint64(v)
}
