package engine

import (
	"errors"
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

func (a Amount) big() *big.Int {
	v := new(big.Int).Lsh(big.NewInt(a.hi), 64)
	return v.Add(v, new(big.Int).SetUint64(a.lo))
}

var anyAmount = rapid.Custom(func(t *rapid.T) Amount {
	units := rapid.Int64().Draw(t, "units")
	attos := rapid.Int64Range(0, attosPerUnit-1).Draw(t, "attos")
	if units < 0 {
		attos = -attos
	}
	a, err := NewAmount(units, attos)
	if units == math.MinInt64 && attos != 0 {
		return Amount{}
	}
	if err != nil {
		t.Fatal(err)
	}
	return a
})

// checkExact holds a result against the exact one: the same, or an overflow where that does not fit.
func checkExact(t *rapid.T, got Amount, err error, exact *big.Int) {
	bound := new(big.Int).Mul(new(big.Int).Lsh(big.NewInt(1), 63), big.NewInt(attosPerUnit))
	fits := exact.Cmp(bound) < 0 && exact.Cmp(new(big.Int).Neg(bound)) >= 0
	switch {
	case fits && err != nil:
		t.Fatalf("%s fits, got %v", exact, err)
	case fits && got.big().Cmp(exact) != 0:
		t.Fatalf("got %s, want %s", got.big(), exact)
	case !fits && !errors.Is(err, ErrOverflow):
		t.Fatalf("%s does not fit, got %s and %v", exact, got, err)
	}
}

func TestAmountIsExactOrOverflows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := anyAmount.Draw(t, "a"), anyAmount.Draw(t, "b")
		sum, err := a.Add(b)
		checkExact(t, sum, err, new(big.Int).Add(a.big(), b.big()))
		difference, err := a.Sub(b)
		checkExact(t, difference, err, new(big.Int).Sub(a.big(), b.big()))

		units, attos := a.Parts()
		again, err := NewAmount(units, attos)
		if err != nil || again != a {
			t.Fatalf("%d units and %d attos of %s are %s, %v", units, attos, a, again, err)
		}
	})
}

func TestMulDivRoundsHalfEvenOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, numerator := anyAmount.Draw(t, "a"), rapid.Int64().Draw(t, "numerator")
		denominator := rapid.Int64().Filter(func(d int64) bool { return d != 0 }).Draw(t, "denominator")
		got, err := a.MulDiv(numerator, denominator)
		checkExact(t, got, err, halfEven(new(big.Int).Mul(a.big(), big.NewInt(numerator)), big.NewInt(denominator)))
	})
}

// halfEven is the simple twin: the quotient rounded down, and what is to be added to it.
func halfEven(numerator, denominator *big.Int) *big.Int {
	quotient, remainder := new(big.Int).DivMod(numerator, denominator, new(big.Int))
	twice := new(big.Int).Lsh(remainder, 1)
	c := twice.CmpAbs(denominator)
	if c > 0 || c == 0 && quotient.Bit(0) == 1 {
		step := int64(1)
		if denominator.Sign() < 0 {
			step = -1
		}
		quotient.Add(quotient, big.NewInt(step))
	}
	return quotient
}

func TestMulDivTies(t *testing.T) {
	for _, c := range []struct{ attos, numerator, denominator, want int64 }{
		{1, 1, 2, 0}, {3, 1, 2, 2}, {5, 1, 2, 2}, {7, 1, 2, 4},
		{-1, 1, 2, 0}, {-3, 1, 2, -2}, {3, -1, 2, -2}, {3, 1, -2, -2}, {2, 1, 3, 1}, {1, 1, 3, 0},
	} {
		a, _ := NewAmount(0, c.attos)
		got, err := a.MulDiv(c.numerator, c.denominator)
		if _, attos := got.Parts(); err != nil || attos != c.want {
			t.Errorf("%d * %d / %d = %d, %v, want %d", c.attos, c.numerator, c.denominator, attos, err, c.want)
		}
	}
	if _, err := (Amount{}).MulDiv(1, 0); err == nil {
		t.Error("a division by zero must be an error")
	}
}

func TestAmountText(t *testing.T) {
	for _, c := range []struct {
		units, attos int64
		want         string
	}{
		{0, 0, "0"}, {12, 0, "12"}, {-12, -500_000_000_000_000_000, "-12.5"}, {0, -1, "-0.000000000000000001"},
		{math.MaxInt64, attosPerUnit - 1, "9223372036854775807.999999999999999999"}, {math.MinInt64, 0, "-9223372036854775808"},
	} {
		a, err := NewAmount(c.units, c.attos)
		if err != nil || a.String() != c.want {
			t.Errorf("NewAmount(%d, %d) = %s, %v, want %s", c.units, c.attos, a, err, c.want)
		}
	}
	for _, c := range []struct{ units, attos int64 }{{1, -1}, {-1, 1}, {0, attosPerUnit}, {math.MinInt64, -1}} {
		if a, err := NewAmount(c.units, c.attos); err == nil {
			t.Errorf("NewAmount(%d, %d) = %s, want an error", c.units, c.attos, a)
		}
	}
}

func TestNotionalIsExactOrOverflows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		priceScale := rapid.Uint32Range(0, 9).Draw(t, "price_scale")
		qtyScale := rapid.Uint32Range(0, 9).Draw(t, "qty_scale")
		multiplier := Decimal{rapid.Int64Range(1, math.MaxInt64).Draw(t, "multiplier"), rapid.Uint32Range(0, 3).Draw(t, "scale")}
		definition := stock("X.Y")
		definition.PriceScale, definition.QtyScale, definition.Multiplier = priceScale, qtyScale, multiplier
		i, err := newInstrument(&definition)
		if err != nil {
			return // finer than 10^-18, and refused
		}
		qty, px := rapid.Int64().Draw(t, "qty"), rapid.Int64().Draw(t, "px")
		exact := new(big.Int).Mul(big.NewInt(qty), big.NewInt(px))
		exact.Mul(exact, big.NewInt(multiplier.Mantissa))
		exponent := 18 - int64(priceScale+qtyScale+multiplier.Scale)
		if exponent >= 0 {
			exact.Mul(exact, new(big.Int).Exp(big.NewInt(10), big.NewInt(exponent), nil))
		} else {
			exact.Quo(exact, new(big.Int).Exp(big.NewInt(10), big.NewInt(-exponent), nil))
		}
		got, err := i.notional(qty, px)
		checkExact(t, got, err, exact)
	})
}
