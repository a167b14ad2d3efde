package remote

import (
	"context"
	"errors"
	"strconv"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/engine"
)

// missedTwice is in how many comparisons a working order must be missing: it may have ended while its
// report was on its way.
const missedTwice = 2

// reconcile compares, again and again, what was heard with what the venue says when asked: a stream that
// lives may still have lost a report.
func (v *Venue) reconcile(ctx context.Context) error {
	ticker := time.NewTicker(v.config.Reconcile)
	defer ticker.Stop()
	for {
		if err := v.compare(ctx); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// compare compares once. A venue that cannot be asked has nothing to say.
func (v *Venue) compare(ctx context.Context) error {
	v.sendAgain(time.Now())
	err := v.compareFills(ctx)
	if err == nil {
		var open []OpenOrder
		if open, err = v.compareOrders(ctx); err == nil {
			err = errors.Join(v.settleDoubts(ctx), v.compareAccount(ctx, open))
		}
	}
	if status.Code(err) == codes.Unimplemented {
		return nil
	}
	return err
}

// compareFills tells of all fills since the last comparison. The engine knows those that it has.
func (v *Venue) compareFills(ctx context.Context) error {
	for {
		v.mu.Lock()
		after := v.fills
		v.mu.Unlock()
		page, err := v.client.QueryFills(ctx, &pb.QueryFillsRequest{Account: v.config.Account, FromTimeNs: v.config.FillsFrom, AfterExecId: after})
		if err != nil || len(page.GetFills()) == 0 {
			return err
		}
		inputs, err := v.decodeAll(page.GetFills())
		if err != nil {
			return err
		}
		if err := v.tell(ctx, inputs); err != nil {
			return err
		}
		v.mu.Lock()
		v.fills = page.GetFills()[len(page.GetFills())-1].GetExecId()
		v.mu.Unlock()
	}
}

func (v *Venue) decodeAll(reports []*pb.ExecutionReport) ([]engine.Input, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	var inputs []engine.Input
	for _, r := range reports {
		told, err := v.decode(r)
		if err != nil {
			return nil, err
		}
		inputs = append(inputs, told...)
	}
	return inputs, nil
}

// compareOrders gives all open orders, and finds those that we take for working and the venue does not.
func (v *Venue) compareOrders(ctx context.Context) ([]OpenOrder, error) {
	open, all := map[string]bool{}, []OpenOrder(nil)
	for after := ""; ; {
		page, err := v.client.QueryOrders(ctx, &pb.QueryOrdersRequest{Account: v.config.Account, OpenOnly: true, AfterVenueOrderId: after})
		if err != nil {
			return nil, err
		}
		for _, order := range page.GetOrders() {
			after = order.GetLastReport().GetVenueOrderId()
			open[after] = true
			all = append(all, v.openOrder(order))
		}
		if len(page.GetOrders()) == 0 {
			break
		}
	}
	for _, venueOrderID := range v.missing(open) {
		if err := v.ask(ctx, venueOrderID); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// missing are the working orders that the venue did not name twice in a row.
func (v *Venue) missing(open map[string]bool) []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	var missing []string
	for _, id := range sortedKeys(v.working) {
		w := v.working[id]
		if open[w.venueOrderID] {
			w.missed = 0
		} else if w.missed++; w.missed >= missedTwice {
			missing = append(missing, w.venueOrderID)
		}
	}
	return missing
}

// ask tells of the last report of one order.
func (v *Venue) ask(ctx context.Context, venueOrderID string) error {
	number, err := strconv.ParseUint(venueOrderID, 10, 64)
	if err != nil || number == 0 {
		return nil // Names of another kind cannot be asked for one by one.
	}
	page, err := v.client.QueryOrders(ctx, &pb.QueryOrdersRequest{
		Account: v.config.Account, AfterVenueOrderId: strconv.FormatUint(number-1, 10), PageSize: 1,
	})
	if err != nil || len(page.GetOrders()) == 0 {
		return err
	}
	inputs, err := v.decodeAll([]*pb.ExecutionReport{page.GetOrders()[0].GetLastReport()})
	if err != nil {
		return err
	}
	return v.tell(ctx, inputs)
}

// sendAgain repeats what was sent long ago and not answered, since the answer itself may be lost: an order where the
// venue answers to its name as it did then, elsewhere it is asked for; a cancel or a replace always.
func (v *Venue) sendAgain(now time.Time) {
	defer v.rouse()
	v.mu.Lock()
	defer v.mu.Unlock()
	again := func(c *command) {
		if v.overdue(c, now) {
			c.sent = now
			v.outbox = append(v.outbox, c)
		}
	}
	if v.about.GetUniqueClOrdId() {
		for _, id := range sortedKeys(v.unanswered) {
			again(v.unanswered[id])
		}
	}
	for _, id := range sortedKeys(v.requests) {
		for _, c := range v.requests[id] {
			again(c)
		}
	}
}

// overdue says whether a command can no longer arrive, and so should have been answered. The lock is held.
func (v *Venue) overdue(c *command, now time.Time) bool {
	return !c.sent.IsZero() && now.Sub(c.sent) > v.config.Receive
}

// settleDoubts asks for the orders that were not answered at a venue where a send may not be repeated. That one is not
// there is conclusive once it can no longer arrive.
func (v *Venue) settleDoubts(ctx context.Context) error {
	if v.about.GetUniqueClOrdId() {
		return nil
	}
	asked := time.Now()
	doubted := v.doubted(asked)
	if len(doubted) == 0 {
		return nil
	}
	for after := ""; ; {
		page, err := v.client.QueryOrders(ctx, &pb.QueryOrdersRequest{Account: v.config.Account, AfterVenueOrderId: after})
		if err != nil {
			return err
		}
		if len(page.GetOrders()) == 0 {
			break
		}
		var reports []*pb.ExecutionReport
		for _, order := range page.GetOrders() {
			after = order.GetLastReport().GetVenueOrderId()
			if id, ours := v.ownID(order.GetLastReport().GetClOrdId()); ours && doubted[id] {
				delete(doubted, id)
				reports = append(reports, order.GetLastReport())
			}
		}
		inputs, err := v.decodeAll(reports)
		if err != nil {
			return err
		}
		if err := v.tell(ctx, inputs); err != nil {
			return err
		}
	}
	var never []engine.Input
	v.mu.Lock()
	for _, id := range sortedKeys(doubted) {
		delete(v.unanswered, id)
		never = append(never, &engine.VenueReport{
			Venue: v.Name(), OrderID: id, ExecType: engine.ExecRejected, TransactTime: asked.UnixNano(),
			Text: "the venue has no such order, and it can no longer arrive",
		})
	}
	v.mu.Unlock()
	return v.tell(ctx, never)
}

// doubted are the orders that were not answered and can no longer arrive.
func (v *Venue) doubted(now time.Time) map[uint64]bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	ids := map[uint64]bool{}
	for id, c := range v.unanswered {
		if v.overdue(c, now) {
			ids[id] = true
		}
	}
	return ids
}
