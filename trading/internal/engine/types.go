// Package engine is the deterministic state machine of orders, positions and cash: Apply takes one
// stamped event and says what follows from it. It reads no clock, file, socket or random source.
package engine

import "strings"

// The enumerations below have the numbers of the contract; their names are those of FIX.

// Side is the direction of an order.
type Side uint8

// The sides.
const (
	Buy  Side = 1
	Sell Side = 2
)

// OrdType is how an order finds its price.
type OrdType uint8

// The order types.
const (
	Market    OrdType = 1
	Limit     OrdType = 2
	Stop      OrdType = 3
	StopLimit OrdType = 4
)

// TimeInForce is how long an order works.
type TimeInForce uint8

// The times in force.
const (
	Day TimeInForce = 1
	GTC TimeInForce = 2
	IOC TimeInForce = 3
	FOK TimeInForce = 4
	GTD TimeInForce = 5
)

// OrdStatus is where an order is.
type OrdStatus uint8

// The statuses.
const (
	StatusPendingNew      OrdStatus = 1
	StatusNew             OrdStatus = 2
	StatusPartiallyFilled OrdStatus = 3
	StatusFilled          OrdStatus = 4
	StatusCanceled        OrdStatus = 5
	StatusRejected        OrdStatus = 6
	StatusExpired         OrdStatus = 7
	StatusPendingCancel   OrdStatus = 8
)

// ExecType is what just happened to an order.
type ExecType uint8

// The execution types.
const (
	ExecPendingNew     ExecType = 1
	ExecNew            ExecType = 2
	ExecTrade          ExecType = 3
	ExecCanceled       ExecType = 4
	ExecRejected       ExecType = 5
	ExecExpired        ExecType = 6
	ExecPendingCancel  ExecType = 7
	ExecCancelRejected ExecType = 8
	ExecReplaced       ExecType = 9
	ExecTriggered      ExecType = 10
	ExecTradeCancel    ExecType = 11
	ExecTradeCorrect   ExecType = 12
)

// OrdRejReason is why an order was refused.
type OrdRejReason uint8

// The reasons.
const (
	RejInvalidField      OrdRejReason = 1
	RejInvalidPrice      OrdRejReason = 2
	RejInvalidQty        OrdRejReason = 3
	RejUnknownInstrument OrdRejReason = 4
	RejUnknownAccount    OrdRejReason = 5
	RejDuplicateOrder    OrdRejReason = 6
	RejMaxOrderQty       OrdRejReason = 7
	RejMaxOrderNotional  OrdRejReason = 8
	RejPositionLimit     OrdRejReason = 9
	RejRefPriceStale     OrdRejReason = 10
	RejRiskUnavailable   OrdRejReason = 11
	RejGatewayBlock      OrdRejReason = 12
	RejVenue             OrdRejReason = 13
)

// CxlRejReason is why a cancel was refused.
type CxlRejReason uint8

// The reasons.
const (
	CxlTooLate        CxlRejReason = 1
	CxlUnknownOrder   CxlRejReason = 2
	CxlAlreadyPending CxlRejReason = 3
)

// RejectedBy says who refused.
type RejectedBy uint8

// Those who refuse.
const (
	ByEngine RejectedBy = 1
	ByRisk   RejectedBy = 2
	ByVenue  RejectedBy = 3
)

// LiquidityInd says whether a fill added or removed liquidity.
type LiquidityInd uint8

// The indicators.
const (
	LiquidityAdded   LiquidityInd = 1
	LiquidityRemoved LiquidityInd = 2
)

// InstrumentClass is the kind of contract that an instrument is.
type InstrumentClass uint8

// The classes.
const (
	Equity InstrumentClass = 1
	Spot   InstrumentClass = 2
	Future InstrumentClass = 3
)

// Decimal is an exact decimal number, Mantissa * 10^-Scale.
type Decimal struct {
	Mantissa int64
	Scale    uint32
}

// Instrument is the definition of a contract on one venue. Prices of it are in 10^-PriceScale of the
// quote currency, quantities in 10^-QtyScale.
type Instrument struct {
	InstrumentID       string // SYMBOL.VENUE
	Version            uint32
	Class              InstrumentClass
	BaseCurrency       string
	QuoteCurrency      string
	PriceScale         uint32
	QtyScale           uint32
	PriceIncrement     int64
	QtyIncrement       int64
	MinQty             int64
	MaxQty             int64 // 0: the venue names none
	Multiplier         Decimal
	MakerFeeRatio      Decimal
	TakerFeeRatio      Decimal
	AllowNegativePrice bool
}

// Venue is the part of the id after the last point.
func (i *Instrument) Venue() string {
	return i.InstrumentID[strings.LastIndexByte(i.InstrumentID, '.')+1:]
}

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
}

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
}

// Mark is a sampled reference price.
type Mark struct {
	InstrumentID string
	MarkPx       int64
}

// Adjustment moves cash or a position of an account without a fill.
type Adjustment struct {
	Account      string
	Cash         Money
	InstrumentID string // empty: no position moves
	Qty          int64
	Price        int64
	Reason       string
}

// RiskLimit is a set of limits at one scope. A nil limit does not bind there.
type RiskLimit struct {
	Account          string // empty: every account
	InstrumentID     string // empty: every instrument
	MaxOrderQty      *Decimal
	MaxOrderNotional *Decimal
	MaxPositionQty   *Decimal
}

// RiskLimits are all limits, as one versioned document.
type RiskLimits struct {
	Version            uint64
	Limits             []RiskLimit
	MarketOrderBandBps uint32
}

// LimitChange is a change of risk limits, with who and why.
type LimitChange struct {
	RiskLimits RiskLimits
	ChangedBy  string
	Reason     string
}

// AccountOpened starts an account.
type AccountOpened struct {
	Account      string
	BaseCurrency string
}

// Input is what may change state: one of the types below, always by pointer.
type Input interface{ input() }

func (*OrderDecision) input() {}
func (*CancelOrder) input()   {}
func (*VenueReport) input()   {}
func (*Mark) input()          {}
func (*Adjustment) input()    {}
func (*LimitChange) input()   {}
func (*Instrument) input()    {}
func (*AccountOpened) input() {}

// Event is one stamped input. An order's id is the sequence of the event that brought it.
type Event struct {
	Sequence     uint64
	TransactTime int64
	Input        Input
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
}

// AccountState is an account as the engine holds it after one event.
type AccountState struct {
	Account      string
	Sequence     uint64
	TransactTime int64
	BaseCurrency string
	Balances     []Money    // sorted by currency
	Positions    []Position // sorted by instrument id
	Equity       Money      // meant when HasEquity
	HasEquity    bool       // false when an open position has no mark, or a currency no rate
}
