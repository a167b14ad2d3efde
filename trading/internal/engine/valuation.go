package engine

import "math/bits"

// QuoteCurrency is that of an instrument; empty when there is none.
func (e *Engine) QuoteCurrency(instrumentID string) string {
	if i := e.instruments[instrumentID]; i != nil {
		return i.QuoteCurrency
	}
	return ""
}

// Worth is the size of what an order is worth: at its limit price, or else at its trigger price or the mark, of
// a buy raised by the band of market orders. False when there is no price, or the value is too large.
func (e *Engine) Worth(order *NewOrder) (Money, bool) {
	i := e.instruments[order.InstrumentID]
	if i == nil {
		return Money{}, false
	}
	worth := Money{Currency: i.QuoteCurrency}
	px, ok := e.valuationPx(i, order)
	if !ok {
		return worth, false
	}
	amount, err := i.notional(order.OrderQty, px)
	if err == nil && amount.Sign() < 0 {
		amount, err = amount.Neg()
	}
	worth.Amount = amount
	return worth, err == nil
}

func (e *Engine) valuationPx(i *instrument, order *NewOrder) (int64, bool) {
	px, has := i.markPx, i.hasMark
	switch order.OrdType {
	case Limit, StopLimit:
		return order.Price, true
	case Stop:
		px, has = order.StopPx, true
	case TrailingStop: // A buy triggers that far above the mark, if it has seen no better price.
		if order.Side == Buy {
			if stopPx, ok := order.trailingStopPx(px, i.PriceIncrement); ok {
				px = stopPx
			}
		}
	}
	if order.Side == Sell || px <= 0 {
		return px, has
	}
	const whole = 10_000 // basis points
	hi, lo := bits.Mul64(uint64(px), whole+uint64(e.limits.MarketOrderBandBps))
	if hi >= whole {
		return 0, false
	}
	raised, rest := bits.Div64(hi, lo, whole)
	if rest > 0 {
		raised++
	}
	return int64(raised), has && int64(raised) > 0
}

// CeilDecimal is the smallest decimal of 18 places or fewer that is not below an amount that is not negative, with
// as many places as fit; nil when none fits.
func (a Amount) CeilDecimal() *Decimal {
	units, attos := a.Parts()
	for scale := uint32(amountScale); ; scale-- {
		unit := int64(pow10(amountScale - scale)) // attos of one in the last place
		last := attos / unit
		if attos%unit != 0 {
			last++
		}
		hi, lo := bits.Mul64(uint64(units), pow10(scale))
		sum, carry := bits.Add64(lo, uint64(last), 0)
		if hi == 0 && carry == 0 && int64(sum) >= 0 && units >= 0 {
			return &Decimal{Mantissa: int64(sum), Scale: scale}
		}
		if scale == 0 {
			return nil
		}
	}
}
