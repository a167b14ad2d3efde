package exchange

import (
	"fmt"
	"sort"
	"strconv"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/contract"
	"aetherion/trading/internal/engine"
)

// trade is one match as it stands: a bust undoes it, a correction changes its price.
type trade struct {
	first        uint64 // sequence of the taker's report; the maker's is the next
	taker, maker *order
	qty, px      int64
	busted       bool
}

// side is one side of a trade.
type side struct {
	*order
	execID    uint64
	liquidity pb.LiquidityInd
	ratio     engine.Decimal
}

func (t *trade) sides() [2]side {
	i := &t.taker.book.instrument
	return [2]side{
		{t.taker, t.first, pb.LiquidityInd_LIQUIDITY_IND_REMOVED, i.TakerFeeRatio},
		{t.maker, t.first + 1, pb.LiquidityInd_LIQUIDITY_IND_ADDED, i.MakerFeeRatio},
	}
}

// Settlement checks a bust or correction as the venue stands now. It is refused when either side could not
// pay for it: no account ever owes the venue anything.
func (x *Exchange) Settlement(command *pb.VenueCommand) error {
	_, _, err := x.settlement(command)
	return err
}

// settlement is the trade that a bust or correction is about, and what it moves on either side.
func (x *Exchange) settlement(command *pb.VenueCommand) (*trade, [2]movement, error) {
	var moves [2]movement
	execID, px := command.GetTradeCancel().GetExecId(), int64(0)
	if c := command.GetTradeCorrect(); c != nil {
		execID, px = c.GetExecId(), c.GetLastPx()
	}
	t := x.tradeOf(execID)
	if t == nil || t.busted {
		return nil, moves, fmt.Errorf("exec_id: must be a fill that stands, got %q", execID)
	}
	if command.GetTradeCorrect() != nil {
		if broken := checkPrice(&t.taker.book.instrument, "last_px", px); broken != nil {
			return nil, moves, fmt.Errorf("%s", broken.text)
		}
	}
	for n, s := range t.sides() {
		var err error
		if moves[n], err = s.move(t, px); err != nil {
			return nil, moves, err
		}
	}
	return t, moves, x.payable(t, moves)
}

func (x *Exchange) tradeOf(execID string) *trade {
	sequence, err := strconv.ParseUint(execID, 10, 64)
	if err != nil {
		return nil
	}
	n := sort.Search(len(x.trades), func(n int) bool { return x.trades[n].first+1 >= sequence })
	if n == len(x.trades) || x.trades[n].first > sequence {
		return nil
	}
	return x.trades[n]
}

// movement is what a settlement adds to one side, and what of it is fee.
type movement struct {
	base, quote, fee, notional engine.Amount
	commission                 engine.Amount // of the fill from now on
}

// move is what one side gets when its fill has another price from now on, or is undone when px is 0.
func (s side) move(t *trade, px int64) (m movement, err error) {
	i := &s.book.instrument
	was, wasFee, err := value(i, t.qty, t.px, s.ratio)
	if err != nil {
		return m, err
	}
	is := engine.Amount{}
	if px != 0 {
		if is, m.commission, err = value(i, t.qty, px, s.ratio); err != nil {
			return m, err
		}
	} else if m.base, err = Quantity(i, t.qty); err != nil {
		return m, err
	}
	if m.notional, err = is.Sub(was); err != nil {
		return m, err
	}
	if m.fee, err = m.commission.Sub(wasFee); err != nil {
		return m, err
	}
	m.quote = m.notional
	if s.buys() {
		if m.quote, err = m.quote.Neg(); err != nil {
			return m, err
		}
		if m.base, err = m.base.Neg(); err != nil {
			return m, err
		}
	}
	m.quote, err = m.quote.Sub(m.fee)
	return m, err
}

func value(i *engine.Instrument, qty, px int64, ratio engine.Decimal) (notional, fee engine.Amount, err error) {
	if notional, err = engine.Notional(i, qty, px); err != nil {
		return notional, fee, err
	}
	fee, err = engine.Fee(notional, ratio)
	return notional, fee, err
}

// payable refuses what would leave an account with less than is held of it. Both sides may be the same account.
func (x *Exchange) payable(t *trade, moves [2]movement) error {
	i := &t.taker.book.instrument
	change := map[*account]ledger{t.taker.account: {}, t.maker.account: {}}
	for n, s := range t.sides() {
		for currency, amount := range map[string]engine.Amount{i.BaseCurrency: moves[n].base, i.QuoteCurrency: moves[n].quote} {
			sum, err := change[s.account][currency].Add(amount)
			if err != nil {
				return err
			}
			change[s.account][currency] = sum
		}
	}
	for a, changes := range change {
		for currency, amount := range changes {
			want, err := amount.Neg()
			if err != nil {
				return err
			}
			if want.Sign() > 0 && !a.affordable(currency, engine.Amount{}, want) {
				return fmt.Errorf("exec_id: account %q has not free what the settlement takes: %s %s", a.name, want, currency)
			}
		}
	}
	return nil
}

// settle undoes a trade or changes its price, on both sides.
func (x *Exchange) settle(command *pb.VenueCommand) {
	t, moves, err := x.settlement(command)
	if err != nil {
		return // Nothing changes; Settlement says why.
	}
	was := float64(t.px)
	is := 0.0
	if c := command.GetTradeCorrect(); c != nil {
		t.px, is = c.GetLastPx(), float64(c.GetLastPx())
	} else {
		t.busted = true
	}
	for n, s := range t.sides() {
		s.paid += float64(t.qty) * (is - was)
		x.resettle(t, s, moves[n])
	}
}

func (x *Exchange) resettle(t *trade, s side, m movement) {
	i, o := &s.book.instrument, s.order
	x.add(o.account.total, i.BaseCurrency, m.base)
	x.add(o.account.total, i.QuoteCurrency, m.quote)
	x.add(x.fees, i.QuoteCurrency, m.fee)
	var err error
	if o.notional, err = o.notional.Add(m.notional); err != nil {
		x.fail(err)
	}
	execType := pb.ExecType_EXEC_TYPE_TRADE_CORRECT
	if t.busted {
		execType = pb.ExecType_EXEC_TYPE_TRADE_CANCEL
		o.cum, o.busted = o.cum-t.qty, o.busted+t.qty
		o.status = o.afterBust()
	}
	r := x.report(o, execType, "")
	r.ExecRefId, r.LastQty, r.LastPx, r.LastLiquidityInd = strconv.FormatUint(s.execID, 10), t.qty, t.px, s.liquidity
	r.Commission = contract.EncodeMoney(engine.Money{Currency: i.QuoteCurrency, Amount: m.commission})
	o.account.fills = append(o.account.fills, r)
}

// afterBust is where an order is that lost a fill: what was busted does not work again.
func (o *order) afterBust() pb.OrdStatus {
	switch {
	case o.leaves == 0 && o.status == pb.OrdStatus_ORD_STATUS_FILLED:
		return o.complete()
	case o.leaves > 0 && o.cum == 0:
		return pb.OrdStatus_ORD_STATUS_NEW
	}
	return o.status
}

// complete is where an order is of which nothing is left: what was busted counts as canceled.
func (o *order) complete() pb.OrdStatus {
	if o.busted > 0 {
		return pb.OrdStatus_ORD_STATUS_CANCELED
	}
	return pb.OrdStatus_ORD_STATUS_FILLED
}
