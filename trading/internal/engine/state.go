package engine

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"io"
	"slices"
)

// stateVersion changes when the same state is written in other bytes.
const stateVersion = 9

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
	if walkUint(w, &version); version != stateVersion {
		w.fault(fmt.Errorf("version: must be %d, got %d", stateVersion, version))
	}
	walkUint(w, &e.sequence)
	walkInt(w, &e.now)
	walkLimits(w, &e.limits)
	walkRates(w, e.fx)
	walkOptional(w, &e.model, walkModel)
	walkMap(w, &e.instruments, walkString, walkInstrument)
	walkMap(w, &e.accounts, walkString, e.walkAccount)
	e.walkOrders(w)
	checkKeys(w, e.instruments, func(i *instrument) string { return i.InstrumentID })
	checkKeys(w, e.accounts, func(a *account) string { return a.name })
	e.walkLists(w)
	walkSlice(w, &e.states, walkTradingState)
	walkSlice(w, &e.kills, walkKillSwitch)
	walkMap(w, &e.sessions, walkString, walkInt)
	for _, name := range sortedKeys(e.accounts) {
		e.walkNames(w, e.accounts[name])
	}
	if w.reads() && !failed(w) {
		e.indexAll()
	}
}

// indexAll fills what follows from orders and names.
func (e *Engine) indexAll() {
	for _, order := range byID(&e.orders) {
		order.account.orders = append(order.account.orders, order)
		if order.Open() {
			e.index(order)
		} else {
			e.forgetLater(forgettable{at: order.closedAt, order: order})
		}
	}
	for _, account := range e.accounts {
		for name, n := range account.names {
			switch {
			case n.request == nil: // the order's own
			case n.request.concerns != nil:
				n.request.concerns.names = append(n.request.concerns.names, name)
			case n.request.list == nil:
				e.forgetLater(forgettable{at: n.request.at, name: &nameOfAccount{account, name}})
			}
		}
	}
	slices.SortStableFunc(e.forgettable, func(a, b forgettable) int { return cmp.Compare(a.at, b.at) })
}

func walkAmount(w walker, a *Amount) {
	walkInt(w, &a.hi)
	walkUint(w, &a.lo)
	if _, err := a.checked(); err != nil {
		w.fault(err)
	}
}

func walkMoney(w walker, m *Money) {
	walkString(w, &m.Currency)
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
	walkUint(w, &l.Version)
	walkSmall(w, &l.MarketOrderBandBps)
	walkSlice(w, &l.Limits, walkRiskLimit)
}

// walkRiskLimit walks the limits of one scope.
func walkRiskLimit(w walker, l *RiskLimit) {
	walkString(w, &l.Account)
	walkString(w, &l.StrategyID)
	walkString(w, &l.InstrumentID)
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
	walkString(w, &i.InstrumentID)
	walkSmall(w, &i.Version)
	walkSmall(w, &i.Class)
	walkString(w, &i.BaseCurrency)
	walkString(w, &i.QuoteCurrency)
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
	walkInt(w, &i.markTime)
	if !w.reads() || failed(w) {
		return
	}
	// What is computed from a definition is computed again.
	complete, err := newInstrument(&i.Instrument)
	if err != nil {
		w.fault(err)
		return
	}
	complete.markPx, complete.hasMark, complete.markTime = i.markPx, i.hasMark, i.markTime
	*value = complete
}

func (e *Engine) walkAccount(w walker, value **account) {
	if w.reads() {
		*value = newAccount()
	}
	a := *value
	walkString(w, &a.name)
	walkBool(w, &a.opened)
	walkString(w, &a.baseCurrency)
	walkUint(w, &a.lastReport)
	names := uint64(len(a.names))
	if walkUint(w, &names); w.reads() {
		a.names = make(map[string]named, w.atMost(names))
	}
	walkMap(w, &a.cash, walkString, walkAmount)
	walkMap(w, &a.positions, walkString, e.walkPosition)
	checkKeys(w, a.positions, func(p *position) string { return p.instrument.InstrumentID })
}

// walkInstrumentOf walks a reference to a definition; none is the empty id.
func (e *Engine) walkInstrumentOf(w walker, i **instrument) {
	var id string
	if *i != nil {
		id = (*i).InstrumentID
	}
	if walkString(w, &id); w.reads() && id != "" {
		if *i = e.instruments[id]; *i == nil {
			w.fault(fmt.Errorf("instrument_id: unknown instrument %q", id))
		}
	}
}
