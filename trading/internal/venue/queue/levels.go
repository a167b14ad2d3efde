package queue

import (
	"slices"
	"sort"

	"aetherion/trading/internal/engine"
)

// levels is one side of the recorded depth, the best at the end, where most changes are.
type levels struct {
	side engine.Side
	list []level
}

type level struct {
	px, qty int64
	taken   int64 // by our orders since the level last changed
}

// find is where the price is, or would be.
func (l *levels) find(px int64) (index int, there bool) {
	index = sort.Search(len(l.list), func(i int) bool { return !better(l.side, px, l.list[i].px) })
	return index, index < len(l.list) && l.list[index].px == px
}

// set makes a quantity that of a price, and says which it was.
func (l *levels) set(px, qty int64) (before int64) {
	i, there := l.find(px)
	switch {
	case there && qty > 0:
		before, l.list[i] = l.list[i].qty, level{px: px, qty: qty}
	case there:
		before = l.list[i].qty
		l.list = slices.Delete(l.list, i, i+1)
	case qty > 0:
		l.list = slices.Insert(l.list, i, level{px: px, qty: qty})
	}
	return before
}

func (l *levels) qty(px int64) int64 {
	if i, there := l.find(px); there {
		return l.list[i].qty
	}
	return 0
}

// best is the last level; nil when the side is empty.
func (l *levels) best() *level {
	if len(l.list) == 0 {
		return nil
	}
	return &l.list[len(l.list)-1]
}

// dropCrossed removes levels that an opposite price has passed: their removal was missed, or comes next.
func (l *levels) dropCrossed(opposite int64) {
	for best := l.best(); best != nil && crosses(l.side, best.px, opposite); best = l.best() {
		l.list = l.list[:len(l.list)-1]
	}
}
