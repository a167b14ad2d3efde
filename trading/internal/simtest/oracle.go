package simtest

import (
	"fmt"
	"strconv"
	"strings"

	pb "aetherion/trading/gen/aetherion/v1"
)

const (
	startCoins  = 100
	maxPosition = startCoins*1000 + 300 // in lots, reached often
)

// oracle is what must hold at the exchange at any time, whatever happens to the Trading Service.
type oracle struct {
	numbers  map[uint64]string // the venue's number of each of our orders
	open     map[string]int64  // lots to buy that still work, by that number
	buying   int64             // all of them
	position int64             // in lots
	fills    int
	orders   int
}

func newOracle() *oracle {
	return &oracle{numbers: map[uint64]string{}, open: map[string]int64{}, position: startCoins * 1000}
}

// see takes the exchange's reports in its order.
func (o *oracle) see(r *pb.ExecutionReport) error {
	known := len(o.numbers)
	if err := o.once(r); err != nil {
		return err
	}
	o.orders += len(o.numbers) - known
	buys := r.GetSide() == pb.Side_SIDE_BUY
	if r.GetExecType() == pb.ExecType_EXEC_TYPE_TRADE {
		o.fills++
		if buys {
			o.position += r.GetLastQty()
		} else {
			o.position -= r.GetLastQty()
		}
	}
	if buys {
		o.work(r.GetVenueOrderId(), r.GetLeavesQty())
	}
	if o.position+o.buying > maxPosition {
		return fmt.Errorf("beyond a limit: position %d and open buys of %d may pass %d after report %d of the exchange",
			o.position, o.buying, maxPosition, r.GetSequence())
	}
	return nil
}

// once finds an order that is at the exchange under two numbers.
func (o *oracle) once(r *pb.ExecutionReport) error {
	_, name, ours := strings.Cut(r.GetClOrdId(), "-")
	name, _, _ = strings.Cut(name, "-")
	id, err := strconv.ParseUint(name, 36, 64)
	if !ours || err != nil {
		return fmt.Errorf("the exchange has an order of a strange name: %q", r.GetClOrdId())
	}
	number, known := o.numbers[id]
	if !known {
		o.numbers[id] = r.GetVenueOrderId()
	} else if number != r.GetVenueOrderId() && r.GetVenueOrderId() != "" {
		return fmt.Errorf("sent twice: order %d is at the exchange as %s and %s", id, number, r.GetVenueOrderId())
	}
	return nil
}

func (o *oracle) work(number string, leaves int64) {
	o.buying += leaves - o.open[number]
	if o.open[number] = leaves; leaves == 0 {
		delete(o.open, number)
	}
}
