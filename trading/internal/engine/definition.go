package engine

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// InstrumentClass is the kind of contract that an instrument is.
type InstrumentClass uint8

// The classes.
const (
	Equity InstrumentClass = 1
	Spot   InstrumentClass = 2
	Future InstrumentClass = 3
)

// Decimal is an exact decimal number, Mantissa * 10^-Scale.
type Decimal struct {
	Mantissa int64
	Scale    uint32
}

// Instrument is the definition of a contract on one venue. Prices of it are in 10^-PriceScale of the
// quote currency, quantities in 10^-QtyScale.
type Instrument struct {
	InstrumentID       string // SYMBOL.VENUE
	Version            uint32
	Class              InstrumentClass
	BaseCurrency       string
	QuoteCurrency      string
	PriceScale         uint32
	QtyScale           uint32
	PriceIncrement     int64
	QtyIncrement       int64
	MinQty             int64
	MaxQty             int64 // 0: the venue names none
	Multiplier         Decimal
	MakerFeeRatio      Decimal
	TakerFeeRatio      Decimal
	AllowNegativePrice bool
	ExpireTime         int64            // 0: never
	TradingSessions    []TradingSession // none: always
}

// TradingSession is a time of the week, UTC, in which an instrument trades.
type TradingSession struct {
	DayOfWeek uint32 // Monday 1 to Sunday 7
	Start     int64  // ns since midnight
	End       int64  // ns since midnight, not in it
}

// Equal says whether two definitions are the same.
func (i *Instrument) Equal(other *Instrument) bool { return reflect.DeepEqual(i, other) }

// Venue is the part of the id after the last point.
func (i *Instrument) Venue() string { return venueOf(i.InstrumentID) }

func venueOf(instrumentID string) string {
	return instrumentID[strings.LastIndexByte(instrumentID, '.')+1:]
}

// instrument is a definition with what is computed from it once, and the last mark.
type instrument struct {
	Instrument
	multiplier uint64 // mantissa
	toAttos    uint64 // price * qty * multiplier * toAttos is in 10^-18
	markPx     int64
	hasMark    bool
	markTime   int64 // when it was journaled
	execs      execs // of its venue; nil: not asked for yet
}

func (e *Engine) applyInstrument(event *Event, definition *Instrument, effects *Effects) error {
	next, err := newInstrument(definition)
	if err != nil {
		return err
	}
	current := e.instruments[definition.InstrumentID]
	if current == nil {
		if definition.Version != 1 {
			return fmt.Errorf("version: a new instrument starts at 1, got %d: %w", definition.Version, ErrVersion)
		}
		e.instruments[definition.InstrumentID] = next
	} else {
		if err := current.checkSuccessor(definition); err != nil {
			return err
		}
		// In place: orders and positions point to it.
		next.markPx, next.hasMark, next.markTime, next.execs = current.markPx, current.hasMark, current.markTime, current.execs
		*current = *next
	}
	effects.tell(event, PretradeEvent{Instrument: definition})
	return nil
}

// CheckInstrument says what is wrong with a definition.
func CheckInstrument(definition *Instrument) error {
	_, err := newInstrument(definition)
	return err
}

func newInstrument(d *Instrument) (*instrument, error) {
	symbol, venue, found := strings.Cut(d.InstrumentID, ".")
	multiplier := trimmed(d.Multiplier)
	scales := uint64(d.PriceScale) + uint64(d.QtyScale)
	switch {
	case !found || symbol == "" || venue == "":
		return nil, fmt.Errorf("instrument_id: must be SYMBOL.VENUE, got %q", d.InstrumentID)
	case d.Class < Equity || d.Class > Future:
		return nil, fmt.Errorf("instrument_class: unknown class %d", d.Class)
	case d.BaseCurrency == "" || d.QuoteCurrency == "":
		return nil, fmt.Errorf("base_currency, quote_currency: must be set, got %q and %q", d.BaseCurrency, d.QuoteCurrency)
	case scales > amountScale:
		return nil, fmt.Errorf("price_scale + qty_scale: must be at most 18, got %d + %d", d.PriceScale, d.QtyScale)
	case d.PriceIncrement <= 0:
		return nil, fmt.Errorf("price_increment: must be positive, got %d", d.PriceIncrement)
	case d.QtyIncrement <= 0:
		return nil, fmt.Errorf("qty_increment: must be positive, got %d", d.QtyIncrement)
	case d.MinQty < 0 || d.MaxQty < 0 || d.MaxQty != 0 && d.MaxQty < d.MinQty:
		return nil, fmt.Errorf("min_qty, max_qty: must not be negative nor cross, got %d and %d", d.MinQty, d.MaxQty)
	case multiplier.Mantissa <= 0:
		return nil, fmt.Errorf("multiplier: must be positive, got %d * 10^-%d", d.Multiplier.Mantissa, d.Multiplier.Scale)
	case scales+uint64(multiplier.Scale) > amountScale:
		return nil, fmt.Errorf("multiplier: price_scale + qty_scale + its decimal places must be at most 18, got %d + %d + %d",
			d.PriceScale, d.QtyScale, multiplier.Scale)
	}
	for name, ratio := range map[string]Decimal{"maker_fee_ratio": d.MakerFeeRatio, "taker_fee_ratio": d.TakerFeeRatio} {
		if ratio.Scale > amountScale {
			return nil, fmt.Errorf("%s: must have at most 18 decimal places, got %d", name, ratio.Scale)
		}
	}
	return &instrument{
		Instrument: *d, multiplier: uint64(multiplier.Mantissa), toAttos: pow10(amountScale - uint32(scales) - multiplier.Scale),
	}, nil
}

// checkSuccessor refuses a version that would give another meaning to numbers already booked.
func (i *instrument) checkSuccessor(next *Instrument) error {
	if next.Version != i.Version+1 {
		return fmt.Errorf("version: must be %d, got %d: %w", i.Version+1, next.Version, ErrVersion)
	}
	if next.PriceScale != i.PriceScale || next.QtyScale != i.QtyScale || next.Class != i.Class ||
		next.QuoteCurrency != i.QuoteCurrency || trimmed(next.Multiplier) != trimmed(i.Multiplier) {
		return fmt.Errorf("instrument_id: %q may not change its class, scales, quote_currency or multiplier", i.InstrumentID)
	}
	return nil
}

// Fee is the ratio of an exact notional, rounded half-even once.
func Fee(notional Amount, ratio Decimal) (Amount, error) {
	if ratio.Scale > amountScale {
		return Amount{}, fmt.Errorf("fee ratio: must have at most 18 decimal places, got %d", ratio.Scale)
	}
	return notional.MulDiv(ratio.Mantissa, int64(pow10(ratio.Scale)))
}

// Notional is qty * px * multiplier, exactly, with the sign of the product.
func Notional(definition *Instrument, qty, px int64) (Amount, error) {
	i, err := newInstrument(definition)
	if err != nil {
		return Amount{}, err
	}
	return i.notional(qty, px)
}

func (i *instrument) notional(qty, px int64) (Amount, error) {
	m, err := mul64(magnitude64(qty), magnitude64(px)).mul(i.multiplier)
	if err == nil {
		m, err = m.mul(i.toAttos)
	}
	if err != nil {
		return Amount{}, fmt.Errorf("notional of %d at %d: %w", qty, px, err)
	}
	return amountOf((qty < 0) != (px < 0), m)
}

// checkPrice refuses a price that the definition forbids.
func (i *instrument) checkPrice(field string, px int64) error {
	if px <= 0 && !i.AllowNegativePrice {
		return fmt.Errorf("%s: must be positive, got %d", field, px)
	}
	return nil
}

// price and qty say a price and a quantity as people do.
func (i *instrument) price(px int64) string { return decimalText(px, i.PriceScale) }
func (i *instrument) qty(qty int64) string  { return decimalText(qty, i.QtyScale) }

// decimalText is value * 10^-scale, exactly, without zeros at its end.
func decimalText(value int64, scale uint32) string {
	sign, digits := "", strconv.FormatInt(value, 10)
	if value < 0 {
		sign, digits = "-", digits[1:]
	}
	if missing := int(scale) + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	point := len(digits) - int(scale)
	fraction := strings.TrimRight(digits[point:], "0")
	if fraction != "" {
		fraction = "." + fraction
	}
	return sign + digits[:point] + fraction
}

// averagePrice is for display, in the quote currency.
func (i *instrument) averagePrice(notional Amount, qty int64) float64 {
	if qty == 0 {
		return 0
	}
	units := float64(qty) / float64(pow10(i.QtyScale))
	multiplier := float64(i.Multiplier.Mantissa) / float64(pow10(i.Multiplier.Scale))
	return notional.float() / (units * multiplier)
}

// trimmed is the same number with as few decimal places as it needs.
func trimmed(d Decimal) Decimal {
	for d.Scale > 0 && d.Mantissa%10 == 0 {
		d.Mantissa, d.Scale = d.Mantissa/10, d.Scale-1
	}
	return d
}

func pow10(n uint32) uint64 {
	p := uint64(1)
	for range n {
		p *= 10
	}
	return p
}
