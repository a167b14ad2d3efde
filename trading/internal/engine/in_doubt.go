package engine

import "fmt"

// applyInDoubt takes it that the venue may or may not have an order: it was sent, or perhaps sent, and nothing
// was heard. Its exposure stays held, and a cancel of it is sent on, until the venue says something of it.
func (e *Engine) applyInDoubt(event *Event, doubt *OrderInDoubt, effects *Effects) error {
	order := e.orders.Get(doubt.OrderID)
	if order == nil {
		return fmt.Errorf("order_id: %w %d", ErrUnknownOrder, doubt.OrderID)
	}
	if !order.unanswered() || order.inDoubt {
		return ErrNothingNew
	}
	order.inDoubt = true
	effects.report(event, order, ExecutionReport{ExecType: ExecInDoubt, Text: doubt.Text})
	return nil
}

// InDoubt says whether it is not known if the venue has the order; it may be on its way to be canceled, too.
func (o *Order) InDoubt() bool { return o.Open() && o.inDoubt }

// unanswered says whether an order was sent, or was about to be, and the venue has said nothing of it.
func (o *Order) unanswered() bool { return o.Open() && o.sent && !o.acknowledged }

// Unheard says whether an order was sent, or was about to be, and nothing was asked of it since: to a venue that
// has said nothing of it the order as it stands is all there is to say.
func (o *Order) Unheard() bool { return o.unanswered() && !o.pendingCancel && o.change == nil }

// Unanswered are the open orders of which no venue has said anything though they were to be sent, in the
// order in which they came.
func (e *Engine) Unanswered() []uint64 {
	var ids []uint64
	for _, order := range byID(&e.open) {
		if order.unanswered() {
			ids = append(ids, order.OrderID)
		}
	}
	return ids
}
