package exchange

import (
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"slices"
	"sort"
	"strconv"

	"google.golang.org/protobuf/proto"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/contract"
	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/venue/sim"
)

// Known tells whether there is such an account.
func (x *Exchange) Known(name string) bool { return x.accounts[name] != nil }

// Reports are an account's reports after a sequence that have reached it by now.
func (x *Exchange) Reports(name string, after uint64) []*pb.ExecutionReport {
	a := x.accounts[name]
	if a == nil {
		return nil
	}
	first := sort.Search(len(a.reports), func(i int) bool { return a.reports[i].GetSequence() > after })
	last := sort.Search(len(a.reports), func(i int) bool { return a.reports[i].GetSequence() > x.delivered })
	return a.reports[first:max(first, last)]
}

// Orders are an account's orders after one, oldest first, at most limit.
func (x *Exchange) Orders(name string, after uint64, openOnly bool, limit int) []*pb.Order {
	var found []*pb.Order
	a := x.accounts[name]
	if a == nil {
		return nil
	}
	first := sort.Search(len(a.orders), func(i int) bool { return a.orders[i].number > after })
	for _, o := range a.orders[first:] {
		if len(found) == limit {
			break
		}
		if !openOnly || a.open[o.number] != nil {
			found = append(found, &pb.Order{NewOrder: o.asked, LastReport: o.last})
		}
	}
	return found
}

// Fills are an account's fills after one and from a time on, oldest first, at most limit.
func (x *Exchange) Fills(name string, after uint64, from int64, limit int) []*pb.ExecutionReport {
	a := x.accounts[name]
	if a == nil {
		return nil
	}
	first := sort.Search(len(a.fills), func(i int) bool {
		return a.fills[i].GetSequence() > after && a.fills[i].GetTransactTimeNs() >= from
	})
	return a.fills[first:min(len(a.fills), first+limit)]
}

// Balances are what an account has, sorted by currency.
func (x *Exchange) Balances(name string) []*pb.VenueBalance {
	a := x.accounts[name]
	if a == nil {
		return nil
	}
	var found []*pb.VenueBalance
	for _, currency := range a.total.currencies() {
		found = append(found, &pb.VenueBalance{
			Total: contract.EncodeMoney(engine.Money{Currency: currency, Amount: a.total[currency]}),
			Held:  contract.EncodeMoney(engine.Money{Currency: currency, Amount: a.held[currency]}),
		})
	}
	return found
}

// Book is what is shown of a book.
func (x *Exchange) Book(instrumentID string) (*pb.QueryBookResponse, bool) {
	b := x.byID[instrumentID]
	if b == nil {
		return nil, false
	}
	side := func(s sim.Side) (levels []*pb.BookPriceLevel) {
		b.matching.Levels(s, b.matching.Open(), func(price, qty int64, orders int) {
			levels = append(levels, &pb.BookPriceLevel{Price: price, Qty: qty, Orders: uint32(orders)})
		})
		return levels
	}
	return &pb.QueryBookResponse{Bids: side(sim.Buy), Asks: side(sim.Sell)}, true
}

// Hash is the SHA-256 of the books, the accounts and all that they were told.
func (x *Exchange) Hash() [sha256.Size]byte {
	sum := sha256.New()
	for _, b := range x.books {
		hash := b.matching.Hash()
		sum.Write(hash[:])
	}
	put := func(l ledger) {
		for _, currency := range l.currencies() {
			sum.Write([]byte(currency + " " + l[currency].String() + "\n"))
		}
	}
	put(x.fees)
	put(x.supply)
	for _, name := range slices.Sorted(maps.Keys(x.accounts)) {
		a := x.accounts[name]
		sum.Write([]byte(name + "\n"))
		put(a.total)
		put(a.held)
		for _, r := range a.reports {
			encoded, err := proto.MarshalOptions{Deterministic: true}.Marshal(r)
			if err != nil {
				x.fail(err)
			}
			sum.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(encoded))))
			sum.Write(encoded)
		}
		sum.Write([]byte(strconv.Itoa(len(a.open))))
	}
	return [sha256.Size]byte(sum.Sum(nil))
}

// Accounts are the names of all accounts, sorted.
func (x *Exchange) Accounts() []string { return slices.Sorted(maps.Keys(x.accounts)) }

// Through is what an order of the other side has to ask for to fill an open order that has no trigger, named:
// all that is shown up to its price.
func (x *Exchange) Through(account, name string) (n *pb.NewOrder, qty, price int64) {
	a := x.accounts[account]
	if a == nil {
		return nil, 0, 0
	}
	o := a.names[name].order
	if o == nil || a.open[o.number] == nil || o.asked.StopPx != nil {
		return nil, 0, 0
	}
	own := o.side()
	o.book.matching.Levels(own, o.book.matching.Open(), func(at, shown int64, _ int) {
		if own == sim.Buy && at >= o.limit || own == sim.Sell && at <= o.limit {
			qty += shown
		}
	})
	return o.asked, qty, o.limit
}
