// Package engine is the deterministic state machine of orders, positions and cash: Apply takes one
// stamped event and says what follows from it. It reads no clock, file, socket or random source.
package engine

import (
	"reflect"
	"strings"
)

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
	// TrailingStop is a stop whose trigger price follows the market.
	TrailingStop OrdType = 5
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

// ExecInst is a set of instructions on how to handle an order.
type ExecInst uint8

// The instructions; the bit of a contract's value n is 1 << n.
const (
	PostOnly           ExecInst = 1 << 1
	ReduceOnly         ExecInst = 1 << 2
	CancelOnDisconnect ExecInst = 1 << 3
)

// SelfTradePrevention is what happens when an order would trade with one of its own account.
type SelfTradePrevention uint8

// The ways of prevention; 0 is the venue's own.
const (
	STPNone         SelfTradePrevention = 1
	STPCancelNewest SelfTradePrevention = 2
	STPCancelOldest SelfTradePrevention = 3
	STPCancelBoth   SelfTradePrevention = 4
	STPDecrement    SelfTradePrevention = 5
)

// ContingencyType is what the orders of a list mean to each other.
type ContingencyType uint8

// The contingencies.
const (
	OCO     ContingencyType = 1
	OTO     ContingencyType = 2
	OUO     ContingencyType = 3
	Bracket ContingencyType = 4
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
	StatusPendingReplace  OrdStatus = 9
	StatusSuspended       OrdStatus = 10
	StatusInDoubt         OrdStatus = 11
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
	ExecPendingReplace ExecType = 13
	ExecSuspended      ExecType = 14
	ExecRestated       ExecType = 15
	ExecInDoubt        ExecType = 16
)

// OrdRejReason is why an order was refused.
type OrdRejReason uint8

// The reasons.
const (
	RejInvalidField       OrdRejReason = 1
	RejInvalidPrice       OrdRejReason = 2
	RejInvalidQty         OrdRejReason = 3
	RejUnknownInstrument  OrdRejReason = 4
	RejUnknownAccount     OrdRejReason = 5
	RejDuplicateOrder     OrdRejReason = 6
	RejMaxOrderQty        OrdRejReason = 7
	RejMaxOrderNotional   OrdRejReason = 8
	RejPositionLimit      OrdRejReason = 9
	RejRefPriceStale      OrdRejReason = 10
	RejRiskUnavailable    OrdRejReason = 11
	RejGatewayBlock       OrdRejReason = 12
	RejVenue              OrdRejReason = 13
	RejKillSwitch         OrdRejReason = 14
	RejStateHalted        OrdRejReason = 15
	RejStateCancelOnly    OrdRejReason = 16
	RejStateReducing      OrdRejReason = 17
	RejNotPermitted       OrdRejReason = 18
	RejInstrumentClosed   OrdRejReason = 19
	RejRestricted         OrdRejReason = 20
	RejShortNotAllowed    OrdRejReason = 21
	RejPriceCollarStatic  OrdRejReason = 22
	RejPriceCollar        OrdRejReason = 23
	RejAggressivePrice    OrdRejReason = 24
	RejRateLimit          OrdRejReason = 25
	RejDuplicateFlood     OrdRejReason = 26
	RejMaxOpenOrders      OrdRejReason = 27
	RejMaxOpenNotional    OrdRejReason = 28
	RejMaxExposure        OrdRejReason = 29
	RejInsufficientMargin OrdRejReason = 30
	RejDailyValue         OrdRejReason = 31
	RejLossLimit          OrdRejReason = 32
	RejStp                OrdRejReason = 33
	RejVarLimit           OrdRejReason = 34
	RejConcentration      OrdRejReason = 35
	RejBatchValue         OrdRejReason = 36
	RejBatchSize          OrdRejReason = 37
	RejStrategyLatched    OrdRejReason = 38
	RejRejectStorm        OrdRejReason = 39
	RejOtrLimit           OrdRejReason = 40
	RejReplaceWorse       OrdRejReason = 41
	RejReduceOnly         OrdRejReason = 42
	RejList               OrdRejReason = 43
	RejModelStale         OrdRejReason = 44
	RejJournalFull        OrdRejReason = 45
)

// CxlRejReason is why a cancel was refused.
type CxlRejReason uint8

// The reasons.
const (
	CxlTooLate          CxlRejReason = 1
	CxlUnknownOrder     CxlRejReason = 2
	CxlAlreadyPending   CxlRejReason = 3
	CxlDuplicateClOrdID CxlRejReason = 4
	CxlRefused          CxlRejReason = 5
	CxlVenue            CxlRejReason = 6
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
	ExpireTime         int64            // 0: never
	TradingSessions    []TradingSession // none: always
}

// TradingSession is a time of the week, UTC, in which an instrument trades.
type TradingSession struct {
	DayOfWeek uint32 // Monday 1 to Sunday 7
	Start     int64  // ns since midnight
	End       int64  // ns since midnight, not in it
}

// Equal says whether two definitions are the same.
func (i *Instrument) Equal(other *Instrument) bool { return reflect.DeepEqual(i, other) }

// Venue is the part of the id after the last point.
func (i *Instrument) Venue() string { return venueOf(i.InstrumentID) }

func venueOf(instrumentID string) string {
	return instrumentID[strings.LastIndexByte(instrumentID, '.')+1:]
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

// SessionLost ends the orders of a session that were to be canceled with it.
type SessionLost struct{ SessionID string }

// OrderInDoubt says that the venue may or may not have an order.
type OrderInDoubt struct {
	OrderID uint64
	Text    string
}

// TradingState is what may be traded.
type TradingState uint8

// The states.
const (
	Active     TradingState = 1
	Reducing   TradingState = 2
	CancelOnly TradingState = 3
	Halted     TradingState = 4
)

// TradingScope is whom a state or a kill switch binds; the zero value is the firm.
type TradingScope struct {
	Account      string
	StrategyID   string
	InstrumentID string
	Venue        string
}

// TradingStateChange sets the state of a scope. ACTIVE also arms again what latched there.
type TradingStateChange struct {
	Scope        TradingScope
	TradingState TradingState
	ChangedBy    string
	Reason       string
}

// KillSwitchChange engages or releases a kill switch.
type KillSwitchChange struct {
	Scope     TradingScope
	Engaged   bool
	ChangedBy string
	Reason    string
}

// FxRates replace those of the same pair.
type FxRates struct{ Rates []FxRate }

// FxRate is what one unit of a currency is worth in another.
type FxRate struct {
	Currency      string
	QuoteCurrency string
	Rate          Decimal
}

// PretradeModel is what portfolio VaR after a trade is computed from.
type PretradeModel struct {
	Version          uint64
	InstrumentIDs    []string
	Covariance       []float64 // K by K, row by row
	ConfidenceBp     uint32
	HorizonDays      uint32
	DegreesOfFreedom float64 // 0: normal
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
	ExecRefID        string // ExecTradeCancel, ExecTradeCorrect: the fill that is undone or changed
	OrderQty         int64  // ExecReplaced, ExecRestated: the quantity now
	Price            int64  // ExecReplaced: the limit price now, meant when HasPrice
	HasPrice         bool
	StopPx           int64 // ExecReplaced: the trigger price now, meant when HasStopPx
	HasStopPx        bool
	Lapsed           bool // ExecTradeCancel: LastQty does not work again
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
	Account               string // empty: every account
	InstrumentID          string // empty: every instrument
	MaxOrderQty           *Decimal
	MaxOrderNotional      *Decimal
	MaxPositionQty        *Decimal
	StrategyID            string // empty: every strategy
	MaxLongQty            *Decimal
	MaxShortQty           *Decimal
	NoShort               bool
	Restricted            bool
	StaticCollarBps       *uint32
	StaticReferencePx     *Decimal
	PriceCollarBps        *uint32
	MaxMarkAgeMs          *uint32
	MaxAggressiveTicks    *uint32
	OrderRatePerS         *uint32
	OrderBurst            *uint32
	DuplicateCount        *uint32
	DuplicateWindowMs     *uint32
	MaxOpenOrders         *uint32
	MaxOpenNotional       *Decimal
	MaxGrossNotional      *Decimal
	MaxNetNotional        *Decimal
	MaxLeverage           *Decimal
	InitialMarginRatio    *Decimal
	MaxDailyNotional      *Decimal
	MaxDailyQty           *Decimal
	MaxDailyLoss          *Decimal
	MaxDrawdown           *Decimal
	MaxVar                *Decimal
	MaxAdvShareBps        *uint32
	AdvQty                *Decimal
	MaxBatchNotional      *Decimal
	MaxBatchOrders        *uint32
	RepeatCount           *uint32
	RepeatWindowMs        *uint32
	MaxConsecutiveRejects *uint32
	MaxOrderToTradeRatio  *uint32
	OtrWindowMs           *uint32
	PreventSelfTrade      bool
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
	ApprovedBy string // empty: nobody had to
}

// AccountOpened starts an account.
type AccountOpened struct {
	Account      string
	BaseCurrency string
}

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
