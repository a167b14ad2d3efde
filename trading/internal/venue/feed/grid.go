package feed

import (
	"fmt"
	"strings"

	"aetherion/trading/internal/engine"
)

// maxScales is what the contract allows price_scale and qty_scale together.
const maxScales = 18

// Grid is the grid of prices and quantities as venues write it: decimal strings.
type Grid struct {
	Tick, Lot, MinQty, MaxQty string
	// PricePlaces and QtyPlaces are the least scales: orders of a time when tick or lot was smaller still rest in the book.
	PricePlaces, QtyPlaces uint32
}

// Definition is an instrument of the grid, of scales as small as hold it.
func (g Grid) Definition(id string, class engine.InstrumentClass, base, quote string) (engine.Instrument, error) {
	i := engine.Instrument{
		InstrumentID: id, Version: 1, Class: class, BaseCurrency: base, QuoteCurrency: quote, Multiplier: engine.Decimal{Mantissa: 1},
		PriceScale: max(places(g.Tick), g.PricePlaces), QtyScale: max(places(g.Lot), places(g.MinQty), g.QtyPlaces),
	}
	if i.PriceScale+i.QtyScale > maxScales {
		return i, fmt.Errorf("price_scale + qty_scale: must be at most %d, got %d", maxScales, i.PriceScale+i.QtyScale)
	}
	for _, part := range []struct {
		field, text string
		scale       uint32
		to          *int64
	}{
		{"tick", g.Tick, i.PriceScale, &i.PriceIncrement}, {"lot", g.Lot, i.QtyScale, &i.QtyIncrement},
		{"min_qty", g.MinQty, i.QtyScale, &i.MinQty}, {"max_qty", g.MaxQty, i.QtyScale, &i.MaxQty},
	} {
		value, err := Decimal([]byte(part.text), part.scale)
		if err != nil {
			return i, fmt.Errorf("%s: %w", part.field, err)
		}
		*part.to = value
	}
	if i.PriceIncrement <= 0 || i.QtyIncrement <= 0 {
		return i, fmt.Errorf("tick and lot: must be positive, got %.40q and %.40q", g.Tick, g.Lot)
	}
	return i, nil
}

// places is how many decimal places a number needs.
func places(text string) uint32 {
	_, fraction, _ := strings.Cut(text, ".")
	return uint32(len(strings.TrimRight(fraction, "0")))
}
