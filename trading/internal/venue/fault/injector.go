package fault

import (
	"math/rand/v2"
	"time"

	"google.golang.org/protobuf/proto"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/engine"
)

// Venue is what faults need of the venue that they happen to.
type Venue interface {
	// Settlement says why a bust or a correction cannot be done.
	Settlement(*pb.VenueCommand) error
	// FillFirst is what fills an account's order, named, right away; nothing when it cannot be done.
	FillFirst(now int64, account, name string) []*pb.VenueCommand
}

// Config is what an injector is made of.
type Config struct {
	Rules       []Rule
	Rates       []Rate
	Seed        uint64
	Start       int64 // ns UTC; the times of the rules count from it
	Instruments []engine.Instrument
}

// longestReorder ends the wait of a report for later ones.
const longestReorder = time.Second

// Injector makes the faults of a plan. It is for one goroutine.
type Injector struct {
	config  Config
	random  *rand.Rand
	ticks   map[string]int64
	counts  map[Trigger]uint64
	now     int64
	held    []held
	lost    map[uint64]uint64 // sequence of a report that is never sent to the one before it
	records []*pb.FaultRecord
}

// held is a report that is late.
type held struct {
	report *pb.ExecutionReport
	due    int64
	behind int64 // later reports of the account to let pass; 0: none
}

// New is an injector that nothing has happened to.
func New(config Config) *Injector {
	i := &Injector{
		config: config, random: rand.New(rand.NewPCG(config.Seed, 0x6661756c74)), ticks: map[string]int64{},
		counts: map[Trigger]uint64{}, now: config.Start - 1, lost: map[uint64]uint64{},
	}
	for n := range config.Instruments {
		i.ticks[config.Instruments[n].InstrumentID] = config.Instruments[n].PriceIncrement
	}
	return i
}

// Records are the faults done, oldest first.
func (i *Injector) Records() []*pb.FaultRecord { return i.records }

func (i *Injector) record(now int64, r Rule, account, subject string) {
	i.records = append(i.records, &pb.FaultRecord{TransactTimeNs: now, Fault: r.String(), Account: account, Subject: subject})
}

// hit counts one more of a trigger, and returns what happens to it.
func (i *Injector) hit(on Trigger) []Rule {
	i.counts[on]++
	var rules []Rule
	for _, r := range i.config.Rules {
		if r.On == on && r.N == i.counts[on] {
			rules = append(rules, r)
		}
	}
	for _, r := range i.config.Rates {
		if r.On == on && i.random.Float64() < r.Chance {
			r.N = i.counts[on]
			rules = append(rules, r.Rule)
		}
	}
	return rules
}

// Report takes one that reaches its client now. It returns those that do, and busts and corrections to be
// done at once.
func (i *Injector) Report(now int64, r *pb.ExecutionReport, venue Venue) (out []*pb.ExecutionReport, asked []*pb.VenueCommand) {
	rules := i.hit(Report)
	if r.GetExecType() == pb.ExecType_EXEC_TYPE_TRADE {
		for _, rule := range i.hit(Fill) {
			if rule.Do == Lose {
				rules = []Rule{rule}
				break
			}
			if command := i.settlement(rule, r); venue.Settlement(command) == nil {
				asked = append(asked, command)
				i.record(now, rule, r.GetAccount(), r.GetExecId())
				break // A second one would be of a fill that is no more what it was.
			}
		}
	}
	out = i.deliver(now, i.chained(r), rules)
	return append(out, i.passed(r)...), asked
}

func (i *Injector) settlement(rule Rule, r *pb.ExecutionReport) *pb.VenueCommand {
	if rule.Do == Bust {
		return &pb.VenueCommand{Command: &pb.VenueCommand_TradeCancel{TradeCancel: &pb.TradeCancel{ExecId: r.GetExecId()}}}
	}
	px := r.GetLastPx() + rule.By*i.ticks[r.GetInstrumentId()]
	return &pb.VenueCommand{Command: &pb.VenueCommand_TradeCorrect{TradeCorrect: &pb.TradeCorrect{ExecId: r.GetExecId(), LastPx: px}}}
}

// deliver is what becomes of a report: nothing, itself, or itself more than once.
func (i *Injector) deliver(now int64, r *pb.ExecutionReport, rules []Rule) []*pb.ExecutionReport {
	out := []*pb.ExecutionReport{r}
	for _, rule := range rules {
		i.record(now, rule, r.GetAccount(), r.GetExecId())
		switch rule.Do {
		case Lose:
			i.lost[r.GetSequence()] = r.GetPrevSequence()
			return nil
		case Drop:
			return nil
		case Duplicate:
			out = append(out, r)
		case Delay:
			i.hold(out, now+int64(rule.For), 0)
			return nil
		case Reorder:
			i.hold(out, now+int64(longestReorder), rule.By+1) // It lets itself pass, too.
			return nil
		}
	}
	return out
}

func (i *Injector) hold(reports []*pb.ExecutionReport, due, behind int64) {
	for _, r := range reports {
		i.held = append(i.held, held{r, due, behind})
	}
}

// passed are the reordered reports that let one more pass, and have let enough.
func (i *Injector) passed(by *pb.ExecutionReport) []*pb.ExecutionReport {
	return i.release(func(h *held) bool {
		if h.behind == 0 || h.report.GetAccount() != by.GetAccount() {
			return false
		}
		h.behind--
		return h.behind == 0
	})
}

func (i *Injector) release(when func(*held) bool) (out []*pb.ExecutionReport) {
	kept := i.held[:0]
	for _, h := range i.held {
		if when(&h) {
			out = append(out, h.report)
		} else {
			kept = append(kept, h)
		}
	}
	i.held = kept
	return out
}

// chained is a report that names the one before it that is not lost.
func (i *Injector) chained(r *pb.ExecutionReport) *pb.ExecutionReport {
	before, lost := i.lost[r.GetPrevSequence()]
	if !lost {
		return r
	}
	r = proto.CloneOf(r)
	for ; lost; before, lost = i.lost[r.GetPrevSequence()] {
		r.PrevSequence = before
	}
	return r
}

// Resumed is what a client is sent that resumes: all that it missed, but for what is lost.
func (i *Injector) Resumed(reports []*pb.ExecutionReport) []*pb.ExecutionReport {
	var out []*pb.ExecutionReport
	for _, r := range reports {
		if _, lost := i.lost[r.GetSequence()]; !lost {
			out = append(out, i.chained(r))
		}
	}
	return out
}

// Command takes one that a client sends, and returns what the venue is to do instead.
func (i *Injector) Command(now int64, c *pb.VenueCommand, venue Venue) []*pb.VenueCommand {
	switch one := c.GetCommand().(type) {
	case *pb.VenueCommand_NewOrder:
		return []*pb.VenueCommand{i.order(now, c, one.NewOrder)}
	case *pb.VenueCommand_CancelOrder:
		r := one.CancelOrder
		return append(i.fillFirst(now, Cancel, r.GetAccount(), r.GetOrigClOrdId(), venue), c)
	case *pb.VenueCommand_ReplaceOrder:
		r := one.ReplaceOrder
		return append(i.fillFirst(now, Replace, r.GetAccount(), r.GetOrigClOrdId(), venue), c)
	}
	return []*pb.VenueCommand{c}
}

func (i *Injector) order(now int64, c *pb.VenueCommand, n *pb.NewOrder) *pb.VenueCommand {
	rules := append(i.hit(Order), i.windows(now, Reject)...)
	if len(rules) == 0 {
		return c
	}
	i.record(now, rules[0], n.GetAccount(), n.GetClOrdId())
	c = proto.CloneOf(c)
	c.Refuse = true
	return c
}

func (i *Injector) fillFirst(now int64, on Trigger, account, name string, venue Venue) []*pb.VenueCommand {
	for _, rule := range i.hit(on) {
		if commands := venue.FillFirst(now, account, name); len(commands) > 0 {
			i.record(now, rule, account, name)
			return commands
		}
	}
	return nil
}
