// Package serve runs a venue in real time: a clock, a durable log and gRPC around package exchange.
package serve

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/journal"
	"aetherion/trading/internal/market"
	"aetherion/trading/internal/venue/exchange"
	"aetherion/trading/internal/venue/fault"
	"aetherion/trading/internal/venue/flow"
)

var errStopped = status.Error(codes.Unavailable, "the venue has stopped")

const (
	maxGroup   = 256 // commands that share one write of the log
	maxPending = 1024
	idle       = time.Hour
)

// Venue is a venue that runs. Commands are in the log before anything follows from them.
type Venue struct {
	log      *journal.File // nil: nothing outlives the process
	requests chan request
	stopped  chan struct{}

	mu       sync.Mutex // of all below
	exchange *exchange.Exchange
	last     int64  // time of the newest command
	highest  uint64 // sequence of the newest report told
	sessions map[*session]struct{}
	readers  map[*reader]struct{}
	asked    []*pb.VenueCommand // by the faults, to be done at once

	flow        *flow.Flow      // nil: nobody trades but clients
	faults      *fault.Injector // nil: the venue behaves
	houseOrders uint64
	downUntil   int64 // no streams before
}

type request struct {
	command *pb.VenueCommand
	done    chan error
}

// Open makes the venue that the log in a directory tells of; with no directory nothing is kept.
func Open(config exchange.Config, dir string) (*Venue, error) {
	x, err := exchange.New(config)
	if err != nil {
		return nil, err
	}
	v := &Venue{
		requests: make(chan request, maxPending), stopped: make(chan struct{}), exchange: x,
		sessions: map[*session]struct{}{}, readers: map[*reader]struct{}{},
	}
	if dir == "" {
		return v, nil
	}
	if v.log, err = journal.Open(dir, journal.Options{}); err != nil {
		return nil, fmt.Errorf("log: %w", err)
	}
	if err := v.recover(fmt.Sprintf("%+v", config)); err != nil {
		return nil, errors.Join(fmt.Errorf("log: %w", err), v.log.Close())
	}
	return v, nil
}

// recover does again what the log holds. Its first record is the configuration: with another one, other
// things would follow from the same commands.
func (v *Venue) recover(config string) error {
	if v.log.LastSequence() == 0 {
		return v.log.Append(1, [][]byte{[]byte(config)})
	}
	return v.log.ReadFrom(1, func(sequence uint64, record []byte) error {
		if sequence == 1 {
			if string(record) != config {
				return errors.New("was written by a venue with other instruments, seed or latencies")
			}
			return nil
		}
		var entry pb.VenueLogEntry
		if err := proto.Unmarshal(record, &entry); err != nil {
			return fmt.Errorf("record %d: %w", sequence, err)
		}
		v.last = entry.GetReceiveTimeNs()
		if err := v.exchange.Handle(v.last, entry.GetCommand()); err != nil {
			return fmt.Errorf("record %d: %w", sequence, err)
		}
		_, err := v.advance(v.last)
		return err
	})
}

// Run lets time pass until ctx ends.
func (v *Venue) Run(ctx context.Context) error {
	defer close(v.stopped)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return nil
		case r := <-v.requests:
			err = v.take(r)
		case <-timer.C:
			now := max(time.Now().UnixNano(), v.last)
			err = v.perform(now, v.live(now))
		}
		if err != nil {
			return err
		}
		timer.Reset(v.wait())
	}
}

// Close gives the log back. Run has ended.
func (v *Venue) Close() error {
	if v.log == nil {
		return nil
	}
	return v.log.Close()
}

// Do hands a command in and waits until it is in the log.
func (v *Venue) Do(ctx context.Context, command *pb.VenueCommand) error {
	r := request{command, make(chan error, 1)}
	select {
	case v.requests <- r:
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	case <-v.stopped:
		return errStopped
	}
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	case <-v.stopped:
		return errStopped
	}
}

// take does a command and those that wait behind it together.
func (v *Venue) take(first request) error {
	group := []request{first}
	for len(group) < maxGroup && len(v.requests) > 0 {
		group = append(group, <-v.requests)
	}
	now := max(time.Now().UnixNano(), v.last)
	var good []request
	var commands []*pb.VenueCommand
	for _, r := range group {
		if err := exchange.Check(r.command); err != nil {
			r.done <- invalid(err)
			continue
		}
		good, commands = append(good, r), append(commands, v.disturb(now, r.command)...)
	}
	if err := v.perform(now, commands); err != nil {
		return err
	}
	for _, r := range good {
		r.done <- nil
	}
	return nil
}

// perform logs commands together and then lets them happen, and what is to be done at once because of them.
func (v *Venue) perform(now int64, commands []*pb.VenueCommand) error {
	for {
		if err := v.write(now, commands); err != nil {
			return fmt.Errorf("log: %w", err)
		}
		asked, err := v.happen(now, commands)
		if err != nil || len(asked) == 0 {
			return err
		}
		commands = asked
	}
}

func (v *Venue) write(now int64, commands []*pb.VenueCommand) error {
	if v.log == nil || len(commands) == 0 {
		return nil
	}
	var records [][]byte
	for _, c := range commands {
		record, err := proto.Marshal(&pb.VenueLogEntry{ReceiveTimeNs: now, Command: c})
		if err != nil {
			return err
		}
		records = append(records, record)
	}
	return v.log.Append(v.log.LastSequence()+1, records)
}

func (v *Venue) happen(now int64, commands []*pb.VenueCommand) (asked []*pb.VenueCommand, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.last = now
	for _, c := range commands {
		if err := v.exchange.Handle(now, c); err != nil {
			return nil, err
		}
	}
	err = v.passTo(now)
	asked, v.asked = v.asked, nil
	return asked, err
}

func (v *Venue) wait() time.Duration {
	v.mu.Lock()
	defer v.mu.Unlock()
	next, ok := v.exchange.Next()
	if v.flow != nil && (!ok || v.flow.Next() < next) {
		next, ok = v.flow.Next(), true
	}
	if v.faults != nil {
		if at, waits := v.faults.Next(); waits && (!ok || at < next) {
			next, ok = at, true
		}
	}
	if !ok {
		return idle
	}
	return min(idle, max(0, time.Until(time.Unix(0, next))))
}

// advance is for recovery too, when nobody listens.
func (v *Venue) advance(now int64) ([]market.Row, error) {
	outputs, rows, err := v.exchange.Advance(now)
	for _, o := range outputs {
		again := o.Report.GetSequence() <= v.highest
		v.highest = max(v.highest, o.Report.GetSequence())
		if v.flow != nil {
			v.flow.Hear(o.Report)
		}
		v.report(now, o.Report, again)
	}
	return rows, err
}

func (v *Venue) tell(r *pb.ExecutionReport, again bool) {
	for s := range v.sessions {
		if s.account == r.GetAccount() {
			s.tell(r, again)
		}
	}
}

func (v *Venue) passTo(now int64) error {
	rows, err := v.advance(now)
	if v.flow != nil {
		v.flow.See(rows)
	}
	v.show(now, rows)
	for r := range v.readers {
		if r.orders {
			r.tell(v.exchange.OrderRows())
		}
	}
	if v.faults != nil {
		v.misbehave(now)
	}
	return err
}

// show tells the readers of market data, true or not.
func (v *Venue) show(now int64, rows []market.Row) {
	if v.faults != nil {
		rows = v.faults.Rows(now, rows)
	}
	for r := range v.readers {
		if !r.orders {
			r.tell(rows)
		}
	}
}
