package engine

// What the gate must know of the engine. The sequencer passes these on in the order of the journal.

// PretradeCheck is a new order to decide on.
type PretradeCheck struct {
	Sequence     uint64 // of the order's event, and so the order's id
	TransactTime int64
	NewOrder     NewOrder
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
}

// PretradeFill moves quantity from a hold to the position.
type PretradeFill struct {
	OrderID      uint64
	Account      string
	InstrumentID string
	Side         Side
	LastQty      int64
	LastPx       int64
}

// PretradeRelease ends the hold of an order that closed before it was filled.
type PretradeRelease struct{ OrderID uint64 }

// PretradeAdjust moves a position without a fill.
type PretradeAdjust struct {
	Account      string
	InstrumentID string
	Qty          int64
}

// PretradeSnapshot is everything that pre-trade checks depend on, after the event of its sequence.
// Everything in it is sorted, and a copy: it may leave the sequencer's goroutine.
type PretradeSnapshot struct {
	Sequence     uint64
	TransactTime int64
	Instruments  []Instrument
	Accounts     []AccountOpened
	RiskLimits   RiskLimits
	Positions    []PretradePosition // that are not flat
	Holds        []PretradeHold     // open orders
	Marks        []Mark
}

// PretradePosition is the net quantity of one instrument in one account.
type PretradePosition struct {
	Account      string
	InstrumentID string
	NetQty       int64
}

// PretradeHold is what an open order keeps reserved.
type PretradeHold struct {
	OrderID      uint64
	Account      string
	InstrumentID string
	Side         Side
	LeavesQty    int64
}
