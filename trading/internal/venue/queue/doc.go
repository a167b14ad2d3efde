// Package queue fills orders against recorded books: where our order would have stood among those that
// were there, and when its turn would have come.
//
// Depth is a book of levels (L2), which does not say who left a level; a Model estimates what stands
// before our order. Orders is a book of orders (L3), where nothing is left to estimate.
//
// Both are pure: rows and orders go in, fills come out. Our orders leave the recorded book as it is.
package queue

import "aetherion/trading/internal/engine"

// Order is one of ours. Prices and quantities are integers scaled by their instrument.
type Order struct {
	ID   uint64
	Side engine.Side
	Px   int64
	Qty  int64
}

// Fill is a part of one of our orders that traded.
type Fill struct {
	OrderID uint64
	Px      int64
	Qty     int64
	Maker   bool // it rested; else it took
}

// better says whether a price of a side goes before another.
func better(side engine.Side, px, other int64) bool {
	if side == engine.Buy {
		return px > other
	}
	return px < other
}

// crosses says whether an order of a side can trade at an opposite price.
func crosses(side engine.Side, px, opposite int64) bool { return !better(side, opposite, px) }

func opposite(side engine.Side) engine.Side {
	if side == engine.Buy {
		return engine.Sell
	}
	return engine.Buy
}
