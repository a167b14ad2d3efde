package exchange

import (
	"fmt"
	"testing"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/contract"
	"aetherion/trading/internal/engine"
)

// What works goes on as if nothing had been forgotten; what has ended is gone.
func TestForgetKeepsWhatWorks(t *testing.T) {
	x, err := New(Config{Instruments: []engine.Instrument{{
		InstrumentID: "BTCUSD.SIM", Version: 1, Class: engine.Spot, BaseCurrency: "BTC", QuoteCurrency: "USD",
		PriceScale: 2, PriceIncrement: 1, QtyIncrement: 1, MinQty: 1, Multiplier: engine.Decimal{Mantissa: 1},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	now := int64(0)
	ask := func(command *pb.VenueCommand) []Output {
		t.Helper()
		now++
		if err := x.Handle(now, command); err != nil {
			t.Fatal(err)
		}
		outputs, _, err := x.Advance(now)
		if err != nil {
			t.Fatal(err)
		}
		return outputs
	}
	order := func(name, account string, side pb.Side, qty, price int64) []Output {
		t.Helper()
		return ask(&pb.VenueCommand{Command: &pb.VenueCommand_NewOrder{NewOrder: &pb.NewOrder{
			ClOrdId: name, Account: account, InstrumentId: "BTCUSD.SIM", Side: side, OrderQty: qty, Price: &price,
			OrdType: pb.OrdType_ORD_TYPE_LIMIT, TimeInForce: pb.TimeInForce_TIME_IN_FORCE_GTC,
		}}})
	}
	for _, account := range []string{"A", "B"} {
		for _, currency := range []string{"USD", "BTC"} {
			amount, err := engine.NewAmount(1_000, 0)
			if err != nil {
				t.Fatal(err)
			}
			ask(&pb.VenueCommand{Command: &pb.VenueCommand_Deposit{Deposit: &pb.Deposit{
				Account: account, Amount: contract.EncodeMoney(engine.Money{Currency: currency, Amount: amount}),
			}}})
		}
	}
	order("works", "A", pb.Side_SIDE_BUY, 5, 100)
	order("ends", "A", pb.Side_SIDE_BUY, 1, 101)
	order("takes", "B", pb.Side_SIDE_SELL, 1, 101)
	before := fmt.Sprint(x.Balances("A"), x.Balances("B"))
	last := x.Reports("A", 0)[len(x.Reports("A", 0))-1].GetSequence()

	x.Forget()

	if after := fmt.Sprint(x.Balances("A"), x.Balances("B")); after != before {
		t.Errorf("balances are %s, were %s", after, before)
	}
	if orders := x.Orders("A", 0, false, 10); len(orders) != 1 || orders[0].GetNewOrder().GetClOrdId() != "works" {
		t.Errorf("orders are %v", orders)
	}
	if fills := x.Fills("A", 0, 0, 10); len(fills) != 0 {
		t.Errorf("fills are %v", fills)
	}
	outputs := order("more", "B", pb.Side_SIDE_SELL, 2, 100)
	report := outputs[len(outputs)-1].Report
	if report.GetClOrdId() != "works" || report.GetCumQty() != 2 || report.GetLeavesQty() != 3 || report.GetPrevSequence() != last {
		t.Errorf("after sequence %d came %v", last, report)
	}
	outputs = ask(&pb.VenueCommand{Command: &pb.VenueCommand_CancelOrder{CancelOrder: &pb.CancelOrder{
		ClOrdId: "cancel", OrigClOrdId: "works", Account: "A",
	}}})
	if len(outputs) != 1 || outputs[0].Report.GetExecType() != pb.ExecType_EXEC_TYPE_CANCELED {
		t.Errorf("the cancel gave %v", outputs)
	}
}
