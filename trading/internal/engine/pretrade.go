package engine

// What the gate must know of the engine. The sequencer passes these on in the order of the journal.

// PretradeCheck is an order to decide on: a new one, one of a list, or an open one as a change would make it.
type PretradeCheck struct {
	Sequence     uint64 // of the event
	OrderID      uint64
	TransactTime int64
	NewOrder     *NewOrder // not to be changed
	// The orders of a list follow each other, and are approved or refused as one.
	ListOrders      int             // at the first of a list: how many it has
	ContingencyType ContingencyType // what they mean to each other; 0: not of a list
	Replaces        bool            // NewOrder is the order as it would be; its OrderQty is the new total
	CumQty          int64           // what of that is filled
	// Of the orders that came in one request; 0 and nil: this one alone.
	BatchOrders   uint32
	BatchNotional *Decimal // of all in the same quote currency, valued as for MaxOrderNotional
}

// PretradeEvent is something that pre-trade state depends on and that needs no answer. Exactly one of
// the pointers is set.
type PretradeEvent struct {
	Sequence      uint64
	TransactTime  int64
	Fill          *PretradeFill
	Release       *PretradeRelease
	Adjust        *PretradeAdjust
	Mark          *Mark
	RiskLimits    *RiskLimits
	Instrument    *Instrument
	AccountOpened *AccountOpened
	Restated      *PretradeHold
	Correction    *PretradeCorrection
	TradingState  *TradingStateChange
	KillSwitch    *KillSwitchChange
	FxRates       *FxRates
	Model         *PretradeModel
	Cash          *PretradeCash
	VenueReject   *PretradeVenueReject
}

// PretradeFill moves quantity from a hold to the position.
type PretradeFill struct {
	OrderID      uint64
	Account      string
	InstrumentID string
	Side         Side
	LastQty      int64
	LastPx       int64
	StrategyID   string
	Cash         Money // by how much cash of the quote currency moves, fees in it included
}

// PretradeRelease ends the hold of an order that closed before it was filled.
type PretradeRelease struct{ OrderID uint64 }

// PretradeVenueReject ends the hold of an order that its venue refused.
type PretradeVenueReject struct{ OrderID uint64 }

// PretradeAdjust moves a position without a fill.
type PretradeAdjust struct {
	Account      string
	InstrumentID string
	Qty          int64
	StrategyID   string
}

// PretradeCash moves cash without a fill.
type PretradeCash struct {
	Account string
	Cash    Money
}

// PretradeCorrection undoes or changes a fill: position and cash move, no hold does.
type PretradeCorrection struct {
	OrderID      uint64
	Account      string
	InstrumentID string
	Qty          int64
	Cash         Money
	StrategyID   string
}

// PretradeSnapshot is everything that pre-trade checks depend on, after the event of its sequence.
// Everything in it is sorted, and a copy: it may leave the sequencer's goroutine.
type PretradeSnapshot struct {
	Sequence      uint64
	TransactTime  int64
	Instruments   []Instrument
	Accounts      []AccountOpened
	RiskLimits    RiskLimits
	Positions     []PretradePosition // that are not flat
	Holds         []PretradeHold     // open orders
	Marks         []Mark
	MarkTimes     []int64 // when each of the marks was journaled
	TradingStates []TradingStateChange
	KillSwitches  []KillSwitchChange
	FxRates       FxRates
	Model         *PretradeModel // nil: none
	Cash          []PretradeCash
}

// PretradePosition is the net quantity of one instrument in one account.
type PretradePosition struct {
	Account      string
	InstrumentID string
	NetQty       int64
	StrategyID   string
}

// PretradeHold is what an open order keeps reserved.
type PretradeHold struct {
	OrderID         uint64
	Account         string
	InstrumentID    string
	Side            Side
	LeavesQty       int64
	StrategyID      string
	Price           int64 // that it counts at
	IsLimit         bool
	ListOrderID     uint64 // of the first order of its list; 0: none
	ContingencyType ContingencyType
	TransactTime    int64 // when the order came
	HasTrigger      bool  // and waits for it
}

// hold is what the order keeps reserved. While a change is on its way that is the larger of both quantities.
func (o *Order) hold() PretradeHold {
	h := PretradeHold{
		OrderID: o.OrderID, Account: o.terms.Account, InstrumentID: o.terms.InstrumentID, Side: o.terms.Side, LeavesQty: o.LeavesQty(),
		StrategyID: o.terms.StrategyID, TransactTime: o.came, Price: o.holdPx,
		IsLimit:    o.terms.OrdType == Limit || o.terms.limited() && o.triggered,
		HasTrigger: o.hasUnmetTrigger(),
	}
	if o.terms.limited() {
		h.Price = o.terms.Price
	}
	if o.change != nil {
		h.LeavesQty = max(h.LeavesQty, o.change.terms.OrderQty-o.CumQty)
	}
	if o.list != nil {
		h.ListOrderID, h.ContingencyType = o.list.first().OrderID, o.list.contingencyType
	}
	return h
}

// tellHold tells the gate what an order keeps reserved from now on; nothing, once it is closed.
func (e *Effects) tellHold(event *Event, order *Order) {
	switch {
	case order == nil:
	case !order.Open():
		e.tell(event, PretradeEvent{Release: &PretradeRelease{OrderID: order.OrderID}})
	default:
		hold := order.hold()
		e.tell(event, PretradeEvent{Restated: &hold})
	}
}
