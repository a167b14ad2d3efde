package simtest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/journal"
	"aetherion/trading/internal/live"
)

const (
	deadline    = 50 * time.Millisecond // of the Risk Service
	segmentSize = 128 << 10             // so that they follow each other often
	headroom    = 256 << 10
	reportsKept = 20_000
)

// crossing is a point of the order path that a process may be made to die at.
type crossing struct {
	process *process
	left    *atomic.Int64 // how often it is still passed; 0 or less: always
}

// pass says whether the process still lives.
func (c crossing) pass() bool {
	if c.left.Load() > 0 && c.left.Add(-1) == 0 {
		c.process.die()
	}
	return !c.process.isDead()
}

// process is one life of the Trading Service.
type process struct {
	world   *world
	disk    *journal.SimDisk
	session *live.Session // nil until it is open
	risk    *riskConn
	venue   *venueConn
	stop    context.CancelFunc
	context context.Context
	dead    chan struct{} // closed when nothing of it reaches the outside any more
	once    sync.Once
	asks    atomic.Int64
	sends   atomic.Int64
	writes  atomic.Int64 // changes of the disk

	syncFails atomic.Bool
}

// die stops it at once, wherever it is. It may be called from any of its goroutines.
func (p *process) die() { p.once.Do(func() { close(p.dead); p.world.post("death", p.bury) }) }

func (p *process) isDead() bool {
	select {
	case <-p.dead:
		return true
	default:
		return false
	}
}

// bury ends what is left of it.
func (p *process) bury() {
	p.disk.Crash()
	p.stop()
	p.risk.sever()
}

// trading is the Trading Service over all its lives, with what outlives them.
type trading struct {
	*world
	risk     *Risk
	network  *network
	venue    *venue
	clock    simClock
	riskDown atomic.Int64
	riskLate atomic.Int64
	disk     *journal.SimDisk
	shadow   *shadow
	process  *process // nil while there is none
	power    bool     // whether the machine has power through the next crash
	expected bool     // that the process ends by itself
	lives    int
	isOpen   bool   // the process serves clients
	opened   func() // is called when a process has opened
	ended    func() // and when it has ended
}

// simClock is virtual time, stepped back and forth.
type simClock struct{ offset atomic.Int64 }

func (c *simClock) Now() int64 { return now() + c.offset.Load() }

// start begins a life with the disk that the last one left.
func (t *trading) start() {
	ctx, stop := context.WithCancel(context.Background())
	p := &process{world: t.world, disk: t.disk, context: ctx, stop: stop, dead: make(chan struct{})}
	p.risk = &riskConn{risk: t.risk, down: &t.riskDown, late: &t.riskLate, questions: crossing{p, &p.asks}}
	p.venue = &venueConn{network: t.network, venue: t.venue, dead: p.dead, sends: crossing{p, &p.sends}}
	t.disk.Fault = t.faults(p)
	t.process = p
	t.lives++
	go func() {
		kept, err := t.recover(p)
		t.post("process", func() {
			if err == nil {
				t.after(0, func() { t.open(p) })
			}
		})
		if err == nil {
			err = errors.Join(p.session.Run(ctx), p.session.Close())
		}
		if kept != nil {
			err = errors.Join(err, kept.Close())
		}
		stop()
		t.post("process", func() { t.end(p, err) })
	}()
}

func (t *trading) recover(p *process) (*keptJournal, error) {
	file, err := journal.OpenDisk(t.disk, journal.Options{SegmentSize: segmentSize, Headroom: headroom, Background: func(run func()) { run() }})
	if err != nil {
		return nil, err
	}
	failed := func(err error) { t.post("failure", func() { t.fail(err) }) }
	kept := &keptJournal{File: file, shadow: t.shadow, failed: failed}
	if err := t.shadow.recover(kept); err != nil {
		failed(err)
		return kept, err
	}
	p.session, err = live.New(live.Config{
		Account: account, InitialCash: engine.Money{Currency: "USDT"}, RiskTimeout: deadline, ReportsKept: reportsKept,
		SnapshotEvents: t.shadow.snapshotEvents, Clock: &t.clock, Venue: p.venue,
	}, nil, p.risk, kept)
	return kept, err
}

// open lets clients in.
func (t *trading) open(p *process) {
	if !p.isDead() {
		t.isOpen = true
		t.opened()
	}
}

// end is called when all goroutines of a process have ended.
func (t *trading) end(p *process, err error) {
	unreachable := p.session == nil && status.Code(err) == codes.Unavailable // Whoever starts it tries again.
	if !p.isDead() && !t.expected && !unreachable {
		t.fail(fmt.Errorf("the Trading Service ended by itself: %w", err))
	}
	p.die()
	t.process, t.expected, t.isOpen = nil, false, false
	t.disk = t.disk.Reboot(t.power)
	t.ended()
}

// faults is asked by the disk before each change.
func (t *trading) faults(p *process) func(journal.SimOp, string) error {
	return func(op journal.SimOp, _ string) error {
		if op == journal.SimSync && p.syncFails.Load() {
			return syscall.EIO
		}
		if p.writes.Load() > 0 && p.writes.Add(-1) == 0 {
			p.die()
		}
		if p.isDead() {
			return journal.ErrCrashed
		}
		return nil
	}
}

// keptJournal is the journal of a session. What it has made durable the shadow applies, too.
type keptJournal struct {
	*journal.File
	shadow *shadow
	failed func(error)
}

func (k *keptJournal) Append(first uint64, events [][]byte) error {
	if err := k.File.Append(first, events); err != nil {
		return err
	}
	return k.shadow.append(first, events)
}

// Snapshot sees that the state is the one that the journal gives, if the shadow stands there still.
func (k *keptJournal) Snapshot(sequence uint64, state []byte) error {
	if err := k.shadow.wrote(sequence, engineState(state)); err != nil {
		k.failed(err)
	}
	return k.File.Snapshot(sequence, state)
}

// shadow is an engine that applies what is durable, from the first event on, and is never restarted.
type shadow struct {
	snapshotEvents uint64

	mu      sync.Mutex
	engine  *engine.Engine
	effects engine.Effects
	trace   hash.Hash
}

func newShadow(snapshotEvents uint64) *shadow {
	return &shadow{snapshotEvents: snapshotEvents, engine: engine.New(), trace: sha256.New()}
}

func (s *shadow) append(first uint64, events [][]byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, encoded := range events {
		if err := s.apply(first+uint64(i), encoded); err != nil {
			return err
		}
	}
	return nil
}

func (s *shadow) apply(sequence uint64, encoded []byte) error {
	s.trace.Write(binary.LittleEndian.AppendUint64(nil, sequence))
	s.trace.Write(encoded)
	event, err := journal.Decode(encoded)
	if err != nil {
		return err
	}
	s.effects.Reset()
	return s.engine.Apply(event, &s.effects)
}

// recover takes over what was durable when the last process died and had not been confirmed to it.
func (s *shadow) recover(kept *keptJournal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if last := kept.LastSequence(); last < s.engine.Sequence() {
		return fmt.Errorf("durable events are lost: the journal ends at %d, and %d was durable", last, s.engine.Sequence())
	}
	return kept.ReadFrom(s.engine.Sequence()+1, s.apply)
}

// same says how an engine's state differs from the shadow's.
func (s *shadow) same(e *engine.Engine) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.Sequence() == s.engine.Sequence() && e.StateHash() == s.engine.StateHash() {
		return nil
	}
	return fmt.Errorf("state differs: at sequence %d, and what the journal gives at %d", e.Sequence(), s.engine.Sequence())
}

func (s *shadow) wrote(sequence uint64, state []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.engine.Sequence() != sequence || sha256.Sum256(state) == s.engine.StateHash() {
		return nil
	}
	return fmt.Errorf("state differs: the snapshot at sequence %d is not what the journal gives", sequence)
}

// replayed checks that the journal of a disk gives the same state from zero, if it goes back so far, and from
// every snapshot.
func (s *shadow) replayed(disk *journal.SimDisk) (err error) {
	file, err := journal.OpenDisk(disk.Reboot(true), journal.Options{SegmentSize: segmentSize, Background: func(run func()) { run() }})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	want := s.engine.StateHash()
	for before := ^uint64(0); ; {
		at, state, err := file.SnapshotBefore(before)
		if err != nil {
			return err
		}
		err = s.replay(file, at, state, want)
		switch {
		case at == 0 && errors.Is(err, journal.ErrCompacted):
			return nil
		case err != nil:
			return fmt.Errorf("replay from %d: %w", at, err)
		case at == 0:
			return nil
		}
		before = at
	}
}

func (s *shadow) replay(file *journal.File, at uint64, state []byte, want [sha256.Size]byte) error {
	e := engine.New()
	if at > 0 {
		var err error
		if e, err = engine.ReadState(engineState(state)); err != nil {
			return err
		}
	}
	var effects engine.Effects
	err := file.ReadFrom(at+1, func(_ uint64, encoded []byte) error {
		event, err := journal.Decode(encoded)
		if err != nil {
			return err
		}
		effects.Reset()
		return e.Apply(event, &effects)
	})
	if err == nil && e.StateHash() != want {
		err = errors.New("it gives another state")
	}
	return err
}

// engineState is the part of a snapshot that is the engine's.
func engineState(snapshot []byte) []byte {
	r := bytes.NewReader(snapshot[1:])
	for range 2 {
		n, err := binary.ReadUvarint(r)
		if err != nil {
			return nil
		}
		_, _ = r.Seek(int64(n), 1)
	}
	return snapshot[len(snapshot)-r.Len():]
}
