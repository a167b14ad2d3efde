package remote

import (
	"slices"
	"strings"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/engine"
)

// What was asked of an order is asked again until the venue answers it, by its name: also of an order that has ended
// meanwhile, for whoever asked is to hear that it was too late. The lock is held in all of this, or not needed yet.

// requested notes a cancel or a replace that is to be answered.
func (v *Venue) requested(c *command) {
	if !slices.Contains(v.requests[c.orderID], c) {
		v.requests[c.orderID] = append(v.requests[c.orderID], c)
	}
}

// answered drops the requests of an order that match, and says whether there were any.
func (v *Venue) answered(orderID uint64, matches func(*command) bool) bool {
	before := v.requests[orderID]
	left := slices.DeleteFunc(slices.Clone(before), matches)
	if v.requests[orderID] = left; len(left) == 0 {
		delete(v.requests, orderID)
	}
	return len(left) < len(before)
}

func named(name string) func(*command) bool {
	return func(c *command) bool {
		return c.message.GetReplaceOrder().GetClOrdId() == name || c.message.GetCancelOrder().GetClOrdId() == name
	}
}

// refused takes a refusal, and says whether it answers a request. One that is answered, or that a process before this
// one made, is not to count as the refusal of another. What is not named as we name requests answers the oldest.
func (v *Venue) refused(orderID uint64, name string) bool {
	if v.answered(orderID, named(name)) {
		return true
	}
	if rest, ours := strings.CutPrefix(name, v.name(orderID)); ours && strings.HasPrefix(rest, "-") {
		return false
	}
	if all := v.requests[orderID]; len(all) > 0 {
		v.answered(orderID, func(c *command) bool { return c == all[0] })
	}
	return true
}

// replaced takes a replacement, and says whether it is the one that was asked for. That of another name is of a process
// before this one, which asked for it, too, and not the answer to what was asked for since.
func (v *Venue) replaced(orderID uint64, name string) bool {
	return v.answered(orderID, named(name)) || v.replacing(orderID) == nil
}

// replacing is the replace of an order that is on its way; nil: none.
func (v *Venue) replacing(orderID uint64) *pb.ReplaceOrder {
	for _, c := range slices.Backward(v.requests[orderID]) {
		if replace := c.message.GetReplaceOrder(); replace != nil {
			return replace
		}
	}
	return nil
}

// replacedBefore is what the venue did not say, or not yet, when it speaks of an order by the name of the replace, or says
// that nothing is left of it as we asked to have it: that it replaced it. Without it the engine would wait for the
// quantity of before.
func (v *Venue) replacedBefore(orderID uint64, r *pb.ExecutionReport) engine.Input {
	asked := v.replacing(orderID)
	if asked == nil || r.GetExecType() == pb.ExecType_EXEC_TYPE_REPLACED || r.GetClOrdId() != asked.GetClOrdId() && !filledAs(asked, r) {
		return nil
	}
	v.answered(orderID, named(asked.GetClOrdId()))
	return &engine.VenueReport{
		Venue: v.Name(), OrderID: orderID, VenueOrderID: r.GetVenueOrderId(), ExecType: engine.ExecReplaced, TransactTime: r.GetTransactTimeNs(),
		OrderQty: asked.GetOrderQty(), Price: asked.GetPrice(), HasPrice: asked.Price != nil,
	}
}

// filledAs says whether an order was filled as a replace asks to have it.
func filledAs(asked *pb.ReplaceOrder, r *pb.ExecutionReport) bool {
	return r.GetExecType() == pb.ExecType_EXEC_TYPE_TRADE && r.GetLeavesQty() == 0 && r.GetOrderQty() == asked.GetOrderQty() &&
		(r.Price != nil) == (asked.Price != nil) && r.GetPrice() == asked.GetPrice()
}
