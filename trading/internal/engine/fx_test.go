package engine

import (
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
)

// exactly is a decimal number without rounding.
func exactly(d Decimal) *big.Rat {
	return new(big.Rat).SetFrac(big.NewInt(d.Mantissa), new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(d.Scale)), nil))
}

// rounded is a number in 10^-18, half-even, by way of its decimal digits.
func rounded(r *big.Rat) *big.Int {
	attos := new(big.Rat).Mul(r, new(big.Rat).SetInt64(attosPerUnit))
	floor := new(big.Int).Div(attos.Num(), attos.Denom()) // Euclidean: rounds down
	rest := new(big.Rat).Sub(attos, new(big.Rat).SetInt(floor))
	if c := rest.Cmp(big.NewRat(1, 2)); c > 0 || c == 0 && floor.Bit(0) == 1 {
		floor.Add(floor, big.NewInt(1))
	}
	return floor
}

func attosOf(a Amount) *big.Int {
	units, attos := a.Parts()
	v := new(big.Int).Mul(big.NewInt(units), big.NewInt(attosPerUnit))
	return v.Add(v, big.NewInt(attos))
}

func TestConvertAgainstRationalNumbers(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	decimal := func() Decimal {
		return Decimal{1 + random.Int64()>>random.IntN(62), uint32(random.IntN(19))}
	}
	fits := 0
	for range 20_000 {
		direct, inverse := decimal(), decimal()
		r := rates{{"EUR", "USD"}: direct, {"USD", "JPY"}: inverse}
		amount, err := NewAmount(random.Int64()>>random.IntN(63), 0)
		if err != nil {
			t.Fatal(err)
		}
		if random.IntN(2) == 0 {
			amount, _ = amount.Neg()
		}
		value := new(big.Rat).SetFrac(attosOf(amount), big.NewInt(attosPerUnit))
		for _, c := range []struct {
			from, to string
			factor   *big.Rat
		}{
			{"EUR", "USD", exactly(direct)},
			{"JPY", "USD", new(big.Rat).Inv(exactly(inverse))},
			{"EUR", "JPY", new(big.Rat).Mul(exactly(direct), exactly(inverse))},
			{"JPY", "EUR", new(big.Rat).Inv(new(big.Rat).Mul(exactly(direct), exactly(inverse)))},
		} {
			want := rounded(new(big.Rat).Mul(value, c.factor))
			got, ok := r.convert(amount, c.from, c.to)
			bound := new(big.Int).Mul(big.NewInt(attosPerUnit), new(big.Int).Lsh(big.NewInt(1), 63))
			if inside := want.CmpAbs(bound) < 0; ok != inside && want.CmpAbs(bound) != 0 {
				t.Fatalf("%s %s to %s at %v, %v: fits %v, want %v", amount, c.from, c.to, direct, inverse, ok, inside)
			}
			if !ok {
				continue
			}
			if fits++; attosOf(got).Cmp(want) != 0 {
				t.Fatalf("%s %s to %s at %v, %v: got %s, want %s attos", amount, c.from, c.to, direct, inverse, got, want)
			}
		}
	}
	if fits < 10_000 {
		t.Errorf("only %d of the conversions fit", fits)
	}
}

func TestWhichRateCounts(t *testing.T) {
	rate := func(units int64) Decimal { return Decimal{units, 0} }
	for name, c := range map[string]struct {
		rates rates
		want  string
	}{
		"no rate":                    {rates{}, "none"},
		"direct before inverse":      {rates{{"EUR", "USD"}: rate(2), {"USD", "EUR"}: rate(10)}, "12"},
		"inverse":                    {rates{{"USD", "EUR"}: rate(4)}, "1.5"},
		"inverse before cross":       {rates{{"USD", "EUR"}: rate(4), {"EUR", "CHF"}: rate(1), {"CHF", "USD"}: rate(1)}, "1.5"},
		"over the first by name":     {rates{{"EUR", "GBP"}: rate(1), {"GBP", "USD"}: rate(5), {"EUR", "CHF"}: rate(1), {"CHF", "USD"}: rate(3)}, "18"},
		"over one that reaches both": {rates{{"EUR", "CHF"}: rate(1), {"EUR", "GBP"}: rate(1), {"USD", "GBP"}: rate(3)}, "2"},
		"not over two":               {rates{{"EUR", "CHF"}: rate(1), {"CHF", "GBP"}: rate(1), {"GBP", "USD"}: rate(1)}, "none"},
	} {
		six, _ := NewAmount(6, 0)
		got := "none"
		if amount, ok := c.rates.convert(six, "EUR", "USD"); ok {
			got = amount.String()
		}
		if got != c.want {
			t.Errorf("%s: 6 EUR are %s USD, want %s", name, got, c.want)
		}
	}
}

func TestEquityOverCurrencies(t *testing.T) {
	w := newWorld(t, stock("ACME.X"))
	euro := stock("SIE.Y")
	euro.QuoteCurrency = "EUR"
	w.must(&euro)
	w.must(&Adjustment{Account: "A", Cash: Money{"BTC", usd(t, 2).Amount}})
	w.must(&Adjustment{Account: "A", InstrumentID: "SIE.Y", Qty: 3, Price: 100})
	check := func(want string) {
		t.Helper()
		state, _ := w.engine.Account("A")
		got := "none"
		if state.HasEquity {
			got = state.Equity.String()
		}
		if got != want {
			t.Errorf("equity is %s, want %s", got, want)
		}
	}
	w.must(&FxRates{[]FxRate{{"BTC", "USD", Decimal{50_000, 0}}, {"USD", "EUR", Decimal{3, 0}}}})
	check("none") // the stock has no mark
	w.must(&Mark{InstrumentID: "SIE.Y", MarkPx: 100})
	check("101001 USD") // 1000 + 2 * 50000 + 3 / 3
	w.must(&FxRates{[]FxRate{{"USD", "EUR", Decimal{7, 0}}}})
	check("101000.428571428571428571 USD")
	w.must(&Adjustment{Account: "A", Cash: Money{"JPY", usd(t, 1).Amount}})
	check("none") // no rate
	w.must(&Adjustment{Account: "A", Cash: Money{"JPY", usd(t, -1).Amount}})
	check("101000.428571428571428571 USD")
}

func TestRatesAndModelsThatAreRefused(t *testing.T) {
	w := newWorld(t, stock("ACME.X"))
	model := func(change func(*PretradeModel)) *PretradeModel {
		m := &PretradeModel{Version: 1, InstrumentIDs: []string{"ACME.X"}, Covariance: []float64{1e-4}, ConfidenceBp: 9900, HorizonDays: 1}
		change(m)
		return m
	}
	for want, input := range map[string]Input{
		`rates[0]: must be of two currencies, got "USD" and "USD"`:                  &FxRates{[]FxRate{{"USD", "USD", Decimal{1, 0}}}},
		`rates[1].rate: must be positive`:                                           &FxRates{[]FxRate{{"EUR", "USD", Decimal{1, 0}}, {"USD", "JPY", Decimal{0, 0}}}},
		`rates[0].rate: must be positive and have at most 18 decimal places, got 1`: &FxRates{[]FxRate{{"EUR", "USD", Decimal{1, 19}}}},
		`rates[1]: EUR in USD stands twice`:                                         &FxRates{[]FxRate{{"EUR", "USD", Decimal{1, 0}}, {"EUR", "USD", Decimal{2, 0}}}},
		`expected_version: must be 0, the version in force, got 1`:                  model(func(m *PretradeModel) { m.Version = 2 }),
		`unknown instrument "B"`:                                                    model(func(m *PretradeModel) { m.InstrumentIDs[0] = "B" }),
		`must have 1 by 1 values, got 0`:                                            model(func(m *PretradeModel) { m.Covariance = nil }),
		`a variance must not be negative, got -1`:                                   model(func(m *PretradeModel) { m.Covariance[0] = -1 }),
		`confidence_bp: must be 5001 to 9999, got 5000`:                             model(func(m *PretradeModel) { m.ConfidenceBp = 5000 }),
		`horizon_days: must be at least 1, got 0`:                                   model(func(m *PretradeModel) { m.HorizonDays = 0 }),
		`degrees_of_freedom: must be 0 or above 2, got 2`:                           model(func(m *PretradeModel) { m.DegreesOfFreedom = 2 }),
	} {
		before := w.engine.StateHash()
		if err := w.try(input); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
		if w.engine.StateHash() != before {
			t.Errorf("%s: changed the state", want)
		}
	}
	w.must(model(func(*PretradeModel) {}))
	if err := w.try(model(func(*PretradeModel) {})); !errors.As(err, &VersionConflict{}) {
		t.Errorf("the same version again: %v", err)
	}
	if got := fmt.Sprint(w.engine.PretradeSnapshot().Model.Version); got != "1" {
		t.Errorf("the gate is told of model %s", got)
	}
}
