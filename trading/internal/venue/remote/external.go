package remote

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/contract"
	"aetherion/trading/internal/engine"
)

// Audit hears, at each comparison, what the venue has of the account.
type Audit interface {
	// Orders hears of the open orders. It says whether some were taken for ours, of which Adopted was told.
	Orders(ctx context.Context, open []OpenOrder) (adopted bool, err error)
	// Balances hears of all balances, after all fills that were known to the venue before.
	Balances(ctx context.Context, balances []engine.Money) error
}

// OpenOrder is an open order of the account at the venue.
type OpenOrder struct {
	// OrderID is ours, by the venue's name for the order; 0: that is none of ours.
	OrderID uint64
	// External is the order as it would be taken for ours, but for its fills so far.
	External engine.ExternalOrder
}

// external are orders that did not come from us and are taken for ours, by the venue's id.
type external struct {
	ids   map[string]uint64 // our id
	names map[string]string // what the venue calls them, instead of the name that follows from our id
}

// Adopted tells of an order at the venue that was taken for ours, and asks for all fills once more: reports of it
// may have come before anybody waited for them.
func (v *Venue) Adopted(order *engine.Order) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.adopt(order)
	v.fills = ""
}

func (v *Venue) adopt(order *engine.Order) {
	v.external.ids[order.VenueOrderID], v.external.names[order.VenueOrderID] = order.OrderID, order.VenueClOrdID
	v.working[order.OrderID] = &work{venueOrderID: order.VenueOrderID}
}

// CancelExternal asks the venue to end an order that is not ours. It is asked anew at each comparison that still
// finds it.
func (v *Venue) CancelExternal(venueClOrdID string) {
	v.put(&command{message: &pb.VenueCommand{Command: &pb.VenueCommand_CancelOrder{
		CancelOrder: &pb.CancelOrder{ClOrdId: v.request(0), OrigClOrdId: venueClOrdID, Account: v.config.Account},
	}}})
}

// openOrder reads an order as the venue has it now; it may have been replaced since it came.
func (v *Venue) openOrder(o *pb.Order) OpenOrder {
	order, last := contract.NewOrderOf(o.GetNewOrder()), o.GetLastReport()
	name := order.ClOrdID
	order.ClOrdID, order.Account, order.StrategyID = engine.ExternalPrefix+last.GetVenueOrderId(), v.config.Account, ""
	order.OrderQty = last.GetOrderQty()
	order.ExecInsts &= engine.PostOnly // Another, if the venue has it, is the venue's to follow.
	if last.Price != nil {
		order.Price, order.HasPrice = last.GetPrice(), true
	}
	if last.StopPx != nil {
		order.StopPx, order.HasStopPx = last.GetStopPx(), true
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	id, _ := v.orderID(last)
	return OpenOrder{id, engine.ExternalOrder{NewOrder: order, VenueClOrdID: name, VenueOrderID: last.GetVenueOrderId()}}
}

// Prepare comes before orders are taken for ours: it adds their fills so far, and notes their names, under which they
// can be canceled from then on.
func (v *Venue) Prepare(ctx context.Context, orders []*engine.ExternalOrder) error {
	of := map[string]*engine.ExternalOrder{}
	v.mu.Lock()
	for _, order := range orders {
		of[order.VenueOrderID], v.external.names[order.VenueOrderID] = order, order.VenueClOrdID
	}
	v.mu.Unlock()
	for after := ""; ; {
		page, err := v.client.QueryFills(ctx, &pb.QueryFillsRequest{Account: v.config.Account, AfterExecId: after})
		if err != nil || len(page.GetFills()) == 0 {
			return err
		}
		for _, fill := range page.GetFills() {
			if after = fill.GetExecId(); of[fill.GetVenueOrderId()] != nil {
				order := of[fill.GetVenueOrderId()]
				order.Fills = append(order.Fills, engine.ExternalFill{ExecID: after, LastQty: fill.GetLastQty(), LastPx: fill.GetLastPx()})
			}
		}
	}
}

// compareAccount lets the audit hear what the venue has.
func (v *Venue) compareAccount(ctx context.Context, open []OpenOrder) error {
	if v.audit == nil {
		return nil
	}
	adopted, err := v.audit.Orders(ctx, open)
	if err != nil {
		return &finalError{err}
	}
	if adopted {
		if err := v.compareFills(ctx); err != nil {
			return err
		}
	}
	balances, err := v.Balances(ctx)
	switch {
	case status.Code(err) == codes.Unimplemented:
		return nil
	case err != nil:
		return err
	}
	if err := v.audit.Balances(ctx, balances); err != nil {
		return &finalError{err}
	}
	return nil
}
