package engine

// NewOrder asks for an order.
type NewOrder struct {
	ClOrdID      string
	Account      string
	StrategyID   string
	InstrumentID string
	Side         Side
	OrdType      OrdType
	TimeInForce  TimeInForce
	OrderQty     int64
	Price        int64 // meant when HasPrice
	HasPrice     bool
	StopPx       int64 // meant when HasStopPx
	HasStopPx    bool
	DisplayQty   int64 // 0: all of it is shown
	ExpireTime   int64 // GTD
	ExecInsts    ExecInst
	STP          SelfTradePrevention
	// A trailing stop has one of the two.
	TrailingAmount int64
	TrailingBps    uint32
}

// NewOrderList asks for orders that depend on each other, all or none.
type NewOrderList struct {
	ListID          string
	Account         string
	ContingencyType ContingencyType
	Orders          []NewOrder
}

// ReplaceOrder asks that an open order change.
type ReplaceOrder struct {
	ClOrdID     string
	OrigClOrdID string
	Account     string
	OrderQty    int64
	Price       int64 // meant when HasPrice
	HasPrice    bool
	StopPx      int64 // meant when HasStopPx
	HasStopPx   bool
}

// MassCancelOrders asks that all open orders that match no longer work. An empty field matches all.
type MassCancelOrders struct {
	ClOrdID      string
	Account      string
	StrategyID   string
	InstrumentID string
	Side         Side // 0: both
}

// CancelOrder asks that an order no longer work.
type CancelOrder struct {
	ClOrdID     string
	OrigClOrdID string
	Account     string
}

// CheckFailure is one pre-trade check that an order fails.
type CheckFailure struct {
	OrdRejReason OrdRejReason
	Scope        string
	RiskLimit    string
	Value        string
}

// OrderDecision is a new order and what was decided on it.
type OrderDecision struct {
	NewOrder      NewOrder
	Approved      bool
	OrdRejReason  OrdRejReason
	RejectedBy    RejectedBy
	Text          string
	CheckFailures []CheckFailure
	SessionID     string // that sent it; empty: none
}

// OrderListDecision is a list of orders and what was decided on all of them. Decisions has one an order;
// an order that was not at fault itself is refused for RejList.
type OrderListDecision struct {
	List      NewOrderList
	Approved  bool
	Decisions []OrderDecision // their NewOrder is left empty
	SessionID string
}

// ReplaceDecision is a change of an order and what was decided on it.
type ReplaceDecision struct {
	Replace       ReplaceOrder
	Approved      bool
	OrdRejReason  OrdRejReason
	CxlRejReason  CxlRejReason
	RejectedBy    RejectedBy
	Text          string
	CheckFailures []CheckFailure
}

// Triggered says that the market reached the trigger of an order that the engine holds.
type Triggered struct {
	OrderID    uint64
	MDSequence uint64
	Price      int64
}

// Watermark is the best price that a trailing stop has seen.
type Watermark struct {
	OrderID uint64
	Price   int64
}

// Timer says that a time has come: the engine ends what was to end by the event's time.
type Timer struct {
	DayBegan bool
}

// SessionBegan says how long a session may be away before it is lost.
type SessionBegan struct {
	SessionID string
	Grace     int64 // ns
}

// SessionLost ends the orders of a session that were to be canceled with it.
type SessionLost struct{ SessionID string }

// OrderInDoubt says that the venue may or may not have an order.
type OrderInDoubt struct {
	OrderID uint64
	Text    string
}
