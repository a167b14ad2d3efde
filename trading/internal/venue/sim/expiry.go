package sim

// expiryHeap holds ids of orders by the time they end. Entries of orders that ended otherwise stay until
// their time comes; an id never names a second order, so they do nothing then.
type expiryHeap struct{ entries []expiry }

type expiry struct {
	time int64
	id   uint64
}

func (e expiry) before(other expiry) bool {
	return e.time < other.time || e.time == other.time && e.id < other.id
}

func (h *expiryHeap) peek() (time int64, id uint64, ok bool) {
	if len(h.entries) == 0 {
		return 0, 0, false
	}
	return h.entries[0].time, h.entries[0].id, true
}

func (h *expiryHeap) push(time int64, id uint64) {
	h.entries = append(h.entries, expiry{time, id})
	i := len(h.entries) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if !h.entries[i].before(h.entries[parent]) {
			return
		}
		h.entries[i], h.entries[parent] = h.entries[parent], h.entries[i]
		i = parent
	}
}

func (h *expiryHeap) pop() {
	last := len(h.entries) - 1
	h.entries[0] = h.entries[last]
	h.entries = h.entries[:last]
	h.sink(0)
}

// keep drops the entries whose id does not pass, without allocating.
func (h *expiryHeap) keep(pass func(id uint64) bool) {
	kept := h.entries[:0]
	for _, e := range h.entries {
		if pass(e.id) {
			kept = append(kept, e)
		}
	}
	h.entries = kept
	for i := len(kept)/2 - 1; i >= 0; i-- {
		h.sink(i)
	}
}

func (h *expiryHeap) sink(i int) {
	for {
		child := 2*i + 1
		if child >= len(h.entries) {
			return
		}
		if child+1 < len(h.entries) && h.entries[child+1].before(h.entries[child]) {
			child++
		}
		if !h.entries[child].before(h.entries[i]) {
			return
		}
		h.entries[i], h.entries[child] = h.entries[child], h.entries[i]
		i = child
	}
}

// NextExpiry returns a time before which no order of the book ends by itself.
func (b *Book) NextExpiry() (time int64, ok bool) {
	time, _, ok = b.expiries.peek()
	return time, ok
}
