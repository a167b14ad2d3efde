package engine

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
