package contract

import (
	"fmt"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/engine"
)

// DecodeVenueReport gives what a venue that speaks VenueService said of one of our orders.
func DecodeVenueReport(venue string, orderID uint64, r *pb.ExecutionReport) (*engine.VenueReport, error) {
	execType, err := specified[engine.ExecType]("exec_type", r.GetExecType(), pb.ExecType_name)
	if err != nil {
		return nil, err
	}
	report := &engine.VenueReport{
		Venue: venue, OrderID: orderID, VenueOrderID: r.GetVenueOrderId(), ExecID: r.GetExecId(), ExecRefID: r.GetExecRefId(),
		ExecType: execType, TransactTime: r.GetTransactTimeNs(),
		LastQty: r.GetLastQty(), LastPx: r.GetLastPx(), LastLiquidityInd: engine.LiquidityInd(r.GetLastLiquidityInd()),
		CxlRejReason: engine.CxlRejReason(r.GetCxlRejReason()), Text: r.GetText(),
	}
	if execType == engine.ExecReplaced || execType == engine.ExecRestated {
		report.OrderQty = r.GetOrderQty()
		report.Price, report.HasPrice = r.GetPrice(), r.Price != nil
		report.StopPx, report.HasStopPx = r.GetStopPx(), r.StopPx != nil
	}
	// A venue that puts a busted quantity back into the book counts it as open again.
	report.Lapsed = execType == engine.ExecTradeCancel && r.GetCumQty()+r.GetLeavesQty() != r.GetOrderQty()
	if r.GetCommission() != nil {
		if report.Commission, err = DecodeMoney("commission", r.GetCommission()); err != nil {
			return nil, fmt.Errorf("exec_id %q: %w", r.GetExecId(), err)
		}
	}
	return report, nil
}
