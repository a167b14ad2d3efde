package engine

import (
	"crypto/sha256"
	"fmt"
	"io"
	"slices"
	"strings"
)

// stateVersion changes when the same state is written in other bytes.
const stateVersion = 2

// StateHash is SHA-256 over the whole state as WriteState writes it. Two engines with the same hash
// answer every further event alike.
func (e *Engine) StateHash() [sha256.Size]byte {
	sum := sha256.New()
	// A hash takes every write.
	_ = e.WriteState(sum)
	return [sha256.Size]byte(sum.Sum(nil))
}

// WriteState writes the whole state, the same bytes for the same state. The error is the writer's.
func (e *Engine) WriteState(to io.Writer) error {
	w := &stateWriter{to: to}
	e.walk(w)
	w.flush()
	return w.err
}

// ReadState is the engine whose state was written.
func ReadState(state []byte) (*Engine, error) {
	e, r := New(), &stateReader{rest: state}
	e.walk(r)
	if r.err == nil && len(r.rest) > 0 {
		r.err = fmt.Errorf("%d bytes follow the state", len(r.rest))
	}
	if r.err != nil {
		return nil, fmt.Errorf("engine state: %w", r.err)
	}
	return e, nil
}

func (e *Engine) walk(w walker) {
	version := uint64(stateVersion)
	if w.uint(&version); version != stateVersion {
		w.fault(fmt.Errorf("version: must be %d, got %d", stateVersion, version))
	}
	w.uint(&e.sequence)
	walkInt(w, &e.now)
	walkLimits(w, &e.limits)
	walkMap(w, e.instruments, walkString, walkInstrument)
	walkMap(w, e.accounts, walkString, e.walkAccount)
	walkMap(w, e.orders, walkUint, e.walkOrder)
	e.walkExecs(w)
	if w.reads() {
		e.indexOrders()
	}
}

// indexOrders fills what follows from the orders.
func (e *Engine) indexOrders() {
	for _, id := range sortedKeys(e.orders) {
		order := e.orders[id]
		order.account.orders = append(order.account.orders, order)
		if order.Open() {
			e.open[id] = order
		}
	}
}

func walkAmount(w walker, a *Amount) {
	walkInt(w, &a.hi)
	w.uint(&a.lo)
}

func walkMoney(w walker, m *Money) {
	w.string(&m.Currency)
	walkAmount(w, &m.Amount)
}

func walkDecimal(w walker, d *Decimal) {
	walkInt(w, &d.Mantissa)
	walkSmall(w, &d.Scale)
}

func walkOptional[T any](w walker, v **T, value func(walker, *T)) {
	has := *v != nil
	if walkBool(w, &has); !has {
		return
	}
	if w.reads() {
		*v = new(T)
	}
	value(w, *v)
}

func walkLimits(w walker, l *RiskLimits) {
	w.uint(&l.Version)
	walkSmall(w, &l.MarketOrderBandBps)
	walkSlice(w, &l.Limits, walkRiskLimit)
}

// walkRiskLimit walks the limits of one scope.
func walkRiskLimit(w walker, l *RiskLimit) {
	w.string(&l.Account)
	w.string(&l.StrategyID)
	w.string(&l.InstrumentID)
	for _, flag := range []*bool{&l.NoShort, &l.Restricted, &l.PreventSelfTrade} {
		walkBool(w, flag)
	}
	for _, ceiling := range []**Decimal{
		&l.MaxOrderQty, &l.MaxOrderNotional, &l.MaxPositionQty, &l.MaxLongQty, &l.MaxShortQty, &l.StaticReferencePx, &l.MaxOpenNotional, &l.MaxGrossNotional, &l.MaxNetNotional, &l.MaxLeverage, &l.InitialMarginRatio, &l.MaxDailyNotional, &l.MaxDailyQty, &l.MaxDailyLoss, &l.MaxDrawdown, &l.MaxVar, &l.AdvQty, &l.MaxBatchNotional,
	} {
		walkOptional(w, ceiling, walkDecimal)
	}
	for _, count := range []**uint32{
		&l.StaticCollarBps, &l.PriceCollarBps, &l.MaxMarkAgeMs, &l.MaxAggressiveTicks, &l.OrderRatePerS, &l.OrderBurst, &l.DuplicateCount, &l.DuplicateWindowMs, &l.MaxOpenOrders, &l.MaxAdvShareBps, &l.MaxBatchOrders, &l.RepeatCount, &l.RepeatWindowMs, &l.MaxConsecutiveRejects, &l.MaxOrderToTradeRatio, &l.OtrWindowMs,
	} {
		walkOptional(w, count, walkSmall)
	}
}

func walkInstrument(w walker, value **instrument) {
	if w.reads() {
		*value = &instrument{}
	}
	i := *value
	w.string(&i.InstrumentID)
	walkSmall(w, &i.Version)
	walkSmall(w, &i.Class)
	w.string(&i.BaseCurrency)
	w.string(&i.QuoteCurrency)
	walkSmall(w, &i.PriceScale)
	walkSmall(w, &i.QtyScale)
	walkInt(w, &i.PriceIncrement)
	walkInt(w, &i.QtyIncrement)
	walkInt(w, &i.MinQty)
	walkInt(w, &i.MaxQty)
	walkDecimal(w, &i.Multiplier)
	walkDecimal(w, &i.MakerFeeRatio)
	walkDecimal(w, &i.TakerFeeRatio)
	walkBool(w, &i.AllowNegativePrice)
	walkInt(w, &i.ExpireTime)
	walkSlice(w, &i.TradingSessions, func(w walker, s *TradingSession) {
		walkSmall(w, &s.DayOfWeek)
		walkInt(w, &s.Start)
		walkInt(w, &s.End)
	})
	walkBool(w, &i.hasMark)
	walkInt(w, &i.markPx)
	if !w.reads() || failed(w) {
		return
	}
	// What is computed from a definition is computed again.
	complete, err := newInstrument(&i.Instrument)
	if err != nil {
		w.fault(err)
		return
	}
	complete.markPx, complete.hasMark = i.markPx, i.hasMark
	*value = complete
}

func (e *Engine) walkAccount(w walker, value **account) {
	if w.reads() {
		*value = &account{cash: map[string]Amount{}, positions: map[string]*position{}}
	}
	a := *value
	w.string(&a.name)
	walkBool(w, &a.opened)
	w.string(&a.baseCurrency)
	w.uint(&a.lastReport)
	walkMap(w, a.cash, walkString, walkAmount)
	walkMap(w, a.positions, walkString, e.walkPosition)
}

func (e *Engine) walkPosition(w walker, value **position) {
	if w.reads() {
		*value = &position{}
	}
	p := *value
	e.walkInstrumentOf(w, &p.instrument)
	walkInt(w, &p.netQty)
	walkAmount(w, &p.cost)
	walkAmount(w, &p.realized)
	walkAmount(w, &p.fees)
	if w.reads() && p.instrument == nil {
		w.fault(fmt.Errorf("a position has no instrument"))
	}
}

// walkInstrumentOf walks a reference to a definition; none is the empty id.
func (e *Engine) walkInstrumentOf(w walker, i **instrument) {
	var id string
	if *i != nil {
		id = (*i).InstrumentID
	}
	if w.string(&id); w.reads() && id != "" {
		if *i = e.instruments[id]; *i == nil {
			w.fault(fmt.Errorf("instrument_id: unknown instrument %q", id))
		}
	}
}

func (e *Engine) walkOrder(w walker, value **Order) {
	if w.reads() {
		*value = &Order{}
	}
	o := *value
	w.uint(&o.OrderID)
	walkNewOrder(w, &o.NewOrder)
	e.walkInstrumentOf(w, &o.instrument)
	w.string(&o.VenueOrderID)
	walkInt(w, &o.CumQty)
	walkAmount(w, &o.CumNotional)
	walkSmall(w, &o.OrdRejReason)
	walkSmall(w, &o.RejectedBy)
	w.string(&o.Text)
	walkSlice(w, &o.CheckFailures, walkFailure)
	walkSmall(w, &o.closed)
	walkBool(w, &o.acknowledged)
	walkBool(w, &o.pendingCancel)
	name := orderName{o.NewOrder.Account, o.NewOrder.ClOrdID}
	named := e.names[name] == o
	walkBool(w, &named)
	walkReport(w, &o.LastReport)
	if !w.reads() || failed(w) {
		return
	}
	if o.account = e.accounts[name.account]; o.account == nil {
		w.fault(fmt.Errorf("account: order %d is of unknown account %q", o.OrderID, name.account))
		return
	}
	if named {
		e.names[name] = o
	}
	o.completeLastReport()
}

func walkNewOrder(w walker, o *NewOrder) {
	w.string(&o.ClOrdID)
	w.string(&o.Account)
	w.string(&o.StrategyID)
	w.string(&o.InstrumentID)
	walkSmall(w, &o.Side)
	walkSmall(w, &o.OrdType)
	walkSmall(w, &o.TimeInForce)
	walkInt(w, &o.OrderQty)
	walkBool(w, &o.HasPrice)
	walkInt(w, &o.Price)
	walkBool(w, &o.HasStopPx)
	walkInt(w, &o.StopPx)
	walkInt(w, &o.DisplayQty)
	walkInt(w, &o.ExpireTime)
	walkSmall(w, &o.ExecInsts)
	walkSmall(w, &o.STP)
	walkInt(w, &o.TrailingAmount)
	walkSmall(w, &o.TrailingBps)
}

func walkFailure(w walker, f *CheckFailure) {
	walkSmall(w, &f.OrdRejReason)
	w.string(&f.Scope)
	w.string(&f.RiskLimit)
	w.string(&f.Value)
}

// walkReport walks what the order itself does not hold.
func walkReport(w walker, r *ExecutionReport) {
	w.uint(&r.Sequence)
	w.uint(&r.PrevSequence)
	walkInt(w, &r.TransactTime)
	w.string(&r.ExecID)
	walkSmall(w, &r.ExecType)
	walkSmall(w, &r.OrdStatus)
	walkInt(w, &r.LastQty)
	walkInt(w, &r.LastPx)
	walkSmall(w, &r.LastLiquidityInd)
	walkMoney(w, &r.Commission)
	walkSmall(w, &r.CxlRejReason)
	walkSmall(w, &r.RejectedBy)
	w.string(&r.Text)
}

// completeLastReport adds what the order holds. Nothing of it changes without a report.
func (o *Order) completeLastReport() {
	r := &o.LastReport
	r.NewOrder, r.OrderID, r.VenueOrderID = &o.NewOrder, o.OrderID, o.VenueOrderID
	r.CumQty, r.LeavesQty = o.CumQty, o.LeavesQty()
	if r.ExecType == ExecRejected {
		r.OrdRejReason, r.CheckFailures = o.OrdRejReason, o.CheckFailures
	}
	if o.instrument != nil {
		r.CumNotional = Money{o.instrument.QuoteCurrency, o.CumNotional}
		r.AvgPx = o.instrument.averagePrice(o.CumNotional, o.CumQty)
	}
}

func (e *Engine) walkExecs(w walker) {
	execs := make([]execName, 0, len(e.execs))
	for exec := range e.execs {
		execs = append(execs, exec)
	}
	slices.SortFunc(execs, func(a, b execName) int {
		if c := strings.Compare(a.venue, b.venue); c != 0 {
			return c
		}
		return strings.Compare(a.execID, b.execID)
	})
	walkSlice(w, &execs, func(w walker, exec *execName) {
		w.string(&exec.venue)
		w.string(&exec.execID)
		if w.reads() {
			e.execs[*exec] = struct{}{}
		}
	})
}
