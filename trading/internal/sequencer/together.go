package sequencer

import "aetherion/trading/internal/engine"

// together is what the orders of one request are together.
type together struct {
	orders  uint32
	worth   map[string]engine.Amount // by quote currency
	unknown map[string]bool          // currencies of which something has no value, or too large a one
}

// togetherOf adds up the new orders of a request. One alone needs no sum.
func togetherOf(inputs []engine.Input, e *engine.Engine) together {
	if len(inputs) == 1 {
		if _, list := inputs[0].(*engine.OrderListDecision); !list {
			return together{}
		}
	}
	r := together{worth: map[string]engine.Amount{}, unknown: map[string]bool{}}
	for _, input := range inputs {
		switch command := input.(type) {
		case *engine.OrderDecision:
			r.add(&command.NewOrder, e)
		case *engine.OrderListDecision:
			for i := range command.List.Orders {
				r.add(&command.List.Orders[i], e)
			}
		}
	}
	return r
}

func (r *together) add(order *engine.NewOrder, e *engine.Engine) {
	r.orders++
	worth, known := e.Worth(order)
	sum, err := r.worth[worth.Currency].Add(worth.Amount)
	if !known || err != nil {
		r.unknown[worth.Currency] = true
		return
	}
	r.worth[worth.Currency] = sum
}

// describe adds to a check what the orders of its request are together.
func (r *together) describe(check *engine.PretradeCheck, e *engine.Engine) {
	if r.orders < 2 || check.Replaces {
		return
	}
	check.BatchOrders = r.orders
	currency := e.QuoteCurrency(check.NewOrder.InstrumentID)
	if sum, known := r.worth[currency]; known && !r.unknown[currency] {
		check.BatchNotional = sum.CeilDecimal()
	}
}
