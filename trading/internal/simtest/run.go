package simtest

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"

	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/journal"
)

// Options are what a run is made of, besides its script.
type Options struct {
	Risk           *Risk
	SettleSteps    int    // between comparisons; 2,000 when zero
	SnapshotEvents uint64 // 2,000 when zero
}

// Result is what a run came to.
type Result struct {
	Hash     string // over everything that happened
	Lives    int
	Commands int
	Orders   int // at the exchange
	Fills    int
	Reports  int
	Events   uint64
	Faults   map[string]int
	Met      map[string]int // what of the order path was met, and how often
	Virtual  time.Duration
	Real     time.Duration
}

func (r *Result) String() string {
	return fmt.Sprintf("%v in %v: %d commands, %d orders at the exchange, %d fills, %d reports, %d events, %d lives; trace %s",
		r.Virtual.Round(time.Second), r.Real.Round(time.Millisecond), r.Commands, r.Orders, r.Fills, r.Reports, r.Events, r.Lives, r.Hash)
}

// gcPercent trades memory for time.
const gcPercent = 200

// run is one simulation under way.
type run struct {
	*world
	script  *Script
	options Options
	oracle  *oracle
	venue   *venue
	network *network
	trading *trading
	client  *client
	restart time.Duration // after which the next process starts
	result  *Result
	oldest  uint64 // no order up to this one is open
	hashed  uint64 // the sequence from which states are compared again
}

// Run does a script, and says what must not be.
func Run(t *testing.T, script Script, options Options) (result Result, err error) {
	cryptotest.SetGlobalRandom(t, script.Seed) // of a journal's id
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	defer debug.SetGCPercent(debug.SetGCPercent(gcPercent))
	began := time.Now()
	synctest.Test(t, func(*testing.T) {
		virtual := now()
		err = simulate(&script, options, &result)
		result.Virtual = time.Duration(now() - virtual)
	})
	result.Real = time.Since(began)
	if err != nil {
		err = fmt.Errorf("seed %d: %w", script.Seed, err)
	}
	return result, err
}

func simulate(script *Script, options Options, result *Result) error {
	if options.SettleSteps == 0 {
		options.SettleSteps = 2000
	}
	if options.SnapshotEvents == 0 {
		options.SnapshotEvents = 2000
	}
	r := &run{world: newWorld(script.Seed), script: script, options: options, oracle: newOracle(), result: result}
	result.Faults, result.Met = map[string]int{}, map[string]int{}
	var err error
	if r.venue, err = newVenue(r.world, r.oracle); err != nil {
		return err
	}
	r.network = &network{world: r.world}
	r.trading = &trading{world: r.world, risk: options.Risk, network: r.network, venue: r.venue,
		disk: journal.NewSimDisk(script.Seed), shadow: newShadow(options.SnapshotEvents)}
	r.client = newClient(r.trading, result.Met)
	r.trading.opened, r.trading.ended = r.opened, r.ended
	r.trading.start()
	err = r.play()
	if err == nil {
		err = r.finish()
	}
	r.summarize()
	return r.stop(err)
}

// opened sets the limits when the journal is new, and otherwise sends again what was not answered.
func (r *run) opened() {
	if r.trading.lives == 1 {
		r.client.send(func() []engine.Input { return []engine.Input{limits(r.seed)} })
		return
	}
	r.client.reconnect()
}

// limits are those of the account. With every other seed a loss is too high now and then.
func limits(seed uint64) *engine.LimitChange {
	limit := engine.RiskLimit{Account: account, MaxPositionQty: &engine.Decimal{Mantissa: maxPosition, Scale: 3}}
	if seed%2 == 0 {
		limit.MaxDrawdown = &engine.Decimal{Mantissa: maxDrawdown}
	}
	return &engine.LimitChange{ChangedBy: "simulation", Reason: "to be reached", RiskLimits: engine.RiskLimits{
		Version: 1, MarketOrderBandBps: 500, Limits: []engine.RiskLimit{limit},
	}}
}

// maxDrawdown is in USDT, of an account that holds a hundred coins.
const maxDrawdown = 6_000

// ended lets the next process start a while later.
func (r *run) ended() {
	r.after(r.restart, func() {
		if r.trading.process == nil {
			r.trading.start()
		}
	})
}

// play does the steps, and compares now and then.
func (r *run) play() error {
	if err := r.healed(); err != nil { // The first process has opened, and the limit is set.
		return err
	}
	began := now()
	for n, number := range r.steps() {
		one := r.script.step(number)
		if err := r.run(began + int64(r.script.time(&one))); err != nil {
			return fmt.Errorf("before step %d: %w", number, err)
		}
		r.client.hear()
		r.do(&one)
		if n%r.options.SettleSteps == r.options.SettleSteps-1 {
			if err := r.healed(); err != nil {
				return fmt.Errorf("after step %d: %w", number, err)
			}
			began = now() - int64(time.Duration(number+1)*r.script.Every)
		}
		if r.failed != nil {
			return fmt.Errorf("step %d: %w", number, r.failed)
		}
	}
	return nil
}

func (r *run) steps() func(yield func(int, int) bool) {
	return func(yield func(int, int) bool) {
		if r.script.Kept == nil {
			for i := range r.script.Steps {
				if !yield(i, i) {
					return
				}
			}
			return
		}
		for n, i := range r.script.Kept {
			if !yield(n, i) {
				return
			}
		}
	}
}

// do does a step.
func (r *run) do(s *step) {
	if s.kind != commands {
		r.result.Faults[string(s.kind)]++
	}
	p := r.trading.process
	switch s.kind {
	case commands:
		mid, at, orders := r.venue.mid, r.trading.clock.Now(), r.script.Orders
		script, number := r.script, s.number
		r.client.send(func() []engine.Input {
			one := script.step(number)
			return one.message(orders, mid, at)
		})
	case again:
		r.client.repeat()
	case riskRestarts:
		r.trading.riskDown.Store(now() + int64(s.duration))
		if p != nil {
			p.risk.sever()
		}
	case riskLate:
		r.trading.riskLate.Store(now() + int64(s.duration))
	case badNetwork:
		r.network.until, r.network.rates = now()+int64(s.duration), s.rates
	case disconnect:
		r.venue.disconnect(s.duration)
	case clockStep:
		r.trading.clock.offset.Store(int64(s.duration))
	default:
		if p != nil && !p.isDead() {
			r.hurt(p, s)
		}
	}
}

// hurt is a fault of the process or its disk.
func (r *run) hurt(p *process, s *step) {
	r.restart, r.trading.power = s.duration, s.power
	switch s.kind {
	case crash:
		p.die()
	case crashWrite:
		p.writes.Store(s.n)
	case crashSend:
		p.sends.Store(s.n)
	case crashAsk:
		p.asks.Store(s.n)
	case syncFails:
		r.trading.expected = true
		p.syncFails.Store(true)
	case diskFull:
		p.disk.SetCapacity(1)
		r.after(s.duration, func() { p.disk.SetCapacity(0) })
	}
}

// summarize fills the result in.
func (r *run) summarize() {
	sum := sha256.New()
	for _, trace := range [][]byte{r.trading.shadow.trace.Sum(nil), r.venue.trace.Sum(nil), r.client.trace.Sum(nil)} {
		sum.Write(trace)
	}
	r.result.Hash = fmt.Sprintf("%x", sum.Sum(nil)[:8])
	r.result.Lives, r.result.Commands, r.result.Reports = r.trading.lives, r.client.answers, r.client.reports
	r.result.Orders, r.result.Fills, r.result.Events = r.oracle.orders, r.oracle.fills, r.trading.shadow.engine.Sequence()
}

// stop ends the last process, so that no goroutine is left.
func (r *run) stop(err error) error {
	r.failed = nil
	r.trading.ended = func() {}
	if p := r.trading.process; p != nil {
		p.die()
	}
	for range 600 {
		if r.trading.process == nil {
			return err
		}
		r.failed = nil
		_ = r.run(now() + int64(100*time.Millisecond))
	}
	return fmt.Errorf("the Trading Service does not end (%w)", err)
}

// Details tell how often each fault happened, and what was met.
func (r *Result) Details() string {
	var parts []string
	for _, counts := range []map[string]int{r.Faults, r.Met} {
		for _, name := range slices.Sorted(maps.Keys(counts)) {
			parts = append(parts, fmt.Sprintf("%s %d", name, counts[name]))
		}
	}
	return strings.Join(parts, ", ")
}
