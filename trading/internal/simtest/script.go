package simtest

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"aetherion/trading/internal/engine"
)

// kind is what a step of a script does.
type kind string

const (
	commands     kind = "commands"         // a client sends a message
	again        kind = "send again"       // a client has lost its answers, and sends its last commands again
	crash        kind = "crash"            // at a time at which commands are on their way
	crashWrite   kind = "crash at a write" // at the nth change of the disk from now
	crashSend    kind = "crash at a send"  // at the nth command to the venue
	crashAsk     kind = "crash at a check" // at the nth message to the Risk Service that asks
	syncFails    kind = "fsync fails"
	diskFull     kind = "disk full"
	riskRestarts kind = "risk restarts"
	riskLate     kind = "risk is late"
	badNetwork   kind = "bad network"
	disconnect   kind = "exchange disconnects"
	clockStep    kind = "clock steps"
)

// faults and how often each comes, of their sum.
var faults = []struct {
	kind   kind
	weight int
}{
	{again, 4}, {crash, 6}, {crashWrite, 6}, {crashSend, 4}, {crashAsk, 3}, {syncFails, 1}, {diskFull, 1}, {riskRestarts, 4},
	{riskLate, 2}, {badNetwork, 4}, {disconnect, 4}, {clockStep, 4},
}

// Script is what happens from outside. Each step follows from the seed and its number alone, so that steps can
// be left out.
type Script struct {
	Seed     uint64
	Steps    int
	Every    time.Duration // between steps
	Orders   int           // commands a message, on average
	FaultBps int64         // of the steps that are faults, in ten thousandths
	Kept     []int         // the steps that are done; nil: all
}

// step is one of them.
type step struct {
	number   int
	kind     kind
	delay    time.Duration // after its time
	duration time.Duration
	n        int64
	power    bool // the machine keeps its power
	rates    rates
	random   *rand.Rand
}

func (s *Script) step(number int) step {
	random := rand.New(rand.NewPCG(s.Seed, uint64(number)))
	one := step{number: number, kind: commands, random: random, delay: time.Duration(random.Int64N(int64(s.Every / 2)))}
	if random.Int64N(everything) >= s.FaultBps || number == 0 {
		return one
	}
	one.kind = drawn(random)
	one.delay = time.Duration(random.Int64N(int64(time.Millisecond)))
	one.duration = time.Duration(random.Int64N(int64(2 * time.Second)))
	one.n, one.power = 1+random.Int64N(8), random.IntN(2) == 0
	switch one.kind {
	case badNetwork:
		for _, rate := range []*int64{&one.rates.Drop, &one.rates.Duplicate, &one.rates.Delay, &one.rates.Lose} {
			*rate = random.Int64N(3000) * random.Int64N(2)
		}
	case diskFull:
		one.duration *= 5 // It shows when the next segment is to be made.
	case clockStep:
		one.duration = time.Duration(random.Int64N(int64(2*time.Hour))) - time.Hour
	}
	return one
}

// time is when a step is done. Faults come while the message of the step before is on its way.
func (s *Script) time(one *step) time.Duration {
	if one.kind == commands {
		return time.Duration(one.number)*s.Every + one.delay
	}
	before := s.step(one.number - 1)
	return time.Duration(before.number)*s.Every + before.delay + one.delay
}

func drawn(random *rand.Rand) kind {
	sum := 0
	for _, f := range faults {
		sum += f.weight
	}
	at := random.IntN(sum)
	for _, f := range faults {
		if at -= f.weight; at < 0 {
			return f.kind
		}
	}
	return commands
}

// String tells of a step what a person needs to follow it.
func (s *step) String() string {
	text := fmt.Sprintf("%6d %s", s.number, s.kind)
	switch s.kind {
	case commands, again:
	case crash:
		text += fmt.Sprintf(" after %v, power %t, start after %v", s.delay, s.power, s.duration)
	case crashWrite, crashSend, crashAsk:
		text += fmt.Sprintf(" %d, power %t, start after %v", s.n, s.power, s.duration)
	case badNetwork:
		text += fmt.Sprintf(" for %v, in 10,000: %+v", s.duration, s.rates)
	default:
		text += fmt.Sprintf(" %v", s.duration)
	}
	return text
}

const (
	recentSteps = 20
	lotsAtMost  = 60
)

// message is the commands of a step, for a market at a price. Sides lean one way and then the other, so that
// limits are reached.
func (s *step) message(orders int, mid, at int64) []engine.Input {
	inputs := make([]engine.Input, 1+s.random.IntN(2*orders-1))
	leaning := 65
	if s.number/400%2 == 1 {
		leaning = 35
	}
	for i := range inputs {
		name := strconv.Itoa(s.number) + "." + strconv.Itoa(i)
		switch draw := s.random.IntN(100); {
		case draw < 66:
			inputs[i] = &engine.OrderDecision{NewOrder: s.order(name, leaning, mid, at)}
		case draw < 70:
			inputs[i] = &engine.OrderListDecision{List: s.list(name, mid)}
		case draw < 88:
			inputs[i] = &engine.CancelOrder{ClOrdID: name, OrigClOrdID: s.earlier(orders), Account: account}
		case draw < 98 || s.number%50 > 0:
			inputs[i] = &engine.ReplaceDecision{Replace: engine.ReplaceOrder{
				ClOrdID: name, OrigClOrdID: s.earlier(orders), Account: account, OrderQty: 1 + s.random.Int64N(2*lotsAtMost),
				Price: mid + s.random.Int64N(mid/100) - mid/200, HasPrice: true,
			}}
		default:
			inputs[i] = &engine.MassCancelOrders{ClOrdID: name, Account: account}
		}
	}
	return inputs
}

func (s *step) order(name string, leaning int, mid, at int64) engine.NewOrder {
	order := engine.NewOrder{
		ClOrdID: name, Account: account, InstrumentID: instrumentID, Side: engine.Sell, OrdType: engine.Limit, TimeInForce: engine.GTC,
		OrderQty: 1 + s.random.Int64N(lotsAtMost), HasPrice: true,
	}
	away := (s.random.Int64N(56) - 15) * mid / 10_000 // some take, most rest
	if order.Price = mid + away; s.random.IntN(100) < leaning {
		order.Side, order.Price = engine.Buy, mid-away
	}
	switch s.random.IntN(10) {
	case 0, 1:
		order.TimeInForce = engine.IOC
	case 2, 3, 4, 5:
		order.TimeInForce, order.ExpireTime = engine.GTD, at+int64(time.Second)+s.random.Int64N(int64(20*time.Second))
	case 6:
		order.ExecInsts = engine.PostOnly
	case 7:
		order.ExecInsts = engine.ReduceOnly
	case 8:
		order.OrdType, order.StopPx, order.HasStopPx = engine.StopLimit, order.Price, true
	}
	return order
}

// list takes a profit or stops a loss.
func (s *step) list(name string, mid int64) engine.NewOrderList {
	profit := engine.NewOrder{
		ClOrdID: name + "p", Account: account, InstrumentID: instrumentID, Side: engine.Sell, OrdType: engine.Limit, TimeInForce: engine.GTC,
		OrderQty: 1 + s.random.Int64N(lotsAtMost), Price: mid + s.random.Int64N(mid/500), HasPrice: true,
	}
	loss := profit
	loss.ClOrdID, loss.OrdType, loss.StopPx, loss.HasStopPx = name+"l", engine.StopLimit, mid-s.random.Int64N(mid/500), true
	loss.Price = loss.StopPx - mid/1000
	return engine.NewOrderList{ListID: name, Account: account, ContingencyType: engine.OCO, Orders: []engine.NewOrder{profit, loss}}
}

// earlier names a command of a step not long ago.
func (s *step) earlier(orders int) string {
	return strconv.Itoa(max(0, s.number-s.random.IntN(recentSteps))) + "." + strconv.Itoa(s.random.IntN(orders))
}

// Text is the script, a step a line; of one that was not shrunk only the faults.
func (s *Script) Text() string {
	var text strings.Builder
	each := s.Kept
	if each == nil {
		for i := range s.Steps {
			each = append(each, i)
		}
	}
	for _, i := range each {
		if one := s.step(i); one.kind != commands || s.Kept != nil {
			text.WriteString(one.String() + "\n")
		}
	}
	return text.String()
}
