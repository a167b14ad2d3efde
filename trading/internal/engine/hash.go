package engine

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"slices"
	"strings"
)

// StateHash is SHA-256 over the whole state in a fixed order. Two engines with the same hash answer
// every further event alike.
func (e *Engine) StateHash() [sha256.Size]byte {
	h := hasher{hash: sha256.New()}
	h.uint(e.sequence)
	h.int(e.now)
	h.limits(&e.limits)
	h.uint(uint64(len(e.instruments)))
	for _, id := range sortedKeys(e.instruments) {
		h.instrument(e.instruments[id])
	}
	h.uint(uint64(len(e.accounts)))
	for _, name := range sortedKeys(e.accounts) {
		h.account(e.accounts[name])
	}
	h.uint(uint64(len(e.orders)))
	for _, id := range sortedKeys(e.orders) {
		order := e.orders[id]
		h.order(order)
		h.bool(e.names[orderName{order.NewOrder.Account, order.NewOrder.ClOrdID}] == order)
	}
	h.execs(e.execs)
	return [sha256.Size]byte(h.hash.Sum(nil))
}

// hasher writes values so that different states never write the same bytes: numbers have a fixed
// width, strings and lists their length before them.
type hasher struct {
	hash hash.Hash
	word [8]byte
}

func (h *hasher) uint(v uint64) {
	binary.LittleEndian.PutUint64(h.word[:], v)
	h.hash.Write(h.word[:])
}

func (h *hasher) int(v int64) { h.uint(uint64(v)) }

func (h *hasher) bool(v bool) {
	if v {
		h.uint(1)
	} else {
		h.uint(0)
	}
}

func (h *hasher) string(s string) {
	h.uint(uint64(len(s)))
	h.hash.Write([]byte(s))
}

func (h *hasher) amount(a Amount) {
	h.int(a.hi)
	h.uint(a.lo)
}

func (h *hasher) decimal(d *Decimal) {
	h.bool(d != nil)
	if d != nil {
		h.int(d.Mantissa)
		h.uint(uint64(d.Scale))
	}
}

func (h *hasher) limits(l *RiskLimits) {
	h.uint(l.Version)
	h.uint(uint64(l.MarketOrderBandBps))
	h.uint(uint64(len(l.Limits)))
	for _, limit := range l.Limits {
		h.string(limit.Account)
		h.string(limit.InstrumentID)
		h.decimal(limit.MaxOrderQty)
		h.decimal(limit.MaxOrderNotional)
		h.decimal(limit.MaxPositionQty)
	}
}

func (h *hasher) instrument(i *instrument) {
	h.string(i.InstrumentID)
	h.uint(uint64(i.Version))
	h.uint(uint64(i.Class))
	h.string(i.BaseCurrency)
	h.string(i.QuoteCurrency)
	h.uint(uint64(i.PriceScale))
	h.uint(uint64(i.QtyScale))
	h.int(i.PriceIncrement)
	h.int(i.QtyIncrement)
	h.int(i.MinQty)
	h.int(i.MaxQty)
	h.decimal(&i.Multiplier)
	h.decimal(&i.MakerFeeRatio)
	h.decimal(&i.TakerFeeRatio)
	h.bool(i.AllowNegativePrice)
	h.bool(i.hasMark)
	h.int(i.markPx)
}

func (h *hasher) account(a *account) {
	h.string(a.name)
	h.bool(a.opened)
	h.string(a.baseCurrency)
	h.uint(a.lastReport)
	h.uint(uint64(len(a.cash)))
	for _, currency := range sortedKeys(a.cash) {
		h.string(currency)
		h.amount(a.cash[currency])
	}
	h.uint(uint64(len(a.positions)))
	for _, id := range sortedKeys(a.positions) {
		p := a.positions[id]
		h.string(id)
		h.int(p.netQty)
		h.amount(p.cost)
		h.amount(p.realized)
		h.amount(p.fees)
	}
}

func (h *hasher) order(o *Order) {
	h.uint(o.OrderID)
	h.newOrder(&o.NewOrder)
	h.string(o.VenueOrderID)
	h.int(o.CumQty)
	h.amount(o.CumNotional)
	h.uint(uint64(o.OrdRejReason))
	h.uint(uint64(o.RejectedBy))
	h.string(o.Text)
	h.failures(o.CheckFailures)
	h.uint(uint64(o.closed))
	h.bool(o.acknowledged)
	h.bool(o.pendingCancel)
	h.lastReport(&o.LastReport)
}

func (h *hasher) newOrder(o *NewOrder) {
	h.string(o.ClOrdID)
	h.string(o.Account)
	h.string(o.StrategyID)
	h.string(o.InstrumentID)
	h.uint(uint64(o.Side))
	h.uint(uint64(o.OrdType))
	h.uint(uint64(o.TimeInForce))
	h.int(o.OrderQty)
	h.bool(o.HasPrice)
	h.int(o.Price)
}

func (h *hasher) failures(failures []CheckFailure) {
	h.uint(uint64(len(failures)))
	for _, f := range failures {
		h.uint(uint64(f.OrdRejReason))
		h.string(f.Scope)
		h.string(f.RiskLimit)
		h.string(f.Value)
	}
}

// lastReport writes what the order itself does not hold.
func (h *hasher) lastReport(r *ExecutionReport) {
	h.uint(r.Sequence)
	h.uint(r.PrevSequence)
	h.int(r.TransactTime)
	h.string(r.ExecID)
	h.uint(uint64(r.ExecType))
	h.uint(uint64(r.OrdStatus))
	h.int(r.LastQty)
	h.int(r.LastPx)
	h.uint(uint64(r.LastLiquidityInd))
	h.string(r.Commission.Currency)
	h.amount(r.Commission.Amount)
	h.uint(uint64(r.CxlRejReason))
	h.string(r.Text)
}

func (h *hasher) execs(execs map[execName]struct{}) {
	sorted := make([]execName, 0, len(execs))
	for exec := range execs {
		sorted = append(sorted, exec)
	}
	slices.SortFunc(sorted, func(a, b execName) int {
		if c := strings.Compare(a.venue, b.venue); c != 0 {
			return c
		}
		return strings.Compare(a.execID, b.execID)
	})
	h.uint(uint64(len(sorted)))
	for _, exec := range sorted {
		h.string(exec.venue)
		h.string(exec.execID)
	}
}
