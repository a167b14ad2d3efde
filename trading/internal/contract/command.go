package contract

import (
	"errors"
	"fmt"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/engine"
)

// The fewest and the most orders of a list.
const (
	minListOrders = 2
	maxListOrders = 16
)

// EncodeReplaceOrder gives the contract's form.
func EncodeReplaceOrder(r *engine.ReplaceOrder) *pb.ReplaceOrder {
	return &pb.ReplaceOrder{
		ClOrdId: r.ClOrdID, OrigClOrdId: r.OrigClOrdID, Account: r.Account, OrderQty: r.OrderQty,
		Price: present(r.Price, r.HasPrice), StopPx: present(r.StopPx, r.HasStopPx),
	}
}

// DecodeReplaceOrder checks the names. Prices and quantities are for the engine to judge.
func DecodeReplaceOrder(r *pb.ReplaceOrder) (engine.ReplaceOrder, error) {
	if r == nil {
		return engine.ReplaceOrder{}, errors.New("replace_order: is missing")
	}
	err := first(
		Name("cl_ord_id", r.GetClOrdId()), Name("orig_cl_ord_id", r.GetOrigClOrdId()), Name("account", r.GetAccount()),
	)
	if err != nil {
		return engine.ReplaceOrder{}, err
	}
	return ReplaceOrderOf(r), nil
}

// ReplaceOrderOf refuses nothing.
func ReplaceOrderOf(r *pb.ReplaceOrder) engine.ReplaceOrder {
	if r == nil {
		return engine.ReplaceOrder{}
	}
	return engine.ReplaceOrder{
		ClOrdID: r.GetClOrdId(), OrigClOrdID: r.GetOrigClOrdId(), Account: r.GetAccount(), OrderQty: r.GetOrderQty(),
		Price: r.GetPrice(), HasPrice: r.Price != nil, StopPx: r.GetStopPx(), HasStopPx: r.StopPx != nil,
	}
}

// EncodeMassCancelOrders gives the contract's form.
func EncodeMassCancelOrders(m *engine.MassCancelOrders) *pb.MassCancelOrders {
	return &pb.MassCancelOrders{
		ClOrdId: m.ClOrdID, Account: m.Account, StrategyId: m.StrategyID, InstrumentId: m.InstrumentID, Side: pb.Side(m.Side),
	}
}

// DecodeMassCancelOrders checks names and side.
func DecodeMassCancelOrders(m *pb.MassCancelOrders) (engine.MassCancelOrders, error) {
	if m == nil {
		return engine.MassCancelOrders{}, errors.New("mass_cancel_orders: is missing")
	}
	side, sideErr := optional[engine.Side]("side", m.GetSide(), pb.Side_name)
	err := first(
		Name("cl_ord_id", m.GetClOrdId()), Name("account", m.GetAccount()), StrategyID(m.GetStrategyId()),
		maybeName("instrument_id", m.GetInstrumentId()), sideErr,
	)
	if err != nil {
		return engine.MassCancelOrders{}, err
	}
	return engine.MassCancelOrders{
		ClOrdID: m.GetClOrdId(), Account: m.GetAccount(), StrategyID: m.GetStrategyId(), InstrumentID: m.GetInstrumentId(), Side: side,
	}, nil
}

// EncodeNewOrderList gives the contract's form.
func EncodeNewOrderList(l *engine.NewOrderList) *pb.NewOrderList {
	encoded := &pb.NewOrderList{
		ListId: l.ListID, Account: l.Account, ContingencyType: pb.ContingencyType(l.ContingencyType), Orders: make([]*pb.NewOrder, len(l.Orders)),
	}
	for i := range l.Orders {
		encoded.Orders[i] = EncodeNewOrder(&l.Orders[i])
	}
	return encoded
}

// DecodeNewOrderList checks names and enumerations. What the orders may mean to each other is for the
// engine to judge.
func DecodeNewOrderList(l *pb.NewOrderList) (engine.NewOrderList, error) {
	if l == nil {
		return engine.NewOrderList{}, errors.New("new_order_list: is missing")
	}
	contingency, contingencyErr := specified[engine.ContingencyType]("contingency_type", l.GetContingencyType(), pb.ContingencyType_name)
	err := first(Name("list_id", l.GetListId()), Name("account", l.GetAccount()), contingencyErr)
	if n := len(l.GetOrders()); err == nil && (n < minListOrders || n > maxListOrders) {
		err = fmt.Errorf("orders: must be %d to %d, got %d", minListOrders, maxListOrders, n)
	}
	if err != nil {
		return engine.NewOrderList{}, err
	}
	decoded := engine.NewOrderList{
		ListID: l.GetListId(), Account: l.GetAccount(), ContingencyType: contingency, Orders: make([]engine.NewOrder, len(l.GetOrders())),
	}
	for i, o := range l.GetOrders() {
		if decoded.Orders[i], err = DecodeNewOrder(o); err != nil {
			return engine.NewOrderList{}, fmt.Errorf("orders[%d].%w", i, err)
		}
	}
	return decoded, nil
}

// NewOrderListOf refuses nothing.
func NewOrderListOf(l *pb.NewOrderList) engine.NewOrderList {
	list := engine.NewOrderList{
		ListID: l.GetListId(), Account: l.GetAccount(), ContingencyType: engine.ContingencyType(l.GetContingencyType()),
		Orders: make([]engine.NewOrder, len(l.GetOrders())),
	}
	for i, o := range l.GetOrders() {
		list.Orders[i] = NewOrderOf(o)
	}
	return list
}

// maybeName is Name where an empty one has a meaning.
func maybeName(field, value string) error {
	if value == "" {
		return nil
	}
	return Name(field, value)
}
