// Package live drives the engine from the sequencer in one goroutine while clients trade, against a
// market that is replayed from recorded rows, or one that synthetic order flow makes.
package live

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"aetherion/trading/internal/clock"
	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/gate"
	"aetherion/trading/internal/market"
	"aetherion/trading/internal/recovery"
	"aetherion/trading/internal/router"
	"aetherion/trading/internal/sequencer"
	"aetherion/trading/internal/venue/flow"
	"aetherion/trading/internal/venue/remote"
)

// reportsAtOnce is how many reports of the venue the sequencer takes in one batch.
const reportsAtOnce = 1024

// previewWait is as long as a Risk Service takes to start, and be told what it has to know.
const previewWait = 2 * time.Second

// defaultReportsKept takes some 60 MB.
const defaultReportsKept = 100_000

// Config is what a session depends on besides the rows.
type Config struct {
	Account           string
	InitialCash       engine.Money
	Speed             float64 // recorded seconds a second; 0 is as fast as the readers read
	MaxVolumeShareBps uint32
	OrderLatency      time.Duration
	RiskTimeout       time.Duration
	// ReportsKept is how many execution reports are kept in memory, to resume streams from; older ones are read
	// from the journal.
	ReportsKept int // 100,000 when zero
	// Synthetic is the market of a session without a data set; nil: none.
	Synthetic *flow.Config
	// SnapshotEvents is after how many events the state is kept, so that the next start is quick; 250,000 when zero.
	SnapshotEvents uint64
	// Clock is what events are stamped by, without a data set; the machine's when nil.
	Clock clock.Clock
	// Venue is where a venue in another process is served, instead of one in this; nil: none.
	Venue grpc.ClientConnInterface
	// Durable says that the journal outlives the loss of power: without that no venue of real money is traded at.
	Durable bool
	// Adoption is what becomes of what that venue has and we do not; to refuse when empty.
	Adoption Adoption
	// Reconcile is how often we ask that venue what it has; two seconds when zero.
	Reconcile time.Duration
}

// Journal is what a session recovers from and goes on with.
type Journal interface {
	sequencer.Journal
	recovery.Past
	// OldestSnapshot is the sequence of the oldest state kept; what came before it may be gone.
	OldestSnapshot() uint64
	// Snapshot keeps the state after the event of a sequence.
	Snapshot(sequence uint64, state []byte) error
	// ID tells this journal from every other one.
	ID() string
}

// Session is what clients trade in. Its fields may be used from any goroutine.
type Session struct {
	Sequencer         *sequencer.Live
	Reports           *ReportLog
	Gate              *gate.Gate
	Emergency         *Emergency
	Replay            *market.Replay      // nil without a market
	Instruments       []engine.Instrument // as rows count them
	MaxVolumeShareBps uint32

	journal   Journal
	core      *sequencer.Sequencer // of the sequencer's goroutine
	snapshots *snapshots
	past      *past
	calls     sync.WaitGroup
	// previewWait is for how long a preview waits for the Risk Service.
	previewWait time.Duration
	reader      *market.Reader
	desk        desk // nil without a market
}

// New opens a session where its journal ends. Without a data set and synthetic order flow nothing can be
// traded.
func New(config Config, dataset *market.Dataset, risk grpc.ClientConnInterface, journal Journal) (*Session, error) {
	if config.ReportsKept == 0 {
		config.ReportsKept = defaultReportsKept
	}
	s := &Session{Reports: NewReportLog(config.ReportsKept), MaxVolumeShareBps: config.MaxVolumeShareBps, journal: journal,
		past: &past{journal: journal}, previewWait: previewWait}
	recovered := following{reports: s.Reports}
	since, state, err := recovered.recover(journal)
	if err != nil {
		return nil, err
	}
	now := config.Clock
	if now == nil {
		now = clock.System{}
	}
	inbox, venues := newInbox(), map[string]router.Venue{}
	var elsewhere *remote.Venue
	switch {
	case dataset != nil:
		recorded := &replayClock{}
		now = recorded
		if err := s.openReplay(config, dataset, recorded, inbox, state.Now()); err != nil {
			return nil, err
		}
	case config.Synthetic != nil:
		if err := s.openSynthetic(config, now, inbox, state); err != nil {
			return nil, err
		}
	case config.Venue != nil:
		if elsewhere, err = s.openRemote(config, now, state, journal.ID()); err != nil {
			return nil, err
		}
	}
	var ids []string
	for i := range s.Instruments {
		ids = append(ids, s.Instruments[i].InstrumentID)
		venues[s.Instruments[i].Venue()] = inbox
	}
	if elsewhere != nil {
		venues[elsewhere.Name()] = elsewhere
	}
	sampler := sequencer.NewSampler(ids)
	s.Gate = gate.New(risk, state.PretradeSnapshot, gate.Config{Deadline: config.RiskTimeout, SessionID: "live", Recovered: recovered.gate})
	s.snapshots = &snapshots{journal: journal, gate: s.Gate, events: cmp.Or(config.SnapshotEvents, snapshotEvents), last: since}
	s.Emergency = newEmergency(venues)
	sequencing := sequencer.New(now, state, s.Gate, journal, sampler)
	s.core = sequencing
	routes := router.New(venues)
	sequencing.AskVenues(routes.Capabilities)
	s.Sequencer = sequencer.NewLive(sequencing, func(sent []router.Route) []engine.Input {
		s.Emergency.sent(sent)
		return routes.Send(sent)
	}, func(reports []*engine.ExecutionReport) {
		s.Emergency.reported(reports)
		s.Reports.Publish(reports)
	})
	if s.desk != nil {
		s.desk.connect(core{
			sampler: sampler, report: s.report, query: s.Sequencer.Query,
			mark: func(ctx context.Context) error { return s.mark(ctx, sequencing) },
		})
	}
	if err := s.open(config, sequencing, routes.Send); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Close gives back what New opened, after Run has returned.
func (s *Session) Close() error {
	s.calls.Wait()
	s.past.replays.Wait()
	if s.Gate != nil {
		s.Gate.Close()
	}
	if s.reader == nil {
		return nil
	}
	return s.reader.Close()
}

// open journals the world in which the session trades, as far as the journal does not know it, and sends what the
// last process did not come to send.
func (s *Session) open(config Config, core *sequencer.Sequencer, send func([]router.Route) []engine.Input) error {
	inputs := s.definitions(core.Engine())
	if _, opened := core.Engine().Account(config.Account); !opened {
		inputs = append(inputs, &engine.AccountOpened{Account: config.Account, BaseCurrency: config.InitialCash.Currency})
		if config.Venue == nil && config.InitialCash.Amount.Sign() != 0 { // Elsewhere the venue says what there is.
			inputs = append(inputs, &engine.Adjustment{Account: config.Account, Cash: config.InitialCash, Reason: "initial cash"})
		}
	}
	elsewhere, is := s.desk.(*remoteDesk)
	if is {
		inputs = append(inputs, recovery.InDoubt(core.Engine(), elsewhere.venue.Settles())...)
	} else {
		inputs = append(inputs, lost(core.Engine())...)
	}
	if err := s.process(core, send, inputs, !is); err != nil {
		return err
	}
	if is {
		sequence := func(inputs []engine.Input) error { return s.process(core, send, inputs, false) }
		if err := elsewhere.settle(core.Engine(), sequence); err != nil {
			return err
		}
	}
	s.Emergency.recovered(core.Engine())
	return nil
}

// process sequences inputs, and what comes back at once of what follows, before the session runs. Unheard says whether
// what the last process did not come to send goes out first.
func (s *Session) process(core *sequencer.Sequencer, send func([]router.Route) []engine.Input, inputs []engine.Input, unheard bool) error {
	var refusals error
	for first := true; first || len(inputs) > 0; first = false {
		output, err := core.Process(inputs)
		if err != nil {
			return err
		}
		s.Reports.Publish(output.Reports)
		refusals = errors.Join(refusals, refused(output.Results))
		routes := output.Routes
		if first && unheard {
			routes = append(core.Unheard(), routes...)
		}
		inputs = send(routes)
	}
	return refusals
}

// definitions are those that are new or changed, each a version above the one before.
func (s *Session) definitions(e *engine.Engine) []engine.Input {
	var inputs []engine.Input
	for i := range s.Instruments {
		definition := &s.Instruments[i]
		known, exists := e.Instrument(definition.InstrumentID)
		definition.Version = known.Version
		if exists && known.Equal(definition) {
			continue
		}
		definition.Version++
		inputs = append(inputs, definition)
	}
	return inputs
}

// lost ends the orders that worked when the last process ended: the simulated venue lives in this
// process, and its orders died with the one before. Those of which it had said nothing are sent again.
func lost(e *engine.Engine) []engine.Input {
	var inputs []engine.Input
	for _, account := range e.Accounts() {
		e.Orders(account.Account, 0, func(order *engine.Order) bool {
			if order.Open() && !order.Held() && !order.Unheard() {
				instrument, _ := e.Instrument(order.NewOrder.InstrumentID)
				inputs = append(inputs, &engine.VenueReport{Venue: instrument.Venue(), OrderID: order.OrderID, ExecType: engine.ExecCanceled,
					TransactTime: e.Now(), Text: "the simulated venue was started anew"})
			}
			return true
		})
	}
	return inputs
}

// Run trades until ctx ends or something fails for good.
func (s *Session) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.Sequencer.Run(ctx) })
	group.Go(func() error { return unlessStopped(s.snapshots.run(ctx, s.Sequencer)) })
	if s.desk != nil {
		group.Go(func() error { return unlessStopped(s.desk.run(ctx)) })
	}
	return group.Wait()
}

// unlessStopped drops an error that only says that the session is at its end: the cause is another's.
func unlessStopped(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, sequencer.ErrStopped) {
		return nil
	}
	return err
}

// report sequences what the venue said.
func (s *Session) report(ctx context.Context, inputs []engine.Input) error {
	for part := range slices.Chunk(inputs, reportsAtOnce) {
		results, err := s.Sequencer.Submit(ctx, part...)
		if err != nil {
			return err
		}
		if err := refused(results); err != nil {
			return err
		}
	}
	return nil
}

// VenueDiffers says what the venue has and we do not, and nobody may mend but a person; empty: nothing.
func (s *Session) VenueDiffers() string {
	if desk, elsewhere := s.desk.(*remoteDesk); elsewhere {
		if told := desk.audit.told.Load(); told != nil {
			return *told
		}
	}
	return ""
}

// Preview is what would be decided on an order now. Nothing is held, journaled or sent. Right after a start it waits a
// moment for the Risk Service.
func (s *Session) Preview(ctx context.Context, order *engine.OrderDecision) (engine.OrderDecision, error) {
	moment, cancel := context.WithTimeout(ctx, s.previewWait)
	defer cancel()
	_ = s.Gate.Ready(moment) // What is not ready then refuses with its reason.
	var refusal *engine.Refusal
	var wait func() *engine.OrderDecision
	err := s.Sequencer.Query(ctx, func(*engine.Engine) {
		var check engine.PretradeCheck
		if check, refusal = s.core.Preview(order); refusal == nil {
			wait = s.Gate.Preview(check)
		}
	})
	switch {
	case err != nil:
		return engine.OrderDecision{}, err
	case refusal != nil:
		return engine.OrderDecision{OrdRejReason: refusal.OrdRejReason, RejectedBy: engine.ByEngine, Text: refusal.Text}, nil
	}
	return *wait(), nil
}

func (s *Session) mark(ctx context.Context, core *sequencer.Sequencer) error {
	var marks []engine.Input
	// A query runs on the goroutine that owns the core.
	if err := s.Sequencer.Query(ctx, func(*engine.Engine) { marks = core.HeldMarks() }); err != nil {
		return err
	}
	return s.report(ctx, marks)
}

// errRefused says that an event does not apply.
var errRefused = errors.New("the engine refused an event")

func refused(results []sequencer.Result) error {
	for i := range results {
		if err := results[i].Err; err != nil {
			return fmt.Errorf("%w: %w", errRefused, err)
		}
	}
	return nil
}
