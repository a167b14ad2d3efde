package exchange

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"google.golang.org/protobuf/proto"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/venue/sim"
)

// order is an order from its first command on.
type order struct {
	number      uint64 // the venue's name for it
	asked       *pb.NewOrder
	account     *account
	book        *book
	matchingID  uint64
	limit       int64 // the worst price it may trade at; also of a market order
	leaves, cum int64
	busted      int64         // once filled, of neither leaves nor cum
	notional    engine.Amount // of all fills
	paid        float64       // price times quantity of all fills, for display
	held        engine.Amount
	status      pb.OrdStatus
	last        *pb.ExecutionReport
}

func (o *order) buys() bool { return o.asked.GetSide() == pb.Side_SIDE_BUY }

// currency is what an order pays with.
func (o *order) currency() string {
	if o.buys() {
		return o.book.instrument.QuoteCurrency
	}
	return o.book.instrument.BaseCurrency
}

func (o *order) side() sim.Side { return sim.Side(o.asked.GetSide()) }

const nsPerDay = 24 * 60 * 60 * 1_000_000_000

// submit takes a new order. A name that was used before is the same order again when it asks for the same,
// and gets that order's last report once more.
func (x *Exchange) submit(n *pb.NewOrder, refuse bool) {
	a, b := x.accounts[n.GetAccount()], x.byID[n.GetInstrumentId()]
	if a == nil {
		x.refuse(n, breaks(pb.OrdRejReason_ORD_REJ_REASON_UNKNOWN_ACCOUNT, "account: there is no account %q", n.GetAccount()))
		return
	}
	if x.repeated(a, n.GetClOrdId(), n) {
		return
	}
	x.orders++
	o := &order{number: x.orders, asked: known(n), account: a, book: b, leaves: n.GetOrderQty()}
	a.names[n.GetClOrdId()] = named{n, o}
	a.orders = append(a.orders, o)
	if b == nil {
		x.reject(o, breaks(pb.OrdRejReason_ORD_REJ_REASON_UNKNOWN_INSTRUMENT, "instrument_id: there is no instrument %q", n.GetInstrumentId()))
		return
	}
	if refuse {
		x.reject(o, breaks(pb.OrdRejReason_ORD_REJ_REASON_VENUE, "instrument_id: the venue takes no orders at the moment"))
		return
	}
	if broken := checkOrder(&b.instrument, n); broken != nil {
		x.reject(o, broken)
		return
	}
	entry, priced := x.entry(o)
	if priced {
		if broken := x.pay(o, o.leaves, o.limit); broken != nil {
			x.reject(o, broken)
			return
		}
	}
	a.open[o.number] = o
	events := b.matching.Submit(&entry)
	if len(events) == 1 && events[0].Kind == sim.Refused {
		x.close(o)
		x.reject(o, refusal(events[0].Reason))
		return
	}
	o.matchingID = events[0].OrderID
	b.orders[o.matchingID] = o
	x.follow(b, events)
}

// repeated answers for a name that is taken.
func (x *Exchange) repeated(a *account, name string, message proto.Message) bool {
	before, taken := a.names[name]
	if !taken {
		return false
	}
	if proto.Equal(before.message, message) {
		x.send(before.order.last)
		return true
	}
	text := fmt.Sprintf("cl_ord_id: %q was used before for something else", name)
	if n, isNew := message.(*pb.NewOrder); isNew {
		x.refuse(n, &breach{pb.OrdRejReason_ORD_REJ_REASON_DUPLICATE_ORDER, text})
	} else {
		x.cancelRejected(a, name, before.order, 0, text)
	}
	return true
}

// entry is an order as the matching engine takes it. Market and stop orders are limited to a band, so that what
// they may cost is known and held beforehand (CME: market and stop orders with protection). priced is false for
// a market order that meets an empty book: it costs nothing.
func (x *Exchange) entry(o *order) (entry sim.NewOrder, priced bool) {
	n := o.asked
	entry = sim.NewOrder{
		Owner: o.account.owner, Side: o.side(), Type: sim.Limit, TIF: sim.GTC, STP: preventing(n.GetSelfTradePrevention()),
		PostOnly: len(n.GetExecInsts()) > 0, Qty: n.GetOrderQty(), Price: n.GetPrice(), StopPx: n.GetStopPx(), DisplayQty: n.GetDisplayQty(),
	}
	switch n.GetTimeInForce() {
	case pb.TimeInForce_TIME_IN_FORCE_DAY:
		entry.TIF, entry.ExpireTime = sim.GTD, (x.now/nsPerDay+1)*nsPerDay
	case pb.TimeInForce_TIME_IN_FORCE_IOC:
		entry.TIF = sim.IOC
	case pb.TimeInForce_TIME_IN_FORCE_FOK:
		entry.TIF = sim.FOK
	case pb.TimeInForce_TIME_IN_FORCE_GTD:
		entry.TIF, entry.ExpireTime = sim.GTD, n.GetExpireTimeNs()
	}
	switch n.GetOrdType() {
	case pb.OrdType_ORD_TYPE_MARKET:
		if entry.TIF != sim.FOK {
			entry.TIF, entry.ExpireTime = sim.IOC, 0
		}
		best, _, there := o.book.matching.Best(sim.Buy + sim.Sell - entry.Side)
		if !there {
			entry.Type = sim.Market
			return entry, false
		}
		entry.Price = x.protect(o, best)
	case pb.OrdType_ORD_TYPE_STOP:
		entry.Type, entry.Price = sim.StopLimit, x.protect(o, n.GetStopPx())
	case pb.OrdType_ORD_TYPE_STOP_LIMIT:
		entry.Type = sim.StopLimit
	}
	o.limit = entry.Price
	return entry, true
}

// protect is the worst price within the band around one.
func (x *Exchange) protect(o *order, price int64) int64 {
	tick := o.book.instrument.PriceIncrement
	band := price / 10_000 * x.config.ProtectionBps
	band += price % 10_000 * x.config.ProtectionBps / 10_000
	if o.buys() {
		return min(price, math.MaxInt64-band-tick) + band/tick*tick
	}
	return max(price-band/tick*tick, tick)
}

func preventing(mode pb.SelfTradePrevention) sim.STPMode {
	if mode == pb.SelfTradePrevention_SELF_TRADE_PREVENTION_UNSPECIFIED {
		return sim.STPCancelNewest
	}
	return sim.STPMode(mode - pb.SelfTradePrevention_SELF_TRADE_PREVENTION_NONE)
}

// pay sets aside what an order may cost.
func (x *Exchange) pay(o *order, leaves, price int64) *breach {
	want, err := reserve(&o.book.instrument, o.asked.GetSide(), leaves, price)
	if err != nil {
		return breaks(pb.OrdRejReason_ORD_REJ_REASON_INVALID_QTY, "order_qty: %v", err)
	}
	if !o.account.affordable(o.currency(), o.held, want) {
		return breaks(pb.OrdRejReason_ORD_REJ_REASON_VENUE, "order_qty: needs %s %s, which the account has not free", want, o.currency())
	}
	x.hold(o, want)
	return nil
}

// close ends an order: nothing is held for it.
func (x *Exchange) close(o *order) {
	x.hold(o, engine.Amount{})
	delete(o.account.open, o.number)
	delete(o.book.orders, o.matchingID)
}

// replace changes an open order, which has the request's name from then on, beside its older ones.
func (x *Exchange) replace(r *pb.ReplaceOrder) {
	a := x.accounts[r.GetAccount()]
	if a == nil || x.repeated(a, r.GetClOrdId(), r) {
		return
	}
	o := a.names[r.GetOrigClOrdId()].order
	if o == nil || a.open[o.number] == nil {
		x.cancelRejected(a, r.GetClOrdId(), o, lateOrUnknown(o), "orig_cl_ord_id: no open order has that name")
		return
	}
	next, price, broken := x.revised(o, r)
	held := o.held
	if done := o.cum + o.busted; broken == nil && r.GetOrderQty() > done {
		broken = x.pay(o, r.GetOrderQty()-done, price)
	}
	if broken != nil {
		x.cancelRejected(a, r.GetClOrdId(), o, pb.CxlRejReason_CXL_REJ_REASON_REFUSED, broken.text)
		return
	}
	before := o.limit
	events := o.book.matching.Replace(&sim.Replace{
		OrderID: o.matchingID, Qty: r.GetOrderQty(), Price: price, StopPx: next.GetStopPx(),
	}, a.owner)
	if len(events) == 1 && events[0].Kind == sim.Refused {
		x.hold(o, held)
		x.cancelRejected(a, r.GetClOrdId(), o, pb.CxlRejReason_CXL_REJ_REASON_REFUSED, refusal(events[0].Reason).text)
		return
	}
	a.names[r.GetClOrdId()] = named{r, o}
	o.asked, o.limit = next, price
	o.book.market.touch(before)
	x.follow(o.book, events)
}

// revised is an order as a replace asks for it, and the price that it may trade at then.
func (x *Exchange) revised(o *order, r *pb.ReplaceOrder) (*pb.NewOrder, int64, *breach) {
	next := proto.CloneOf(o.asked)
	next.ClOrdId, next.OrderQty = r.GetClOrdId(), r.GetOrderQty()
	if r.Price != nil {
		next.Price = proto.Int64(r.GetPrice())
	}
	if r.StopPx != nil {
		next.StopPx = proto.Int64(r.GetStopPx())
	}
	broken := checkOrder(&o.book.instrument, next)
	price := next.GetPrice()
	if next.Price == nil {
		price = o.limit
		if r.StopPx != nil {
			price = x.protect(o, r.GetStopPx())
		}
	}
	return next, price, broken
}

func (x *Exchange) cancel(c *pb.CancelOrder) {
	a := x.accounts[c.GetAccount()]
	if a == nil {
		return
	}
	o := a.names[c.GetOrigClOrdId()].order
	if o == nil || a.open[o.number] == nil {
		x.cancelRejected(a, c.GetClOrdId(), o, lateOrUnknown(o), "orig_cl_ord_id: no open order has that name")
		return
	}
	x.follow(o.book, o.book.matching.Cancel(o.matchingID, a.owner))
}

func (x *Exchange) massCancel(c *pb.MassCancel) {
	a := x.accounts[c.GetAccount()]
	if a == nil {
		return
	}
	if id := c.GetInstrumentId(); id != "" && x.byID[id] == nil {
		x.cancelRejected(a, "", nil, pb.CxlRejReason_CXL_REJ_REASON_REFUSED, fmt.Sprintf("instrument_id: unknown instrument %q", id))
		return
	}
	for _, number := range slices.Sorted(maps.Keys(a.open)) {
		o := a.open[number]
		if c.GetInstrumentId() == "" || c.GetInstrumentId() == o.asked.GetInstrumentId() {
			x.follow(o.book, o.book.matching.Cancel(o.matchingID, a.owner))
		}
	}
}

func lateOrUnknown(o *order) pb.CxlRejReason {
	if o == nil {
		return pb.CxlRejReason_CXL_REJ_REASON_UNKNOWN_ORDER
	}
	return pb.CxlRejReason_CXL_REJ_REASON_TOO_LATE
}
