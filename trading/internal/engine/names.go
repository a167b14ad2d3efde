package engine

import "slices"

// remembered is for how long after an order closed, or a request that concerned no order came, its name
// and all else that is known of it is kept, in the time of the log.
const remembered = 24 * 60 * 60 * 1_000_000_000

// named is what a client gave a name to. Orders, lists and requests of an account share their names.
type named struct {
	order   *Order   // that the name finds; nil: none
	request *request // nil: it is the name that the order came with
}

// request is a command besides a plain order, and its outcome.
type request struct {
	command  Input // *CancelOrder, *ReplaceDecision or *MassCancelOrders
	list     *list // of a list, instead
	ack      CommandAck
	concerns *Order // nil: none
	at       int64  // when it came
}

func (r *request) outcome() CommandAck {
	if r.list != nil {
		return r.list.outcome()
	}
	return r.ack
}

// OrderByName finds an order by any name that it has or had; nil when there is none. It is the engine's
// own: read it where the engine may be read, and copy what is to be kept.
func (e *Engine) OrderByName(account, clOrdID string) *Order {
	return e.namesOf(account)[clOrdID].order
}

func (e *Engine) namesOf(account string) map[string]named {
	if a := e.accounts[account]; a != nil {
		return a.names
	}
	return nil
}

// Known says whether the name of a command was used before. If so, same says whether for the same command,
// whose outcome that is.
func (e *Engine) Known(command Input) (outcome CommandAck, same, used bool) {
	accountName, name := nameOf(command)
	before, used := e.namesOf(accountName)[name]
	if !used {
		return CommandAck{}, false, false
	}
	if order, plain := command.(*OrderDecision); plain {
		if before.request == nil && before.order.NewOrder == order.NewOrder {
			return before.order.Outcome(), true, true
		}
		return CommandAck{}, false, true
	}
	if before.request != nil && before.request.repeats(command) {
		return before.request.outcome(), true, true
	}
	return CommandAck{}, false, true
}

// nameOf is the account and the name of a command.
func nameOf(command Input) (account, name string) {
	switch c := command.(type) {
	case *OrderDecision:
		return c.NewOrder.Account, c.NewOrder.ClOrdID
	case *OrderListDecision:
		return c.List.Account, c.List.ListID
	case *ReplaceDecision:
		return c.Replace.Account, c.Replace.ClOrdID
	case *CancelOrder:
		return c.Account, c.ClOrdID
	case *MassCancelOrders:
		return c.Account, c.ClOrdID
	}
	return "", ""
}

// repeats says whether a command of the request's name is the same.
func (r *request) repeats(command Input) bool {
	switch c := command.(type) {
	case *OrderListDecision:
		return r.list != nil && r.list.asked(&c.List)
	case *ReplaceDecision:
		b, ok := r.command.(*ReplaceDecision)
		return ok && b.Replace == c.Replace
	case *CancelOrder:
		b, ok := r.command.(*CancelOrder)
		return ok && *b == *c
	case *MassCancelOrders:
		b, ok := r.command.(*MassCancelOrders)
		return ok && *b == *c
	}
	return false
}

// remember keeps a request under its name, unless the name is another's already.
func (e *Engine) remember(event *Event, command Input, order *Order, ack CommandAck) {
	accountName, name := nameOf(command)
	account := e.account(accountName)
	if _, used := account.names[name]; used || !ValidClOrdID(name) {
		return
	}
	entry := named{request: &request{command: command, ack: ack, concerns: order, at: event.TransactTime}}
	if order != nil {
		order.names = append(order.names, name)
		if replace, ok := command.(*ReplaceDecision); ok && replace.Approved {
			entry.order = order
		}
	} else {
		e.forgetLater(forgettable{at: event.TransactTime, name: &nameOfAccount{account, name}})
	}
	account.names[name] = entry
}

// forgettable is what is forgotten a day after a time: an order that closed then, or the name of a request
// that concerned none.
type forgettable struct {
	at    int64
	order *Order
	name  *nameOfAccount // nil: of an order
}

type nameOfAccount struct {
	account *account
	name    string
}

func (e *Engine) forgetLater(f forgettable) { e.forgettable = append(e.forgettable, f) }

// forget drops what is a day old. It runs after each event, so that what is known depends on nothing but
// the events.
func (e *Engine) forget(now int64) {
	done := 0
	for ; done < len(e.forgettable) && e.forgettable[done].at <= now-remembered; done++ {
		f := &e.forgettable[done]
		switch {
		case f.name != nil:
			delete(f.name.account.names, f.name.name)
		case !f.order.forgotten && f.order.closed != 0 && f.order.closedAt == f.at && f.order.list.allClosed(now-remembered):
			e.forgetOrders(f.order)
		}
		*f = forgettable{}
	}
	if e.forgettable = e.forgettable[done:]; len(e.forgettable) == 0 {
		e.forgettable = nil
	}
}

// forgetOrders drops an order, or all of its list: they are forgotten with the last of them.
func (e *Engine) forgetOrders(order *Order) {
	orders := []*Order{order}
	if order.list != nil {
		orders = order.list.orders
		if order.list.named {
			delete(order.account.names, order.list.listID)
		}
	}
	for _, o := range orders {
		for _, name := range o.names {
			delete(o.account.names, name)
		}
		if o.named {
			delete(o.account.names, o.NewOrder.ClOrdID)
		}
		o.execIDs(func(execID string) { delete(e.execsAt(o.instrument), execID) })
		if p := o.account.positions[o.NewOrder.InstrumentID]; p != nil {
			p.settle(e.now - correctable)
		}
		e.orders.Delete(o.OrderID)
		o.account.drop(o)
	}
}

// drop takes an order out of the account's, of which many may go one after the other: they are moved
// together when half of them have gone.
func (a *account) drop(order *Order) {
	order.forgotten = true
	if a.forgotten++; 2*a.forgotten < len(a.orders) {
		return
	}
	a.orders = slices.DeleteFunc(a.orders, func(o *Order) bool { return o.forgotten })
	a.forgotten = 0
}
