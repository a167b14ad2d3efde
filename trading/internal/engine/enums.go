package engine

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
