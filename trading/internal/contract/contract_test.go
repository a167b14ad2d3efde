package contract

import (
	"math"
	"reflect"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/engine"
)

// roundTrip says that decoding gives back what was encoded, whatever it is.
func roundTrip[D any, M proto.Message](t *testing.T, value D, encode func(*D) M, decode func(M) (D, error)) {
	t.Helper()
	got, err := decode(encode(&value))
	if err != nil || !reflect.DeepEqual(got, value) {
		t.Errorf("got %+v, %v, want %+v", got, err, value)
	}
}

func TestRoundTrips(t *testing.T) {
	roundTrip(t, engine.NewOrder{
		ClOrdID: "a b", Account: "A", StrategyID: "s", InstrumentID: "AAA.XNAS", Side: engine.Sell, OrdType: engine.Limit,
		TimeInForce: engine.FOK, OrderQty: math.MaxInt64, Price: -5, HasPrice: true, StopPx: -6, HasStopPx: true, DisplayQty: 7,
		ExpireTime: 8, ExecInsts: engine.PostOnly | engine.ReduceOnly | engine.CancelOnDisconnect, STP: engine.STPDecrement,
		TrailingAmount: 9, TrailingBps: 10,
	}, EncodeNewOrder, DecodeNewOrder)
	roundTrip(t, engine.ReplaceOrder{
		ClOrdID: "b", OrigClOrdID: "a", Account: "A", OrderQty: 1, Price: 2, HasPrice: true, StopPx: 3, HasStopPx: true,
	}, EncodeReplaceOrder, DecodeReplaceOrder)
	roundTrip(t, engine.MassCancelOrders{
		ClOrdID: "m", Account: "A", StrategyID: "s", InstrumentID: "AAA.XNAS", Side: engine.Sell,
	}, EncodeMassCancelOrders, DecodeMassCancelOrders)
	roundTrip(t, engine.NewOrderList{ListID: "l", Account: "A", ContingencyType: engine.Bracket, Orders: []engine.NewOrder{
		{ClOrdID: "1", Account: "A", InstrumentID: "X.Y", Side: 1, OrdType: 1, TimeInForce: 1},
		{ClOrdID: "2", Account: "A", InstrumentID: "X.Y", Side: 2, OrdType: 3, TimeInForce: 2, StopPx: 4, HasStopPx: true},
	}}, EncodeNewOrderList, DecodeNewOrderList)
	// A price of zero is a price.
	roundTrip(t, engine.NewOrder{
		ClOrdID: "a", Account: "A", InstrumentID: "X.Y", Side: 1, OrdType: 1, TimeInForce: 1, HasPrice: true,
	}, EncodeNewOrder, DecodeNewOrder)
	roundTrip(t, engine.CancelOrder{ClOrdID: "c", OrigClOrdID: "o", Account: "A"}, EncodeCancelOrder, DecodeCancelOrder)
	roundTrip(t, engine.Instrument{
		InstrumentID: "X.Y", Version: 3, Class: engine.Future, BaseCurrency: "X", QuoteCurrency: "USD", PriceScale: 2, QtyScale: 8,
		PriceIncrement: 5, QtyIncrement: 6, MinQty: 7, MaxQty: 8, Multiplier: engine.Decimal{Mantissa: 9, Scale: 1},
		MakerFeeRatio: engine.Decimal{Mantissa: -1, Scale: 4}, TakerFeeRatio: engine.Decimal{Mantissa: 2, Scale: 4}, AllowNegativePrice: true,
		ExpireTime: 10, TradingSessions: []engine.TradingSession{{DayOfWeek: 1, Start: 2, End: 3}},
	}, EncodeInstrument, DecodeInstrument)
	roundTrip(t, engine.RiskLimits{Version: 1, MarketOrderBandBps: 2, Limits: []engine.RiskLimit{
		{Account: "A", MaxOrderQty: &engine.Decimal{Mantissa: 1, Scale: 18}},
		{InstrumentID: "X.Y", MaxOrderNotional: &engine.Decimal{}, MaxPositionQty: &engine.Decimal{Mantissa: math.MaxInt64}},
	}}, EncodeRiskLimits, DecodeRiskLimits)
	for _, parts := range [][2]int64{{0, 0}, {1, 1}, {-1, -1}, {0, -999_999_999_999_999_999}, {math.MaxInt64, 999_999_999_999_999_999}} {
		amount, err := engine.NewAmount(parts[0], parts[1])
		if err != nil {
			t.Fatal(err)
		}
		roundTrip(t, engine.Money{Currency: "USD", Amount: amount},
			func(m *engine.Money) *pb.Money { return EncodeMoney(*m) },
			func(m *pb.Money) (engine.Money, error) { return DecodeMoney("cash", m) })
	}
}

// The domain's enumerations have the numbers of the contract: the last of each stands for all.
func TestEnumerationsHaveTheNumbersOfTheContract(t *testing.T) {
	for _, c := range []struct {
		domain   uint8
		contract protoreflect.Enum
	}{
		{uint8(engine.Sell), pb.Side_SIDE_SELL},
		{uint8(engine.TrailingStop), pb.OrdType_ORD_TYPE_TRAILING_STOP},
		{uint8(engine.GTD), pb.TimeInForce_TIME_IN_FORCE_GTD},
		{uint8(engine.StatusInDoubt), pb.OrdStatus_ORD_STATUS_IN_DOUBT},
		{uint8(engine.ExecInDoubt), pb.ExecType_EXEC_TYPE_IN_DOUBT},
		{uint8(engine.RejJournalFull), pb.OrdRejReason_ORD_REJ_REASON_JOURNAL_FULL},
		{uint8(engine.CxlVenue), pb.CxlRejReason_CXL_REJ_REASON_VENUE},
		{uint8(engine.ByVenue), pb.RejectedBy_REJECTED_BY_VENUE},
		{uint8(engine.LiquidityRemoved), pb.LiquidityInd_LIQUIDITY_IND_REMOVED},
		{uint8(engine.STPDecrement), pb.SelfTradePrevention_SELF_TRADE_PREVENTION_DECREMENT},
		{uint8(engine.Bracket), pb.ContingencyType_CONTINGENCY_TYPE_BRACKET},
		{uint8(engine.Halted), pb.TradingState_TRADING_STATE_HALTED},
		{uint8(engine.Future), pb.InstrumentClass_INSTRUMENT_CLASS_FUTURE},
	} {
		values := c.contract.Descriptor().Values()
		last := values.Get(values.Len() - 1).Number()
		if c.contract.Number() != last || int(c.domain) != int(last) {
			t.Errorf("%s: the domain ends at %d, the contract at %d", c.contract.Descriptor().Name(), c.domain, last)
		}
	}
}

func TestDecodeErrors(t *testing.T) {
	instrument := func(change func(*pb.Instrument)) error {
		m := EncodeInstrument(&engine.Instrument{InstrumentID: "X.Y", Class: engine.Spot})
		change(m)
		_, err := DecodeInstrument(m)
		return err
	}
	limits := func(limit *pb.RiskLimit) error {
		_, err := DecodeRiskLimits(&pb.RiskLimits{Limits: []*pb.RiskLimit{limit}})
		return err
	}
	money := func(m *pb.Money) error {
		_, err := DecodeMoney("cash", m)
		return err
	}
	order := func(change func(*pb.NewOrder)) error {
		o := EncodeNewOrder(&engine.NewOrder{ClOrdID: "1", Account: "A", InstrumentID: "X.Y", Side: 1, OrdType: 1, TimeInForce: 1})
		change(o)
		_, err := DecodeNewOrder(o)
		return err
	}
	list := func(orders int) error {
		_, err := DecodeNewOrderList(&pb.NewOrderList{ListId: "l", Account: "A", ContingencyType: 1, Orders: make([]*pb.NewOrder, orders)})
		return err
	}
	_, failureErr := DecodeCheckFailures([]*pb.CheckFailure{{OrdRejReason: 99}})
	for want, err := range map[string]error{
		"instrument_class: must be specified":             instrument(func(m *pb.Instrument) { m.InstrumentClass = 0 }),
		"instrument_class: unknown value 259":             instrument(func(m *pb.Instrument) { m.InstrumentClass = 259 }),
		"multiplier: is missing":                          instrument(func(m *pb.Instrument) { m.Multiplier = nil }),
		"maker_fee_ratio.scale: must be at most 18":       instrument(func(m *pb.Instrument) { m.MakerFeeRatio = &pb.Decimal{Scale: 19} }),
		"limits[0].max_position_qty.scale: must be at":    limits(&pb.RiskLimit{MaxPositionQty: &pb.Decimal{Scale: 4_000_000_000}}),
		"cash.currency: is missing":                       money(&pb.Money{Units: 1}),
		"cash.attos: must be within":                      money(&pb.Money{Currency: "USD", Attos: 1_000_000_000_000_000_000}),
		"cash.attos: must have the sign":                  money(&pb.Money{Currency: "USD", Units: 1, Attos: -1}),
		"check_failures[0].ord_rej_reason: unknown value": failureErr,
		"exec_insts[1]: must not be given twice":          order(func(o *pb.NewOrder) { o.ExecInsts = []pb.ExecInst{1, 1} }),
		"exec_insts[0]: unknown value 9":                  order(func(o *pb.NewOrder) { o.ExecInsts = []pb.ExecInst{9} }),
		"self_trade_prevention: unknown value 6":          order(func(o *pb.NewOrder) { o.SelfTradePrevention = 6 }),
		"orders: must be 2 to 16, got 17":                 list(17),
		"orders: must be 2 to 16, got 1":                  list(1),
	} {
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestAbsentStaysAbsent(t *testing.T) {
	report := EncodeExecutionReport(&engine.ExecutionReport{NewOrder: &engine.NewOrder{}})
	if report.Price != nil || report.Commission != nil || report.CumNotional != nil {
		t.Errorf("got %v", report)
	}
	position := EncodePosition(&engine.Position{MarkPx: 5})
	if position.MarkPx != nil || position.UnrealizedPnl != nil {
		t.Errorf("got %v", position)
	}
	if state := EncodeAccountState(&engine.AccountState{Equity: engine.Money{Currency: "USD"}}); state.Equity != nil {
		t.Errorf("got %v", state)
	}
	if marked := EncodePosition(&engine.Position{HasMark: true}); marked.MarkPx == nil || *marked.MarkPx != 0 {
		t.Errorf("a mark of zero is a mark: got %v", marked)
	}
}
