// Package replay is the simulated venue of recorded market data: orders fill against rows that were
// recorded, by rules that never look ahead and never take more than a stated share of what was there.
//
// An order arrives at the venue at the time of its decision plus the latency. What arrives at time A
// sees every row of a time up to A before it, and can be filled by:
//   - the quote in force at A, and quotes after it;
//   - trades after A;
//   - bars that open at A or later, so that an order decided when a bar closes fills no earlier than
//     the open of the next;
//   - the depth in force at A, and later changes of it and trades, by the place in the queue
//     (package queue);
//   - the orders in the book at A, and later changes of them, by the place among them.
//
// Of an instrument's rows the finest decide: once it has orders, all its other rows only mark; once it
// has depth, its quotes and bars only mark; once it has a quote, its bars only mark and its trades fill
// resting limit orders only; once it has a trade, its bars only mark.
package replay

import (
	"cmp"
	"slices"
	"strconv"

	"aetherion/trading/internal/clock"
	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/gate"
	"aetherion/trading/internal/market"
	"aetherion/trading/internal/router"
	"aetherion/trading/internal/venue/queue"
)

// Config is what the rules depend on besides the rows.
type Config struct {
	MaxVolumeShareBps uint32       // largest share of a bar's volume or a displayed size that our orders fill, 1 to 10,000
	OrderLatency      int64        // ns from decision to arrival
	Queue             queue.Choice // what stands before an order in recorded depth; nil: queue.RiskAverse
	Since             int64        // time from which it plays on what another venue has begun; ids of the two differ. 0: the first
}

// Venue fills orders. It plays every venue of its instruments, and belongs to one goroutine.
type Venue struct {
	clock    clock.Clock
	config   Config
	books    []*book // as a row's instrument counts them
	byID     map[string]*book
	orders   engine.OrderMap[order] // that work
	inFlight []arrival              // in the order of their time
	named    uint64                 // venue order ids given out
	executed uint64                 // exec ids given out
}

// book is an instrument with the orders that work in it.
type book struct {
	instrument engine.Instrument
	venue      string
	orders     []*order // in the order of their arrival
	hasQuotes  bool
	hasTrades  bool
	bid, ask   side
	recorded   recorded // the recorded book; nil until a row of it is known
	whole      bool     // the recorded book is not in the middle of an event
	closed     bool     // some of the orders have closed and are to be dropped
}

// side is one side of the quote in force.
type side struct {
	px        int64
	available int64 // what is left for us until the next quote; 0 also when the side is empty
	there     bool
}

// order is one that is on its way or works.
type order struct {
	id           uint64
	venueOrderID string
	terms        engine.NewOrder
	book         *book
	arrival      int64
	leaves       int64
	rested       bool // a quote or the recorded book left it in the book: it adds liquidity from then on
}

// arrival is something that reaches the venue at a time: one of the three.
type arrival struct {
	time    int64
	order   *order
	replace *replace
	cancel  router.Cancel // when both are nil
}

// replace is the terms that an order is to work on.
type replace struct {
	id    uint64
	terms engine.NewOrder
}

// New is a venue for instruments in the order in which rows count them. The clock tells when an order
// is decided.
func New(clock clock.Clock, instruments []engine.Instrument, config Config) *Venue {
	v := &Venue{clock: clock, config: config, byID: map[string]*book{}}
	for _, instrument := range instruments {
		b := &book{instrument: instrument, venue: instrument.Venue()}
		v.books = append(v.books, b)
		v.byID[instrument.InstrumentID] = b
	}
	return v
}

// Submit sends an order off. It arrives later: see NextArrival.
func (v *Venue) Submit(approved gate.Approved) { v.submit(approved.OrderID(), approved.NewOrder()) }

func (v *Venue) submit(orderID uint64, terms engine.NewOrder) {
	at := v.clock.Now() + v.config.OrderLatency
	v.inFlight = append(v.inFlight, arrival{time: at, order: &order{
		id: orderID, terms: terms, book: v.byID[terms.InstrumentID], arrival: at, leaves: terms.OrderQty,
	}})
}

// Cancel sends a cancel off, which takes as long as an order and so never overtakes it.
func (v *Venue) Cancel(cancel router.Cancel) {
	v.inFlight = append(v.inFlight, arrival{time: v.clock.Now() + v.config.OrderLatency, cancel: cancel})
}

// Replace sends a change off, likewise.
func (v *Venue) Replace(r router.Replace) { v.replace(r.Approved.OrderID(), r.Approved.NewOrder()) }

func (v *Venue) replace(orderID uint64, terms engine.NewOrder) {
	v.inFlight = append(v.inFlight, arrival{time: v.clock.Now() + v.config.OrderLatency, replace: &replace{orderID, terms}})
}

// Capabilities are few: an iceberg would show nothing to rows that were recorded, and nothing of ours meets ours.
func (v *Venue) Capabilities() router.Capabilities {
	return router.Capabilities{PostOnly: true, Replace: true}
}

// Idle says that no row can cause anything: nothing works and nothing is on its way.
func (v *Venue) Idle() bool { return v.orders.Len() == 0 && len(v.inFlight) == 0 }

// NextArrival is when the next order or cancel arrives.
func (v *Venue) NextArrival() (at int64, any bool) {
	if len(v.inFlight) == 0 {
		return 0, false
	}
	return v.inFlight[0].time, true
}

// Arrive lets everything arrive that does so at the time of NextArrival.
func (v *Venue) Arrive() ([]engine.Input, error) {
	at, any := v.NextArrival()
	reports := &reports{venue: v, time: at}
	for any && v.inFlight[0].time == at {
		next := v.inFlight[0]
		v.inFlight = v.inFlight[1:]
		switch {
		case next.order != nil:
			v.arrived(next.order, reports)
		case next.replace != nil:
			v.replaceArrived(next.replace, reports)
		default:
			v.cancelArrived(next.cancel, reports)
		}
		any = len(v.inFlight) > 0
	}
	return reports.done()
}

func (v *Venue) arrived(o *order, reports *reports) {
	v.named++
	o.venueOrderID = v.name(v.named)
	v.orders.Put(o.id, o)
	o.book.orders = append(o.book.orders, o)
	reports.status(o, engine.ExecNew, "")
	o.rested = o.postOnly() && o.book.recorded == nil
	switch {
	case o.book.wouldTake(&o.terms):
		reports.close(o, engine.ExecRejected, takes)
	case o.book.recorded != nil:
		o.book.enterAll(reports)
	case o.book.hasQuotes:
		o.book.matchQuote([]*order{o}, reports)
	}
	v.drop(o.book)
}

func (v *Venue) cancelArrived(cancel router.Cancel, reports *reports) {
	o := v.orders.Get(cancel.OrderID)
	if o == nil {
		reports.cancelRejected(cancel, v.byID[cancel.InstrumentID].venue)
		return
	}
	reports.close(o, engine.ExecCanceled, "")
	v.drop(o.book)
}

// replaceArrived changes an order. Another price, or a larger quantity, waits for what comes from now on, as a
// new order would; in a recorded book every change queues anew.
func (v *Venue) replaceArrived(replace *replace, reports *reports) {
	o, terms := v.orders.Get(replace.id), replace.terms
	if o == nil || terms.OrderQty <= o.terms.OrderQty-o.leaves || o.book.wouldTake(&terms) {
		reports.cancelRejected(router.Cancel{OrderID: replace.id}, v.byID[terms.InstrumentID].venue)
		return
	}
	keepsPlace := terms.Price == o.terms.Price && terms.OrderQty <= o.terms.OrderQty
	o.leaves += terms.OrderQty - o.terms.OrderQty
	o.terms = terms
	reports.replaced(o)
	b := o.book
	if !keepsPlace {
		o.arrival, o.rested = reports.time, o.postOnly()
	}
	switch {
	case b.recorded != nil:
		b.recorded.CancelOurs(o.id)
		o.rested = false
		b.enterAll(reports)
	case b.hasQuotes && !keepsPlace:
		b.matchQuote([]*order{o}, reports)
	}
	v.drop(b)
}

// Row takes the next row: it fills what it can.
func (v *Venue) Row(row *market.Row) ([]engine.Input, error) {
	b := v.books[row.Instrument]
	reports := &reports{venue: v, time: row.TransactTime}
	switch {
	case row.Kind == market.BookOrder:
		b.setOrder(row, v.config, reports)
	case row.Kind == market.BookLevel:
		b.setLevel(row, v.config, reports)
	case b.recorded != nil && row.Kind == market.Trade:
		b.tradeDepth(row, reports)
	case b.recorded != nil:
	case row.Kind == market.Quote:
		b.setQuote(row, v.config.MaxVolumeShareBps)
		b.matchQuote(b.orders, reports)
	case row.Kind == market.Trade:
		b.hasTrades = true
		b.matchTrade(row, v.share(b, row.TradeQty), reports)
	case row.Kind == market.Bar:
		b.matchBar(row, v.share(b, row.Volume), reports)
	}
	v.drop(b)
	return reports.done()
}

// Quiet says that a row will cause no report, whatever rows come before it that are quiet too. It
// changes nothing. It may say no without need, and never yes.
func (v *Venue) Quiet(row *market.Row) bool {
	b := v.books[row.Instrument]
	if len(b.orders) == 0 {
		return true
	}
	if row.Kind == market.BookLevel || row.Kind == market.BookOrder || b.recorded != nil {
		return b.recordedQuiet(row)
	}
	switch row.Kind {
	case market.Quote:
		quoted := book{instrument: b.instrument}
		quoted.setQuote(row, v.config.MaxVolumeShareBps)
		return !slices.ContainsFunc(b.orders, func(o *order) bool { return quoted.opposite(o).fills(o) > 0 || o.immediate() })
	case market.Trade:
		return !slices.ContainsFunc(b.orders, func(o *order) bool { return b.tradeFills(row, o) || o.immediate() })
	}
	return b.hasQuotes || b.hasTrades || !slices.ContainsFunc(b.orders, func(o *order) bool {
		_, _, fills := o.barFills(row)
		return o.precedes(row) && (fills || o.immediate())
	})
}

// EndDay expires the DAY orders that have arrived.
func (v *Venue) EndDay(time int64) []engine.Input {
	reports := &reports{venue: v, time: time}
	for _, b := range v.books {
		for _, o := range b.orders {
			if o.terms.TimeInForce == engine.Day {
				reports.close(o, engine.ExecExpired, "time_in_force: the day is over")
			}
		}
		v.drop(b)
	}
	// A book's order is not the order of arrival across books; ids are.
	slices.SortFunc(reports.inputs, func(a, b engine.Input) int {
		return cmp.Compare(a.(*engine.VenueReport).OrderID, b.(*engine.VenueReport).OrderID)
	})
	return reports.inputs
}

// drop takes closed orders out of a book.
func (v *Venue) drop(b *book) {
	if !b.closed {
		return // No walk over all that rest for each order that arrives.
	}
	b.closed = false
	b.orders = slices.DeleteFunc(b.orders, func(o *order) bool {
		if o.leaves > 0 {
			return false
		}
		v.orders.Delete(o.id)
		if b.recorded != nil {
			b.recorded.CancelOurs(o.id)
		}
		return true
	})
}

func (v *Venue) share(b *book, qty int64) int64 {
	return share(qty, v.config.MaxVolumeShareBps, b.instrument.QtyIncrement)
}

// name is an id that no venue before this one has given.
func (v *Venue) name(n uint64) string {
	if v.config.Since == 0 {
		return strconv.FormatUint(n, 10)
	}
	return strconv.FormatInt(v.config.Since, 10) + "-" + strconv.FormatUint(n, 10)
}
