package engine_test

import (
	"cmp"
	"fmt"
	"strings"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/router"
	"aetherion/trading/internal/sequencer"
)

// What a scenario shows, in the words of the contract.

func word(enum fmt.Stringer, prefix string) string { return strings.TrimPrefix(enum.String(), prefix) }

func status(s engine.OrdStatus) string { return word(pb.OrdStatus(s), "ORD_STATUS_") }

func exec(e engine.ExecType) string { return word(pb.ExecType(e), "EXEC_TYPE_") }

func reasons(ord engine.OrdRejReason, cxl engine.CxlRejReason, by engine.RejectedBy) string {
	var all string
	if ord != 0 {
		all += " " + word(pb.OrdRejReason(ord), "ORD_REJ_REASON_")
	}
	if cxl != 0 {
		all += " " + word(pb.CxlRejReason(cxl), "CXL_REJ_REASON_")
	}
	if by != 0 {
		all += " by " + word(pb.RejectedBy(by), "REJECTED_BY_")
	}
	return all
}

func quoted(text string) string {
	if text == "" {
		return ""
	}
	return " (" + text + ")"
}

func ackLine(label string, a *engine.CommandAck) string {
	line := fmt.Sprintf("%s %s %s", label, a.ClOrdID, exec(a.ExecType))
	if a.TotalAffectedOrders > 0 {
		line += fmt.Sprintf(" %d orders", a.TotalAffectedOrders)
	}
	return line + reasons(a.OrdRejReason, a.CxlRejReason, a.RejectedBy) + quoted(a.Text)
}

func reportLine(r *engine.ExecutionReport) string {
	line := fmt.Sprintf("%s %s: %s %d = %d + %d", cmp.Or(r.ClOrdID, r.NewOrder.ClOrdID), exec(r.ExecType), status(r.OrdStatus), r.NewOrder.OrderQty, r.CumQty, r.LeavesQty)
	if r.NewOrder.HasPrice {
		line += fmt.Sprintf(" price=%d", r.NewOrder.Price)
	}
	if r.HasStopPx {
		line += fmt.Sprintf(" stop=%d", r.StopPx)
	}
	if r.OrigClOrdID != "" {
		line += " was " + r.OrigClOrdID
	}
	return line + reasons(r.OrdRejReason, r.CxlRejReason, r.RejectedBy) + quoted(r.Text)
}

func (s *scenario) routeLine(r *router.Route) string {
	terms := func(o engine.NewOrder) string {
		line := fmt.Sprintf("%s %s %d %s", word(pb.Side(o.Side), "SIDE_"), word(pb.OrdType(o.OrdType), "ORD_TYPE_"), o.OrderQty, word(pb.TimeInForce(o.TimeInForce), "TIME_IN_FORCE_"))
		if o.HasPrice {
			line += fmt.Sprintf(" price=%d", o.Price)
		}
		return line
	}
	switch {
	case r.Cancel != nil:
		return "-> cancel " + s.engine.Order(r.Cancel.OrderID).NewOrder.ClOrdID
	case r.Replace != nil:
		return fmt.Sprintf("-> replace %s: %s", s.engine.Order(r.Replace.Approved.OrderID()).NewOrder.ClOrdID, terms(r.Replace.Approved.NewOrder()))
	case r.Approved.OrderID() == 0:
		s.t.Error("an order leaves without an approval")
		return ""
	}
	return fmt.Sprintf("-> new %s: %s", s.engine.Order(r.Approved.OrderID()).NewOrder.ClOrdID, terms(r.Approved.NewOrder()))
}

// holds says what risk was told of holds since the last time.
func (s *scenario) holds() []string {
	var lines []string
	for _, e := range s.gate.told {
		switch {
		case e.Restated != nil:
			lines = append(lines, fmt.Sprintf("risk holds %d of %s", e.Restated.LeavesQty, s.engine.Order(e.Restated.OrderID).NewOrder.ClOrdID))
		case e.Release != nil:
			lines = append(lines, "risk releases "+s.engine.Order(e.Release.OrderID).NewOrder.ClOrdID)
		}
	}
	s.gate.told = nil
	return lines
}

// teller remembers what the gate was told.
type teller struct {
	sequencer.Gate
	told []engine.PretradeEvent
}

func (g *teller) Tell(events []engine.PretradeEvent) {
	g.told = append(g.told, events...)
	g.Gate.Tell(events)
}
