package engine

import (
	"errors"
	"fmt"
)

// walkNames walks the names of requests and lists. That of a plain order, of which there are far more, is the
// order's own.
func (e *Engine) walkNames(w walker, a *account) {
	requests := map[string]named{}
	for name, n := range a.names {
		if n.request != nil {
			requests[name] = n
		}
	}
	walkMap(w, &requests, walkString, e.walkNamed)
	if !w.reads() {
		return
	}
	for name, n := range requests {
		if _, used := a.names[name]; used {
			w.fault(fmt.Errorf("cl_ord_id: a request has the name of an order, %q", name))
		}
		a.names[name] = n
	}
}

// walkNamed walks what the name of a request stands for.
func (e *Engine) walkNamed(w walker, n *named) {
	e.walkOrderOf(w, &n.order)
	if w.reads() {
		n.request = &request{}
	}
	e.walkRequest(w, n.request)
}

const (
	kindCancel = iota + 1
	kindReplace
	kindMassCancel
	kindList
)

func (e *Engine) walkRequest(w walker, r *request) {
	kind := r.kind()
	walkSmall(w, &kind)
	switch kind {
	case kindCancel:
		walkCommand(w, r, walkCancel)
	case kindReplace:
		walkCommand(w, r, walkReplace)
	case kindMassCancel:
		walkCommand(w, r, walkMassCancel)
	case kindList:
		e.walkListOf(w, &r.list)
		return
	default:
		w.fault(fmt.Errorf("request: unknown kind %d", kind))
	}
	walkAck(w, &r.ack)
	e.walkOrderOf(w, &r.concerns)
	walkInt(w, &r.at)
}

func (r *request) kind() uint8 {
	switch r.command.(type) {
	case *CancelOrder:
		return kindCancel
	case *ReplaceDecision:
		return kindReplace
	case *MassCancelOrders:
		return kindMassCancel
	}
	return kindList
}

// walkListOf walks a reference to a list, by its first order.
func (e *Engine) walkListOf(w walker, l **list) {
	var first *Order
	if *l != nil {
		first = (*l).first()
	}
	if e.walkOrderOf(w, &first); !w.reads() || failed(w) {
		return
	}
	if first == nil || first.list == nil {
		w.fault(errors.New("a name stands for a list that is not there"))
		return
	}
	*l = first.list
}

// walkCommand walks a command of a type.
func walkCommand[T any, P interface {
	*T
	Input
}](w walker, r *request, walk func(walker, *T)) {
	if w.reads() {
		r.command = P(new(T))
	}
	if command, ok := r.command.(P); ok {
		walk(w, command)
	}
}

func walkCancel(w walker, c *CancelOrder) {
	walkString(w, &c.ClOrdID)
	walkString(w, &c.OrigClOrdID)
	walkString(w, &c.Account)
}

// walkReplace walks what a repetition is held against; what was decided stands in the ack.
func walkReplace(w walker, d *ReplaceDecision) {
	r := &d.Replace
	walkString(w, &r.ClOrdID)
	walkString(w, &r.OrigClOrdID)
	walkString(w, &r.Account)
	walkInt(w, &r.OrderQty)
	walkInt(w, &r.Price)
	walkBool(w, &r.HasPrice)
	walkInt(w, &r.StopPx)
	walkBool(w, &r.HasStopPx)
}

func walkMassCancel(w walker, m *MassCancelOrders) {
	walkString(w, &m.ClOrdID)
	walkString(w, &m.Account)
	walkString(w, &m.StrategyID)
	walkString(w, &m.InstrumentID)
	walkSmall(w, &m.Side)
}

func walkAck(w walker, a *CommandAck) {
	walkString(w, &a.Account)
	walkString(w, &a.ClOrdID)
	walkUint(w, &a.Sequence)
	walkUint(w, &a.OrderID)
	walkSmall(w, &a.OrdStatus)
	walkSmall(w, &a.ExecType)
	walkSmall(w, &a.OrdRejReason)
	walkSmall(w, &a.CxlRejReason)
	walkSmall(w, &a.RejectedBy)
	walkString(w, &a.Text)
	walkSlice(w, &a.CheckFailures, walkFailure)
	walkSmall(w, &a.TotalAffectedOrders)
}
