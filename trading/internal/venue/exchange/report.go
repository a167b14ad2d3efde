package exchange

import (
	"math"
	"strconv"

	"google.golang.org/protobuf/proto"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/contract"
	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/venue/sim"
)

var reasons = map[sim.Reason]breach{
	sim.InvalidField:    {pb.OrdRejReason_ORD_REJ_REASON_INVALID_FIELD, "display_qty, exec_insts, time_in_force: do not go together"},
	sim.InvalidQty:      {pb.OrdRejReason_ORD_REJ_REASON_INVALID_QTY, "order_qty: is out of range"},
	sim.InvalidPrice:    {pb.OrdRejReason_ORD_REJ_REASON_INVALID_PRICE, "price, stop_px: is out of range"},
	sim.WouldTake:       {pb.OrdRejReason_ORD_REJ_REASON_VENUE, "exec_insts: a post-only order would take liquidity"},
	sim.Halted:          {pb.OrdRejReason_ORD_REJ_REASON_VENUE, "instrument_id: trading is halted"},
	sim.BookFull:        {pb.OrdRejReason_ORD_REJ_REASON_VENUE, "instrument_id: the book is full"},
	sim.AlreadyExpired:  {pb.OrdRejReason_ORD_REJ_REASON_INVALID_FIELD, "expire_time_ns: must be after now"},
	sim.TooLateToReduce: {pb.OrdRejReason_ORD_REJ_REASON_INVALID_QTY, "order_qty: is filled already"},
	sim.NoLiquidity:     {pb.OrdRejReason_ORD_REJ_REASON_VENUE, "time_in_force: not filled at the first chance"},
	sim.SelfTrade:       {pb.OrdRejReason_ORD_REJ_REASON_VENUE, "self_trade_prevention: would trade with the same account"},
}

func refusal(reason sim.Reason) *breach {
	if b, known := reasons[reason]; known {
		return &b
	}
	return &breach{reason: pb.OrdRejReason_ORD_REJ_REASON_VENUE}
}

// follow books and reports what the matching engine did.
func (x *Exchange) follow(b *book, events []sim.Event) {
	for i := range events {
		e := &events[i]
		o := b.orders[e.OrderID]
		if o == nil {
			continue // StateChanged
		}
		b.market.touch(o.limit)
		// A replace that only lowers the quantity keeps its place.
		b.ordersFeed.touch(o, e.Kind == sim.Refreshed || e.Kind == sim.Replaced && e.Leaves >= o.leaves)
		if resting := b.orders[e.RestingID]; e.Kind == sim.Traded && resting != nil {
			b.ordersFeed.touch(resting, false)
		}
		switch e.Kind {
		case sim.Accepted:
			o.status = pb.OrdStatus_ORD_STATUS_NEW
			x.report(o, pb.ExecType_EXEC_TYPE_NEW, "")
		case sim.Traded:
			x.trade(b, e, o, b.orders[e.RestingID])
		case sim.Replaced:
			o.leaves = e.Leaves
			x.report(o, pb.ExecType_EXEC_TYPE_REPLACED, "")
		case sim.Triggered:
			x.report(o, pb.ExecType_EXEC_TYPE_TRIGGERED, "")
		case sim.Canceled:
			x.end(o, pb.OrdStatus_ORD_STATUS_CANCELED, pb.ExecType_EXEC_TYPE_CANCELED, refusal(e.Reason).text)
		case sim.Expired:
			x.end(o, pb.OrdStatus_ORD_STATUS_EXPIRED, pb.ExecType_EXEC_TYPE_EXPIRED, "")
		}
	}
	x.publish(b)
	x.publishOrders(b)
}

func (x *Exchange) end(o *order, status pb.OrdStatus, execType pb.ExecType, text string) {
	o.leaves, o.status = 0, status
	x.close(o)
	x.report(o, execType, text)
}

func (x *Exchange) trade(b *book, e *sim.Event, taker, maker *order) {
	x.printed(b, e, taker)
	x.trades = append(x.trades, &trade{first: x.sequence + 1, taker: taker, maker: maker, qty: e.Qty, px: e.Price})
	x.fill(taker, e.Qty, e.Price, pb.LiquidityInd_LIQUIDITY_IND_REMOVED, b.instrument.TakerFeeRatio)
	x.fill(maker, e.Qty, e.Price, pb.LiquidityInd_LIQUIDITY_IND_ADDED, b.instrument.MakerFeeRatio)
}

// fill moves money and asset of one side of a trade.
func (x *Exchange) fill(o *order, qty, price int64, liquidity pb.LiquidityInd, ratio engine.Decimal) {
	i := &o.book.instrument
	notional, err := engine.Notional(i, qty, price)
	if err != nil {
		x.fail(err)
		return
	}
	fee, err := engine.Fee(notional, ratio)
	if err != nil {
		x.fail(err)
		return
	}
	base, err := Quantity(i, qty)
	if err != nil {
		x.fail(err)
		return
	}
	total := o.account.total
	if o.buys() {
		x.add(total, i.BaseCurrency, base)
		x.sub(total, i.QuoteCurrency, notional)
	} else {
		x.sub(total, i.BaseCurrency, base)
		x.add(total, i.QuoteCurrency, notional)
	}
	x.sub(total, i.QuoteCurrency, fee)
	x.add(x.fees, i.QuoteCurrency, fee)
	o.leaves, o.cum, o.paid = o.leaves-qty, o.cum+qty, o.paid+float64(qty)*float64(price)
	if o.notional, err = o.notional.Add(notional); err != nil {
		x.fail(err)
	}
	x.filled(o)
	r := x.report(o, pb.ExecType_EXEC_TYPE_TRADE, "")
	r.LastQty, r.LastPx, r.LastLiquidityInd = qty, price, liquidity
	r.Commission = contract.EncodeMoney(engine.Money{Currency: i.QuoteCurrency, Amount: fee})
	o.account.fills = append(o.account.fills, r)
}

// filled holds what is still needed after a fill.
func (x *Exchange) filled(o *order) {
	if o.leaves == 0 {
		o.status = o.complete()
		x.close(o)
		return
	}
	o.status = pb.OrdStatus_ORD_STATUS_PARTIALLY_FILLED
	want, err := reserve(&o.book.instrument, o.asked.GetSide(), o.leaves, o.limit)
	if err != nil {
		x.fail(err)
		return
	}
	x.hold(o, want)
}

// report tells the order's account what happened to it.
func (x *Exchange) report(o *order, execType pb.ExecType, text string) *pb.ExecutionReport {
	r := x.draft(o.asked, execType, text)
	r.VenueOrderId = strconv.FormatUint(o.number, 10)
	r.OrdStatus, r.CumQty, r.LeavesQty = o.status, o.cum, o.leaves
	if o.cum > 0 {
		r.CumNotional = contract.EncodeMoney(engine.Money{Currency: o.book.instrument.QuoteCurrency, Amount: o.notional})
		r.AvgPx = o.paid / float64(o.cum) / math.Pow10(int(o.book.instrument.PriceScale))
	}
	o.last = r
	x.record(o.account, r)
	return r
}

func (x *Exchange) draft(n *pb.NewOrder, execType pb.ExecType, text string) *pb.ExecutionReport {
	x.sequence++
	r := &pb.ExecutionReport{
		Sequence: x.sequence, TransactTimeNs: x.now, Account: n.GetAccount(), ClOrdId: n.GetClOrdId(), StrategyId: n.GetStrategyId(),
		ExecId: strconv.FormatUint(x.sequence, 10), InstrumentId: n.GetInstrumentId(), Side: n.GetSide(), OrdType: n.GetOrdType(),
		TimeInForce: n.GetTimeInForce(), ExecType: execType, OrderQty: n.GetOrderQty(), Text: text,
	}
	if n.Price != nil {
		r.Price = proto.Int64(n.GetPrice())
	}
	return r
}

func (x *Exchange) record(a *account, r *pb.ExecutionReport) {
	if n := len(a.reports); n > 0 {
		r.PrevSequence = a.reports[n-1].GetSequence()
	}
	a.reports = append(a.reports, r)
	x.send(r)
}

func (x *Exchange) send(r *pb.ExecutionReport) {
	x.reports.push(x.now+x.config.ReportLatency.sample(x.down), r)
}

// reject ends an order that never worked.
func (x *Exchange) reject(o *order, b *breach) {
	o.leaves, o.status = 0, pb.OrdStatus_ORD_STATUS_REJECTED
	r := x.report(o, pb.ExecType_EXEC_TYPE_REJECTED, b.text)
	r.OrdRejReason, r.RejectedBy = b.reason, pb.RejectedBy_REJECTED_BY_VENUE
}

// refuse answers for an order that does not come to be: its account or its name is not its own.
func (x *Exchange) refuse(n *pb.NewOrder, b *breach) {
	r := x.draft(known(n), pb.ExecType_EXEC_TYPE_REJECTED, b.text)
	r.OrdStatus, r.OrdRejReason, r.RejectedBy = pb.OrdStatus_ORD_STATUS_REJECTED, b.reason, pb.RejectedBy_REJECTED_BY_VENUE
	if a := x.accounts[n.GetAccount()]; a != nil {
		x.record(a, r)
		return
	}
	x.send(r)
}

// cancelRejected answers a cancel or replace, named request, that changes nothing.
func (x *Exchange) cancelRejected(a *account, request string, o *order, reason pb.CxlRejReason, text string) {
	n := &pb.NewOrder{Account: a.name}
	if o != nil {
		n = proto.CloneOf(o.asked)
	}
	n.ClOrdId = request
	r := x.draft(n, pb.ExecType_EXEC_TYPE_CANCEL_REJECTED, text)
	r.CxlRejReason, r.RejectedBy = reason, pb.RejectedBy_REJECTED_BY_VENUE
	if o != nil {
		r.VenueOrderId, r.OrdStatus = strconv.FormatUint(o.number, 10), o.status
		r.CumQty, r.LeavesQty = o.cum, o.leaves
	}
	x.record(a, r)
}
