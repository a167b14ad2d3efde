package engine

// VenueReport is what a venue said of one order.
type VenueReport struct {
	Venue            string
	OrderID          uint64
	VenueOrderID     string
	ExecID           string
	ExecType         ExecType
	TransactTime     int64
	LastQty          int64
	LastPx           int64
	LastLiquidityInd LiquidityInd
	Commission       Money
	CxlRejReason     CxlRejReason
	Text             string
	ExecRefID        string // ExecTradeCancel, ExecTradeCorrect: the fill that is undone or changed
	OrderQty         int64  // ExecReplaced, ExecRestated: the quantity now
	Price            int64  // ExecReplaced: the limit price now, meant when HasPrice
	HasPrice         bool
	StopPx           int64 // ExecReplaced: the trigger price now, meant when HasStopPx
	HasStopPx        bool
	Lapsed           bool // ExecTradeCancel: LastQty does not work again
}

// ExecutionReport tells what happened to an order, and where the order is after it.
type ExecutionReport struct {
	Sequence         uint64
	PrevSequence     uint64 // of the account's report before this one
	TransactTime     int64
	NewOrder         *NewOrder // as it was asked for; not to be changed
	OrderID          uint64
	VenueOrderID     string
	ExecID           string
	ExecType         ExecType
	OrdStatus        OrdStatus
	CumQty           int64
	LeavesQty        int64
	LastQty          int64
	LastPx           int64
	LastLiquidityInd LiquidityInd
	Commission       Money
	CumNotional      Money
	AvgPx            float64 // for display, in the quote currency: CumNotional is exact
	OrdRejReason     OrdRejReason
	CxlRejReason     CxlRejReason
	RejectedBy       RejectedBy
	Text             string
	CheckFailures    []CheckFailure
	ExecRefID        string
	ClOrdID          string // of the cancel or replace that is refused; empty: that of the order
	OrigClOrdID      string
	StopPx           int64 // as it stands, meant when HasStopPx
	HasStopPx        bool
	ListID           string
	ContingencyType  ContingencyType
}

// CommandAck is the durable outcome of one command.
type CommandAck struct {
	Account       string
	ClOrdID       string
	Sequence      uint64
	OrderID       uint64
	OrdStatus     OrdStatus
	ExecType      ExecType
	OrdRejReason  OrdRejReason
	CxlRejReason  CxlRejReason
	RejectedBy    RejectedBy
	Text          string
	CheckFailures []CheckFailure
	// TotalAffectedOrders is of a mass cancel.
	TotalAffectedOrders uint32
	// ListAcks has one an order of a list, whose ListID is ClOrdID.
	ListAcks []CommandAck
}

// Position is what an account holds of an instrument, at its last journaled mark.
type Position struct {
	Account       string
	InstrumentID  string
	NetQty        int64
	Cost          Money
	RealizedPnl   Money
	UnrealizedPnl Money // meant when HasMark
	Fees          Money
	MarkPx        int64 // meant when HasMark
	HasMark       bool
	AvgPx         float64 // for display: Cost is exact
	StrategyID    string  // of whom; empty: the account, or among those of strategies what none moved
}

// AccountState is an account as the engine holds it after one event.
type AccountState struct {
	Account      string
	Sequence     uint64
	TransactTime int64
	BaseCurrency string
	Balances     []Money    // sorted by currency
	Positions    []Position // netted over the strategies, sorted by instrument id
	// StrategyPositions are the parts of the strategies in them, sorted by instrument id and strategy.
	StrategyPositions []Position
	Equity            Money // meant when HasEquity
	HasEquity         bool  // false when an open position has no mark, or a currency no rate
}
