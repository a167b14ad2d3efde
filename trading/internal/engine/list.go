package engine

import (
	"fmt"
	"slices"
)

// list is a set of orders that depend on each other.
type list struct {
	listID          string
	contingencyType ContingencyType
	approved        bool
	sequence        uint64
	orders          []*Order
	named           bool // its list_id was not used before
}

// first is the order that the others of a OTO or a BRACKET wait for.
func (l *list) first() *Order { return l.orders[0] }

// chains says whether the others wait for the first.
func (l *list) chains() bool { return l.contingencyType == OTO || l.contingencyType == Bracket }

// holds says whether an order begins its life waiting for another one.
func (l *list) holds(order *Order) bool { return l != nil && l.chains() && order != l.first() }

// allClosed says whether all orders closed at that time or before; so does no list.
func (l *list) allClosed(by int64) bool {
	return l == nil || !slices.ContainsFunc(l.orders, func(o *Order) bool { return o.Open() || o.closedAt > by })
}

func (l *list) others(order *Order) []*Order {
	var others []*Order
	for _, o := range l.orders {
		if o != order {
			others = append(others, o)
		}
	}
	return others
}

// outcome is the answer to the command that brought the list.
func (l *list) outcome() CommandAck {
	ack := CommandAck{Account: l.first().NewOrder.Account, ClOrdID: l.listID, Sequence: l.sequence}
	for _, order := range l.orders {
		ack.ListAcks = append(ack.ListAcks, order.Outcome())
	}
	// Of the first order that was at fault itself.
	for i := range ack.ListAcks {
		a := &ack.ListAcks[i]
		if a.ExecType == ExecRejected && (ack.OrdRejReason == 0 || ack.OrdRejReason == RejList) {
			ack.OrdRejReason, ack.RejectedBy, ack.Text, ack.CheckFailures = a.OrdRejReason, a.RejectedBy, a.Text, a.CheckFailures
		}
	}
	ack.ExecType, ack.OrdStatus = ExecPendingNew, StatusPendingNew
	if !l.approved {
		ack.ExecType, ack.OrdStatus = ExecRejected, StatusRejected
	}
	return ack
}

// asked says whether a list is the one that was asked for.
func (l *list) asked(r *NewOrderList) bool {
	return l.first().NewOrder.Account == r.Account && l.contingencyType == r.ContingencyType &&
		slices.EqualFunc(l.orders, r.Orders, func(o *Order, n NewOrder) bool { return o.NewOrder == n })
}

func (e *Engine) applyList(event *Event, decision *OrderListDecision, effects *Effects) error {
	if err := e.checkList(event, decision); err != nil {
		return err
	}
	l := &list{listID: decision.List.ListID, contingencyType: decision.List.ContingencyType, approved: decision.Approved, sequence: event.Sequence}
	for i := range decision.List.Orders {
		order := e.newOrder(event, OrderID(event.Sequence, i), &decision.List.Orders[i], decision.SessionID)
		order.list = l
		l.orders = append(l.orders, order)
	}
	names := l.first().account.names
	if _, used := names[l.listID]; !used && ValidClOrdID(l.listID) {
		names[l.listID], l.named = named{request: &request{list: l}}, true
	}
	for i, order := range l.orders {
		if decision.Approved {
			e.admit(event, order, effects)
		} else {
			e.refuseOrder(event, order, &decision.Decisions[i], effects)
		}
	}
	effects.Ack = l.outcome()
	return nil
}

// checkList holds what the sequencer has checked already.
func (e *Engine) checkList(event *Event, decision *OrderListDecision) error {
	if n := len(decision.List.Orders); n < 1 || n > MaxListOrders {
		return fmt.Errorf("orders: must be 1 to %d, got %d", MaxListOrders, n)
	}
	if !decision.Approved {
		if len(decision.Decisions) != len(decision.List.Orders) {
			return fmt.Errorf("decisions: must be one an order, %d, got %d", len(decision.List.Orders), len(decision.Decisions))
		}
		for i := range decision.Decisions {
			if err := decision.Decisions[i].checkRefused(); err != nil {
				return fmt.Errorf("decisions[%d].%w", i, err)
			}
		}
		return nil
	}
	for i, refusal := range e.ValidateList(&decision.List, event.TransactTime) {
		if refusal != nil {
			return fmt.Errorf("approved list is not valid: orders[%d].%s", i, refusal.Text)
		}
	}
	return nil
}

// ValidateList holds a list against the definitions, and its orders' names against those that were used;
// one answer an order, nil is valid.
func (e *Engine) ValidateList(l *NewOrderList, now int64) []*Refusal {
	refusals := make([]*Refusal, len(l.Orders))
	if refusal := e.validateListItself(l); refusal != nil {
		for i := range refusals {
			refusals[i] = refusal
		}
		return refusals
	}
	for i := range l.Orders {
		order := &l.Orders[i]
		if refusals[i] = l.validateMember(i); refusals[i] != nil {
			continue
		}
		if _, used := e.namesOf(l.Account)[order.ClOrdID]; used {
			refusals[i] = refuse(RejDuplicateOrder, "cl_ord_id: %q was used before", order.ClOrdID)
			continue
		}
		// What waits for the first order reduces the position that it will make.
		refusals[i] = e.validate(order, now, i > 0 && (l.ContingencyType == OTO || l.ContingencyType == Bracket))
	}
	return refusals
}

func (e *Engine) validateListItself(l *NewOrderList) *Refusal {
	_, used := e.namesOf(l.Account)[l.ListID]
	switch {
	case !ValidClOrdID(l.ListID):
		return refuse(RejInvalidField, "list_id: must be 1 to 64 printable ASCII characters, got %.70q", l.ListID)
	case used:
		return refuse(RejDuplicateOrder, "list_id: %q was used before", l.ListID)
	case l.ContingencyType < OCO || l.ContingencyType > Bracket:
		return refuse(RejInvalidField, "contingency_type: must be OCO, OTO, OUO or BRACKET, got %d", l.ContingencyType)
	case len(l.Orders) < 2 || len(l.Orders) > MaxListOrders:
		return refuse(RejInvalidField, "orders: must be 2 to %d, got %d", MaxListOrders, len(l.Orders))
	case l.ContingencyType == Bracket && len(l.Orders) > 3:
		return refuse(RejInvalidField, "orders: a BRACKET has an entry and one or two exits, got %d orders", len(l.Orders))
	}
	return nil
}

// MaxListOrders is how many orders a list may have.
const MaxListOrders = 16

// validateMember holds an order against the others of its list.
func (l *NewOrderList) validateMember(i int) *Refusal {
	order, first := &l.Orders[i], &l.Orders[0]
	exits := l.ContingencyType == Bracket && i > 0
	switch {
	case order.Account != l.Account:
		return refuse(RejInvalidField, "account: must be that of the list, %q, got %q", l.Account, order.Account)
	case order.ClOrdID == l.ListID, slices.ContainsFunc(l.Orders[:i], func(o NewOrder) bool { return o.ClOrdID == order.ClOrdID }):
		return refuse(RejDuplicateOrder, "cl_ord_id: %q stands twice in the list", order.ClOrdID)
	case l.ContingencyType == OTO:
		return nil
	case order.InstrumentID != first.InstrumentID:
		return refuse(RejInvalidField, "instrument_id: must be that of the first order, %q, got %q", first.InstrumentID, order.InstrumentID)
	case exits && order.Side == first.Side:
		return refuse(RejInvalidField, "side: an exit has the other side than the entry, got %d for both", order.Side)
	case !exits && order.Side != first.Side:
		return refuse(RejInvalidField, "side: must be that of the first order, %d, got %d", first.Side, order.Side)
	case exits && order.OrderQty != first.OrderQty:
		return refuse(RejInvalidQty, "order_qty: must be that of the entry, %d, got %d", first.OrderQty, order.OrderQty)
	}
	return nil
}
