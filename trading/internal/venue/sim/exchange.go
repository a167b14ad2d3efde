package sim

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
)

// Exchange is the books of several instruments.
type Exchange struct{ books []*Book }

// NewExchange makes an exchange with one empty book an instrument.
func NewExchange(instruments, maxOrders int) *Exchange {
	e := &Exchange{}
	for i := range instruments {
		e.books = append(e.books, NewBook(uint32(i), maxOrders))
	}
	return e
}

// Book returns the book of an instrument, or nil when there is none.
func (e *Exchange) Book(instrument uint32) *Book {
	if int(instrument) >= len(e.books) {
		return nil
	}
	return e.books[instrument]
}

// Hash is the SHA-256 of everything that the books' future depends on, in a fixed order.
func (e *Exchange) Hash() [sha256.Size]byte {
	sum := sha256.New()
	for _, b := range e.books {
		b.hash(sum)
	}
	return [sha256.Size]byte(sum.Sum(nil))
}

// Hash is the SHA-256 of everything that the book's future depends on, in a fixed order.
func (b *Book) Hash() [sha256.Size]byte {
	sum := sha256.New()
	b.hash(sum)
	return [sha256.Size]byte(sum.Sum(nil))
}

func (b *Book) hash(sum hash.Hash) {
	var flags int64
	if b.traded {
		flags |= 1
	}
	if b.halted {
		flags |= 2
	}
	write(sum, int64(b.instrument), b.now, b.lastPx, flags, int64(b.open))
	for i := range b.sides {
		b.hashLadder(sum, &b.sides[i], i == sideIndex(Sell))
		b.hashLadder(sum, &b.stops[i], i == sideIndex(Buy))
	}
}

// hashLadder writes all orders of a ladder in their priority.
func (b *Book) hashLadder(sum hash.Hash, prices *ladder, up bool) {
	price, index, ok := prices.highest()
	if up {
		price, index, ok = prices.lowest()
	}
	for ok {
		for slot := b.levels[index].head; slot != none; slot = b.orders[slot].next {
			o, t := &b.orders[slot], b.termsOf(slot)
			write(sum, int64(b.id(slot)), int64(o.owner), int64(o.side), int64(o.ordType), int64(o.tif), int64(o.stp),
				o.price, t.stopPx, o.leaves, o.shown, t.display, o.cum, t.expireTime)
		}
		price, index, ok = prices.after(price, up)
	}
}

func write(sum hash.Hash, values ...int64) {
	var buffer [8]byte
	for _, v := range values {
		binary.LittleEndian.PutUint64(buffer[:], uint64(v))
		sum.Write(buffer[:])
	}
}
