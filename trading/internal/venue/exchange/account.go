package exchange

import (
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/contract"
	"aetherion/trading/internal/engine"
)

// ledger is an amount a currency.
type ledger map[string]engine.Amount

func (l ledger) currencies() []string { return slices.Sorted(maps.Keys(l)) }

// account is what a client has and what it was told.
type account struct {
	name    string
	owner   uint32
	total   ledger
	held    ledger // of total, for open orders
	names   map[string]named
	orders  []*order // all, oldest first
	open    map[uint64]*order
	reports []*pb.ExecutionReport
	fills   []*pb.ExecutionReport
}

// named is what a client's name stands for, for ever.
type named struct {
	message proto.Message
	order   *order
}

// Countable refuses a deposit that would take the venue's sum of a currency beyond what an amount can be.
func (x *Exchange) Countable(d *pb.Deposit) error {
	money, err := contract.DecodeMoney("amount", d.GetAmount())
	if err != nil {
		return err
	}
	if _, err := x.supply[money.Currency].Add(money.Amount); err != nil {
		return fmt.Errorf("amount: all deposits of %s must be countable, got %s more: %w", money.Currency, money, err)
	}
	return nil
}

// deposit is checked already, but for the sum of all deposits.
func (x *Exchange) deposit(d *pb.Deposit) {
	money, err := contract.DecodeMoney("amount", d.GetAmount())
	if err != nil {
		x.fail(err)
		return
	}
	supply, err := x.supply[money.Currency].Add(money.Amount)
	if err != nil {
		return // More than the venue can count: nothing is given.
	}
	a := x.accounts[d.GetAccount()]
	if a == nil {
		a = &account{
			name: d.GetAccount(), owner: uint32(len(x.owners)), total: ledger{}, held: ledger{},
			names: map[string]named{}, open: map[uint64]*order{},
		}
		x.accounts[a.name], x.owners = a, append(x.owners, a)
	}
	x.supply[money.Currency] = supply
	x.add(a.total, money.Currency, money.Amount)
}

// add cannot overflow: no account has more than all that was deposited.
func (x *Exchange) add(l ledger, currency string, amount engine.Amount) {
	sum, err := l[currency].Add(amount)
	if err != nil {
		x.fail(fmt.Errorf("sum of %s: %w", currency, err))
		return
	}
	l[currency] = sum
}

func (x *Exchange) sub(l ledger, currency string, amount engine.Amount) {
	negative, err := amount.Neg()
	if err != nil {
		x.fail(err)
		return
	}
	x.add(l, currency, negative)
}

func (x *Exchange) fail(err error) {
	if x.err == nil {
		x.err = err
	}
}

// affordable tells whether an account can set aside want more than held of a currency.
func (a *account) affordable(currency string, held, want engine.Amount) bool {
	free, err := a.total[currency].Sub(a.held[currency])
	if err == nil {
		free, err = free.Add(held)
	}
	if err == nil {
		free, err = free.Sub(want)
	}
	return err == nil && free.Sign() >= 0
}

// hold sets aside what an order needs from now on, instead of what it needed before.
func (x *Exchange) hold(o *order, want engine.Amount) {
	x.sub(o.account.held, o.currency(), o.held)
	x.add(o.account.held, o.currency(), want)
	o.held = want
}

// reserve is what may leave the account if leaves trade at price or better, with the higher of the fees. Each
// fill's fee is rounded by itself, so where rounding happens every lot has two attos more.
func reserve(i *engine.Instrument, side pb.Side, leaves, price int64) (engine.Amount, error) {
	if side == pb.Side_SIDE_SELL {
		return Quantity(i, leaves)
	}
	sum, err := engine.Notional(i, leaves, price)
	if err != nil {
		return engine.Amount{}, err
	}
	worst := engine.Amount{}
	rounded := false
	for _, ratio := range []engine.Decimal{i.MakerFeeRatio, i.TakerFeeRatio} {
		fee, err := engine.Fee(sum, ratio)
		if err != nil {
			return engine.Amount{}, err
		}
		if more, err := fee.Sub(worst); err != nil || more.Sign() > 0 {
			worst = fee
		}
		rounded = rounded || i.PriceScale+i.QtyScale+i.Multiplier.Scale+ratio.Scale > attoScale
	}
	if sum, err = sum.Add(worst); err != nil || !rounded {
		return sum, err
	}
	lots, err := engine.NewAmount(0, 2*(leaves/i.QtyIncrement))
	if err != nil {
		return engine.Amount{}, err
	}
	return sum.Add(lots)
}

const attoScale = 18

// Quantity is a quantity of the base currency, in whole ones.
func Quantity(i *engine.Instrument, qty int64) (engine.Amount, error) {
	one := int64(pow10(i.QtyScale))
	return engine.NewAmount(qty/one, qty%one*int64(pow10(attoScale-i.QtyScale)))
}

func pow10(n uint32) uint64 {
	p := uint64(1)
	for range n {
		p *= 10
	}
	return p
}
