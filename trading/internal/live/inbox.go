package live

import (
	"sync"

	"aetherion/trading/internal/gate"
	"aetherion/trading/internal/router"
)

// inbox takes orders and cancels from the sequencer without making it wait, and keeps their order.
type inbox struct {
	arrived chan struct{}       // of capacity 1: something is there
	has     router.Capabilities // of the venue that is to get them
	mu      sync.Mutex
	waiting []func(router.Venue)
}

func newInbox() *inbox { return &inbox{arrived: make(chan struct{}, 1)} }

// Submit is router.Venue's.
func (b *inbox) Submit(order gate.Approved) { b.put(func(v router.Venue) { v.Submit(order) }) }

// Cancel is router.Venue's.
func (b *inbox) Cancel(cancel router.Cancel) { b.put(func(v router.Venue) { v.Cancel(cancel) }) }

// Replace is router.Venue's.
func (b *inbox) Replace(replace router.Replace) { b.put(func(v router.Venue) { v.Replace(replace) }) }

// Capabilities is router.Venue's.
func (b *inbox) Capabilities() router.Capabilities { return b.has }

func (b *inbox) put(deliver func(router.Venue)) {
	b.mu.Lock()
	b.waiting = append(b.waiting, deliver)
	b.mu.Unlock()
	select {
	case b.arrived <- struct{}{}:
	default:
	}
}

func (b *inbox) take() []func(router.Venue) {
	b.mu.Lock()
	defer b.mu.Unlock()
	waiting := b.waiting
	b.waiting = nil
	return waiting
}
