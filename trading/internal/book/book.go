// Package book holds order books that are built from what a venue says: snapshots, deltas, orders.
package book

import (
	"slices"

	"aetherion/trading/internal/engine"
)

// Level is the quantity at one price, both scaled by the instrument.
type Level struct{ Px, Qty int64 }

// Book is an L2 book: the quantity at each price. The zero value is empty and ready.
type Book struct {
	// Worst first: most changes are near the best, at the end, where they move least.
	bids, asks []Level
}

// Set makes a quantity that of a price; 0 or less removes the level.
func (b *Book) Set(side engine.Side, px, qty int64) {
	levels := b.side(side)
	i, there := find(*levels, side, px)
	switch {
	case qty <= 0 && there:
		*levels = slices.Delete(*levels, i, i+1)
	case qty <= 0:
	case there:
		(*levels)[i].Qty = qty
	default:
		*levels = slices.Insert(*levels, i, Level{Px: px, Qty: qty})
	}
}

// Clear empties the book and keeps its memory.
func (b *Book) Clear() { b.bids, b.asks = b.bids[:0], b.asks[:0] }

// Best is the best level of a side.
func (b *Book) Best(side engine.Side) (best Level, any bool) {
	levels := *b.side(side)
	if len(levels) == 0 {
		return Level{}, false
	}
	return levels[len(levels)-1], true
}

// Qty is the quantity at a price, 0 where there is none.
func (b *Book) Qty(side engine.Side, px int64) int64 {
	levels := *b.side(side)
	if i, there := find(levels, side, px); there {
		return levels[i].Qty
	}
	return 0
}

// Depth is the number of levels of a side.
func (b *Book) Depth(side engine.Side) int { return len(*b.side(side)) }

// Levels appends at most limit levels of a side, best first; a limit of 0 is all.
func (b *Book) Levels(to []Level, side engine.Side, limit int) []Level {
	levels := *b.side(side)
	if limit <= 0 || limit > len(levels) {
		limit = len(levels)
	}
	for i := range limit {
		to = append(to, levels[len(levels)-1-i])
	}
	return to
}

// Crossed says whether the best bid is at or above the best ask: matched, those two could not stand.
func (b *Book) Crossed() bool {
	bid, anyBid := b.Best(engine.Buy)
	ask, anyAsk := b.Best(engine.Sell)
	return anyBid && anyAsk && bid.Px >= ask.Px
}

func (b *Book) side(side engine.Side) *[]Level {
	if side == engine.Buy {
		return &b.bids
	}
	return &b.asks
}

// find is where the price is, or would be. It gallops from the best, near which most prices are.
func find(levels []Level, side engine.Side, px int64) (index int, there bool) {
	lo, hi := 0, len(levels)
	for step := 1; lo < hi; step *= 2 {
		probe := max(len(levels)-step, 0)
		if worse(side, levels[probe].Px, px) {
			lo = probe + 1
			break
		}
		hi = probe
	}
	for lo < hi {
		middle := int(uint(lo+hi) / 2)
		if worse(side, levels[middle].Px, px) {
			lo = middle + 1
		} else {
			hi = middle
		}
	}
	return lo, lo < len(levels) && levels[lo].Px == px
}

func worse(side engine.Side, px, than int64) bool {
	if side == engine.Buy {
		return px < than
	}
	return px > than
}
