package journal

import (
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"aetherion/trading/internal/engine"
)

// appendHot appends the two kinds of events that a journal is full of, an order and a venue's report, without the
// messages in between: the same bytes in a third of the time, and nothing to be collected. It leaves to encode
// whatever else there is.
func appendHot(to []byte, event *engine.Event) (encoded []byte, done bool) {
	w := wire{to: to}
	w.number(1, event.Sequence)
	w.number(2, uint64(event.TransactTime))
	switch input := event.Input.(type) {
	case *engine.OrderDecision:
		if len(input.CheckFailures) > 0 {
			return to, false
		}
		w.message(3, func() { w.orderDecision(input) })
	case *engine.VenueReport:
		w.message(5, func() { w.venueReport(input) })
	default:
		return to, false
	}
	if w.invalid {
		return to, false
	}
	return w.to, true
}

func (w *wire) orderDecision(d *engine.OrderDecision) {
	w.message(1, func() { w.newOrder(&d.NewOrder) })
	w.flag(2, d.Approved)
	w.number(3, uint64(d.OrdRejReason))
	w.number(4, uint64(d.RejectedBy))
	w.text(5, d.Text)
	w.text(7, d.SessionID)
}

func (w *wire) newOrder(o *engine.NewOrder) {
	w.text(1, o.ClOrdID)
	w.text(2, o.Account)
	w.text(3, o.StrategyID)
	w.text(4, o.InstrumentID)
	w.number(5, uint64(o.Side))
	w.number(6, uint64(o.OrdType))
	w.number(7, uint64(o.TimeInForce))
	w.number(8, uint64(o.OrderQty))
	w.optional(9, o.Price, o.HasPrice)
	w.optional(10, o.StopPx, o.HasStopPx)
	w.number(11, uint64(o.DisplayQty))
	w.number(12, uint64(o.ExpireTime))
	if o.ExecInsts != 0 {
		w.message(13, func() { w.execInsts(o.ExecInsts) })
	}
	w.number(14, uint64(o.STP))
	w.number(15, uint64(o.TrailingAmount))
	w.number(16, uint64(o.TrailingBps))
}

// execInsts are packed: numbers without tags.
func (w *wire) execInsts(insts engine.ExecInst) {
	for inst := range uint64(8) {
		if insts&(1<<inst) != 0 {
			w.to = protowire.AppendVarint(w.to, inst)
		}
	}
}

func (w *wire) venueReport(r *engine.VenueReport) {
	w.text(1, r.Venue)
	w.number(2, r.OrderID)
	w.text(3, r.VenueOrderID)
	w.text(4, r.ExecID)
	w.number(5, uint64(r.ExecType))
	w.number(6, uint64(r.TransactTime))
	w.number(7, uint64(r.LastQty))
	w.number(8, uint64(r.LastPx))
	w.number(9, uint64(r.LastLiquidityInd))
	if r.Commission.Currency != "" {
		w.message(10, func() { w.money(&r.Commission) })
	}
	w.number(11, uint64(r.CxlRejReason))
	w.text(12, r.Text)
	w.text(13, r.ExecRefID)
	w.number(14, uint64(r.OrderQty))
	w.optional(15, r.Price, r.HasPrice)
	w.optional(16, r.StopPx, r.HasStopPx)
	w.flag(17, r.Lapsed)
}

func (w *wire) money(m *engine.Money) {
	units, attos := m.Amount.Parts()
	w.text(1, m.Currency)
	w.number(2, uint64(units))
	w.number(3, uint64(attos))
}

// wire appends the fields of a message in the order of their numbers. As in all of proto3, what is zero and not
// optional is left out.
type wire struct {
	to      []byte
	invalid bool // some text is not UTF-8
}

func (w *wire) number(field protowire.Number, v uint64) {
	if v != 0 {
		w.to = protowire.AppendVarint(protowire.AppendTag(w.to, field, protowire.VarintType), v)
	}
}

func (w *wire) optional(field protowire.Number, v int64, has bool) {
	if has {
		w.to = protowire.AppendVarint(protowire.AppendTag(w.to, field, protowire.VarintType), uint64(v))
	}
}

func (w *wire) flag(field protowire.Number, v bool) {
	w.number(field, protowire.EncodeBool(v))
}

func (w *wire) text(field protowire.Number, v string) {
	if v != "" {
		w.to = protowire.AppendString(protowire.AppendTag(w.to, field, protowire.BytesType), v)
		w.invalid = w.invalid || !utf8.ValidString(v)
	}
}

// message appends what fill does, with its length before it: mostly one byte, for which room is left.
func (w *wire) message(field protowire.Number, fill func()) {
	w.to = append(protowire.AppendTag(w.to, field, protowire.BytesType), 0)
	start := len(w.to)
	fill()
	length := len(w.to) - start
	if size := protowire.SizeVarint(uint64(length)); size > 1 {
		w.to = append(w.to, make([]byte, size-1)...)
		copy(w.to[start+size-1:], w.to[start:start+length])
	}
	protowire.AppendVarint(w.to[:start-1], uint64(length))
}
