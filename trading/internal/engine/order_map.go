package engine

import (
	"iter"
	"maps"
	"slices"
)

// OrderMap finds what is known of an order by its id. Ids are sequences: orders that came one after the other,
// and are asked for likewise, share a page, where a hash of each would miss the processor's cache for each. The
// zero value is empty. It may be read by many at a time.
type OrderMap[T any] struct {
	pages map[uint64]*orderPage[T]
	len   int
}

const (
	pageBits = 6
	pageSize = 1 << pageBits
)

type orderPage[T any] struct {
	used   int
	values [pageSize]*T
}

// Len is how many orders there are.
func (m *OrderMap[T]) Len() int { return m.len }

// Get is nil for an order that is not there.
func (m *OrderMap[T]) Get(id uint64) *T {
	page := m.pages[id>>pageBits]
	if page == nil {
		return nil
	}
	return page.values[id%pageSize]
}

// Put adds or replaces a value, which must not be nil.
func (m *OrderMap[T]) Put(id uint64, value *T) {
	page := m.pages[id>>pageBits]
	if page == nil {
		if m.pages == nil {
			m.pages = map[uint64]*orderPage[T]{}
		}
		page = &orderPage[T]{}
		m.pages[id>>pageBits] = page
	}
	slot := &page.values[id%pageSize]
	if *slot == nil {
		page.used++
		m.len++
	}
	*slot = value
}

// Delete takes an order out, if it is there.
func (m *OrderMap[T]) Delete(id uint64) {
	if m.Get(id) == nil {
		return
	}
	page := m.pages[id>>pageBits]
	page.values[id%pageSize] = nil
	m.len--
	if page.used--; page.used == 0 {
		delete(m.pages, id>>pageBits)
	}
}

// All gives the orders by rising id.
func (m *OrderMap[T]) All() iter.Seq2[uint64, *T] {
	return func(yield func(uint64, *T) bool) {
		for _, number := range slices.Sorted(maps.Keys(m.pages)) {
			for i, value := range m.pages[number].values[:] {
				if value != nil && !yield(number<<pageBits+uint64(i), value) {
					return
				}
			}
		}
	}
}
