package serve

import (
	"fmt"
	"math"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/contract"
	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/venue/exchange"
	"aetherion/trading/internal/venue/fault"
)

const (
	house      = "fault-house" // the account on the other side of fills that are a fault
	maxWaiting = 1 << 16       // reports that wait for a client, when the venue misbehaves
)

var errDown = status.Error(codes.Unavailable, "the venue is disconnected")

// Misbehave makes the venue do the faults of a plan, from now on. Run has not started.
func (v *Venue) Misbehave(rules []fault.Rule, rates []fault.Rate, seed uint64) {
	v.faults = fault.New(fault.Config{
		Rules: rules, Rates: rates, Seed: seed, Start: max(time.Now().UnixNano(), v.last), Instruments: v.exchange.Instruments(),
	})
}

// disturb is what a client's command comes to.
func (v *Venue) disturb(now int64, command *pb.VenueCommand) []*pb.VenueCommand {
	if v.faults == nil {
		return []*pb.VenueCommand{command}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.faults.Command(now, command, v)
}

// Settlement says why a bust or a correction cannot be done.
func (v *Venue) Settlement(command *pb.VenueCommand) error { return v.exchange.Settlement(command) }

// FillFirst is an order of the house that trades through an account's order, and the money for it. It is in
// the log like any other, so that a restart does it again.
func (v *Venue) FillFirst(now int64, account, name string) []*pb.VenueCommand {
	n, qty, price := v.exchange.Through(account, name)
	if qty == 0 {
		return nil
	}
	var money engine.Money
	for _, i := range v.exchange.Instruments() {
		if i.InstrumentID == n.GetInstrumentId() {
			money = cost(&i, n.GetSide(), qty, price)
		}
	}
	if money.Amount.Sign() <= 0 {
		return nil
	}
	v.houseOrders++
	order := &pb.NewOrder{
		Account: house, ClOrdId: fmt.Sprintf("%d-%d", now, v.houseOrders), InstrumentId: n.GetInstrumentId(), OrderQty: qty,
		Side: pb.Side_SIDE_BUY + pb.Side_SIDE_SELL - n.GetSide(), OrdType: pb.OrdType_ORD_TYPE_LIMIT,
		TimeInForce: pb.TimeInForce_TIME_IN_FORCE_IOC, Price: &price,
	}
	deposit := &pb.Deposit{Account: house, Amount: contract.EncodeMoney(money)}
	return []*pb.VenueCommand{
		{Command: &pb.VenueCommand_Deposit{Deposit: deposit}}, {Command: &pb.VenueCommand_NewOrder{NewOrder: order}},
	}
}

// cost is what the house needs to trade with an order: twice the notional is more than any fee; zero when it
// cannot be counted.
func cost(i *engine.Instrument, client pb.Side, qty, price int64) engine.Money {
	money := engine.Money{Currency: i.QuoteCurrency}
	var err error
	if client == pb.Side_SIDE_BUY {
		money.Currency = i.BaseCurrency
		money.Amount, err = exchange.Quantity(i, qty)
	} else if money.Amount, err = engine.Notional(i, qty, price); err == nil {
		money.Amount, err = money.Amount.MulDiv(3, 1)
	}
	if err != nil {
		return engine.Money{}
	}
	return money
}

// report sends one to its account's sessions, with the faults that happen to it.
func (v *Venue) report(now int64, r *pb.ExecutionReport, again bool) {
	if v.faults == nil || again || v.ours(r.GetAccount()) {
		v.tell(r, again || v.faults != nil)
		return
	}
	out, asked := v.faults.Report(now, r, v)
	for _, late := range out {
		v.tell(late, true)
	}
	v.asked = append(v.asked, asked...)
}

// ours are accounts that no fault happens to.
func (v *Venue) ours(account string) bool {
	return account == house || v.flow != nil && v.flow.Owns(account)
}

// misbehave does the faults that come with time.
func (v *Venue) misbehave(now int64) {
	passed := v.faults.Advance(now)
	for _, r := range passed.Reports {
		v.tell(r, true)
	}
	if passed.Books {
		v.show(now, v.exchange.Snapshot())
	}
	if passed.Disconnect == 0 {
		return
	}
	v.downUntil = passed.Disconnect
	for s := range v.sessions {
		s.sever()
	}
	for r := range v.readers {
		r.sever()
	}
}

// down refuses a stream while the venue is disconnected. The lock is held.
func (v *Venue) down() error {
	if time.Now().UnixNano() < v.downUntil {
		return errDown
	}
	return nil
}

// resume gives a new session what it missed. When the venue misbehaves, later reports are handed to the
// session one by one, rather than read from the venue's list. The lock is held.
func (v *Venue) resume(s *session) {
	if v.faults != nil {
		s.repeats = v.faults.Resumed(v.exchange.Reports(s.account, s.after))
		s.limit, s.after = maxWaiting+len(s.repeats), math.MaxUint64
	}
}

func (s *session) sever() {
	if !s.severed {
		s.severed = true
		close(s.cut)
	}
}

func (r *reader) sever() {
	if !r.cut {
		r.cut, r.down = true, true
		close(r.batches)
	}
}
