package engine

// Input is what may change state: one of the types below, always by pointer.
type Input interface{ input() }

func (*OrderDecision) input()      {}
func (*CancelOrder) input()        {}
func (*VenueReport) input()        {}
func (*Mark) input()               {}
func (*Adjustment) input()         {}
func (*LimitChange) input()        {}
func (*Instrument) input()         {}
func (*AccountOpened) input()      {}
func (*OrderListDecision) input()  {}
func (*ReplaceDecision) input()    {}
func (*MassCancelOrders) input()   {}
func (*Triggered) input()          {}
func (*Watermark) input()          {}
func (*Timer) input()              {}
func (*SessionBegan) input()       {}
func (*SessionLost) input()        {}
func (*OrderInDoubt) input()       {}
func (*TradingStateChange) input() {}
func (*KillSwitchChange) input()   {}
func (*FxRates) input()            {}
func (*PretradeModel) input()      {}

// Event is one stamped input. An order's id is the sequence of the event that brought it.
type Event struct {
	Sequence     uint64
	TransactTime int64
	Input        Input
}
