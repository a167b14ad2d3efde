// Package contract turns the domain's types into the contract's generated ones and back. Encoding cannot
// fail. Decoding refuses what is missing, unknown or unspecified; the error names field, value and rule.
package contract

import (
	"fmt"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/engine"
)

const (
	maxDecimalScale   = 18
	maxNameLength     = 64
	printableFirst    = ' '
	printableLast     = '~'
	maxStrategyLength = 64
)

// specified turns a number of the contract's enumeration into the domain's, which has the same numbers.
func specified[E ~uint8, P ~int32](field string, value P, names map[int32]string) (E, error) {
	if value == 0 {
		return 0, fmt.Errorf("%s: must be specified", field)
	}
	return optional[E](field, value, names)
}

// optional is specified where "unspecified" has a meaning.
func optional[E ~uint8, P ~int32](field string, value P, names map[int32]string) (E, error) {
	if _, known := names[int32(value)]; !known {
		return 0, fmt.Errorf("%s: unknown value %d", field, value)
	}
	return E(value), nil
}

// Name checks what a client may call an order, a request or an account.
func Name(field, value string) error {
	if len(value) == 0 || len(value) > maxNameLength {
		return fmt.Errorf("%s: must have 1 to %d characters, got %d", field, maxNameLength, len(value))
	}
	return printable(field, value)
}

func printable(field, value string) error {
	for i := range len(value) {
		if value[i] < printableFirst || value[i] > printableLast {
			return fmt.Errorf("%s: must be printable ASCII, got %q", field, value)
		}
	}
	return nil
}

// EncodeDecimal gives the contract's form.
func EncodeDecimal(d engine.Decimal) *pb.Decimal {
	return &pb.Decimal{Mantissa: d.Mantissa, Scale: d.Scale}
}

// DecodeDecimal is required: an absent decimal is an error.
func DecodeDecimal(field string, d *pb.Decimal) (engine.Decimal, error) {
	if d == nil {
		return engine.Decimal{}, fmt.Errorf("%s: is missing", field)
	}
	if d.GetScale() > maxDecimalScale {
		return engine.Decimal{}, fmt.Errorf("%s.scale: must be at most %d, got %d", field, maxDecimalScale, d.GetScale())
	}
	return engine.Decimal{Mantissa: d.GetMantissa(), Scale: d.GetScale()}, nil
}

// EncodeMoney gives the contract's form; money without a currency is absent.
func EncodeMoney(m engine.Money) *pb.Money {
	if m.Currency == "" {
		return nil
	}
	units, attos := m.Amount.Parts()
	return &pb.Money{Currency: m.Currency, Units: units, Attos: attos}
}

// DecodeMoney gives the domain's form; absent money has no currency.
func DecodeMoney(field string, m *pb.Money) (engine.Money, error) {
	if m == nil {
		return engine.Money{}, nil
	}
	if m.GetCurrency() == "" {
		return engine.Money{}, fmt.Errorf("%s.currency: is missing", field)
	}
	amount, err := engine.NewAmount(m.GetUnits(), m.GetAttos())
	if err != nil {
		return engine.Money{}, fmt.Errorf("%s.%w", field, err)
	}
	return engine.Money{Currency: m.GetCurrency(), Amount: amount}, nil
}
