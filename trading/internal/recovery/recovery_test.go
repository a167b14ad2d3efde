package recovery_test

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/journal"
	"aetherion/trading/internal/recovery"
)

// day writes orders, each acknowledged and filled, as a live engine does, and hands on its state after
// every event.
func day(t testing.TB, orders int, visit func(e *engine.Engine, event []byte)) {
	t.Helper()
	e := engine.New()
	var effects engine.Effects
	apply := func(input engine.Input) {
		event := engine.Event{Sequence: e.Sequence() + 1, TransactTime: int64(e.Sequence()), Input: input}
		effects.Reset()
		if err := e.Apply(event, &effects); err != nil {
			t.Fatal(err)
		}
		encoded, err := journal.Encode(&event)
		if err != nil {
			t.Fatal(err)
		}
		visit(e, encoded)
	}
	apply(&engine.Instrument{InstrumentID: "ACME.X", Version: 1, Class: engine.Equity, BaseCurrency: "ACME", QuoteCurrency: "USD",
		PriceScale: 2, PriceIncrement: 1, QtyIncrement: 1, Multiplier: engine.Decimal{Mantissa: 1}})
	apply(&engine.AccountOpened{Account: "A", BaseCurrency: "USD"})
	for i := range orders {
		name := fmt.Sprint(i)
		apply(&engine.OrderDecision{Approved: true, NewOrder: engine.NewOrder{ClOrdID: name, Account: "A", InstrumentID: "ACME.X",
			Side: engine.Side(1 + i%2), OrdType: engine.Limit, TimeInForce: engine.GTC, OrderQty: 100, Price: 5000, HasPrice: true}})
		id := e.Sequence()
		apply(&engine.VenueReport{Venue: "X", OrderID: id, VenueOrderID: name, ExecType: engine.ExecNew})
		apply(&engine.VenueReport{Venue: "X", OrderID: id, VenueOrderID: name, ExecType: engine.ExecTrade, ExecID: name,
			LastQty: 100, LastPx: 5000 + int64(i%7), Commission: engine.Money{Currency: "USD"}})
	}
}

// write keeps a day in a journal with a snapshot after every so many events; 0: none.
func write(t testing.TB, path string, orders, snapshotEvery int) (hashes [][32]byte) {
	t.Helper()
	file, err := journal.Open(path, journal.Options{Sync: journal.SyncOS, SegmentSize: 1 << 16})
	if err != nil {
		t.Fatal(err)
	}
	day(t, orders, func(e *engine.Engine, event []byte) {
		if err := file.Append(e.Sequence(), [][]byte{event}); err != nil {
			t.Fatal(err)
		}
		hashes = append(hashes, e.StateHash())
		if snapshotEvery > 0 && e.Sequence()%uint64(snapshotEvery) == 0 {
			if err := file.Snapshot(e.Sequence(), recovery.EncodeSnapshot(stateOf(t, e), memoryAt(e.Sequence()))); err != nil {
				t.Fatal(err)
			}
		}
	})
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	return hashes
}

func TestRecoverGivesTheStateOfTheLiveRun(t *testing.T) {
	for _, snapshotEvery := range []int{0, 1, 7, 100, 301} {
		t.Run(fmt.Sprint("snapshot every ", snapshotEvery), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "journal")
			hashes := write(t, path, 100, snapshotEvery)
			file, err := journal.Open(path, journal.Options{Sync: journal.SyncOS, SegmentSize: 1 << 16})
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			var heard following
			snapshot, e, err := recovery.Recover(file, &heard)
			if err != nil {
				t.Fatal(err)
			}
			if e.StateHash() != hashes[len(hashes)-1] {
				t.Error("the recovered state is not that of the live run")
			}
			if heard.restored != snapshot || !reflect.DeepEqual(heard.memory, memoryAt(snapshot)) {
				t.Errorf("restored at %d with %v, want %d with the memory of the same sequence", heard.restored, heard.memory, snapshot)
			}
			if want := int(file.LastSequence() - snapshot); heard.came != want || heard.reports != min(want, 300) {
				t.Errorf("%d events and %d reports, want those of the %d events after the snapshot", heard.came, heard.reports, want)
			}
		})
	}
}

// An order that was journaled and of which the venue said nothing is in doubt after the process ended, and one
// that waits with us is not: it was not sent. A second end changes nothing.
func TestOrdersThatMayHaveBeenSentAreInDoubt(t *testing.T) {
	e := engine.New()
	var effects engine.Effects
	apply := func(input engine.Input) uint64 {
		if err := e.Apply(engine.Event{Sequence: e.Sequence() + 1, Input: input}, &effects); err != nil {
			t.Fatal(err)
		}
		return e.Sequence()
	}
	order := func(name string, ordType engine.OrdType) uint64 {
		asked := engine.NewOrder{ClOrdID: name, Account: "A", InstrumentID: "ACME.X", Side: engine.Buy, OrdType: ordType,
			TimeInForce: engine.GTC, OrderQty: 1}
		if ordType == engine.Stop {
			asked.StopPx, asked.HasStopPx = 5000, true
		}
		return apply(&engine.OrderDecision{Approved: true, NewOrder: asked})
	}
	apply(&engine.Instrument{InstrumentID: "ACME.X", Version: 1, Class: engine.Equity, BaseCurrency: "ACME", QuoteCurrency: "USD",
		PriceScale: 2, PriceIncrement: 1, QtyIncrement: 1, Multiplier: engine.Decimal{Mantissa: 1}})
	apply(&engine.AccountOpened{Account: "A", BaseCurrency: "USD"})
	answered, held, unanswered, triggered := order("1", engine.Market), order("2", engine.Stop), order("3", engine.Market), order("4", engine.Stop)
	apply(&engine.VenueReport{Venue: "X", OrderID: answered, ExecType: engine.ExecNew})
	apply(&engine.Triggered{OrderID: triggered, Price: 5000})

	for end, want := range []error{nil, engine.ErrNothingNew} {
		doubts := recovery.InDoubt(e, "it is asked")
		if len(doubts) != 2 {
			t.Fatalf("after end %d: %d orders may have been sent, want 2", end+1, len(doubts))
		}
		for _, doubt := range doubts {
			if err := e.Apply(engine.Event{Sequence: e.Sequence() + 1, Input: doubt}, &effects); !errors.Is(err, want) {
				t.Errorf("after end %d: %v, want %v", end+1, err, want)
			}
		}
		for id, want := range map[uint64]engine.OrdStatus{answered: engine.StatusNew, held: engine.StatusSuspended,
			unanswered: engine.StatusInDoubt, triggered: engine.StatusInDoubt} {
			if got := e.Order(id).OrdStatus(); got != want {
				t.Errorf("after end %d: order %d has status %d, want %d", end+1, id, got, want)
			}
		}
	}
}

func stateOf(t testing.TB, e *engine.Engine) []byte {
	t.Helper()
	var state bytes.Buffer
	if err := e.WriteState(&state); err != nil {
		t.Fatal(err)
	}
	return state.Bytes()
}

// memoryAt is what the Risk Service remembers of a sequence in these tests; of the first few nothing.
func memoryAt(sequence uint64) *engine.PretradeMemory {
	if sequence < 5 {
		return nil
	}
	return &engine.PretradeMemory{Sequence: sequence, Memory: fmt.Append(nil, sequence), StateHash: []byte("hash")}
}

// following counts what it hears.
type following struct {
	restored      uint64
	memory        *engine.PretradeMemory
	came, reports int
}

func (f *following) Restored(e *engine.Engine, memory *engine.PretradeMemory) {
	f.restored, f.memory = e.Sequence(), memory
}

func (f *following) Comes(e *engine.Engine, event *engine.Event) {
	if event.Sequence != e.Sequence()+1 {
		panic("the event was applied already")
	}
	f.came++
}

func (f *following) Follows(effects *engine.Effects) { f.reports += len(effects.Reports) }

// What a reader missed comes again, from wherever it stopped, also from before a snapshot.
func TestReportsOfThePast(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	write(t, path, 100, 70)
	file, err := journal.Open(path, journal.Options{Sync: journal.SyncOS, SegmentSize: 1 << 16})
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	// Each event but the two that open the world has one report.
	for _, c := range []struct{ from, to, most, want uint64 }{
		{211, 302, 1000, 92}, {230, 240, 1000, 11}, {302, 302, 1000, 1}, {230, 302, 5, 5},
	} {
		var got []uint64
		err := recovery.Reports(file, c.from, c.to, func(reports []*engine.ExecutionReport) bool {
			got = append(got, reports[0].Sequence)
			return uint64(len(got)) < c.most
		})
		if err != nil || uint64(len(got)) != c.want || got[0] != c.from || got[len(got)-1] != c.from+c.want-1 {
			t.Errorf("%+v: got %d reports, %v to %v, %v", c, len(got), got[0], got[len(got)-1], err)
		}
	}
	if oldest := file.OldestSnapshot(); oldest != 210 {
		t.Errorf("the oldest snapshot is %d, want 210", oldest)
	}
}

func TestStateAtAnySequence(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	hashes := write(t, path, 30, 40)
	for sequence := uint64(40); sequence <= uint64(len(hashes)); sequence++ {
		e, err := recovery.StateAt(path, sequence)
		if err != nil {
			t.Fatal(err)
		}
		if e.StateHash() != hashes[sequence-1] {
			t.Fatalf("the state after sequence %d is another", sequence)
		}
	}
	if e, err := recovery.StateAt(path, 0); err != nil || e.StateHash() != hashes[len(hashes)-1] {
		t.Errorf("sequence 0 is the last: %v", err)
	}
	_, err := recovery.StateAt(path, 1000)
	if err == nil || !strings.Contains(err.Error(), "sequence: must be at most 92, the last one, got 1000") {
		t.Errorf("beyond the end: %v", err)
	}
}

// BenchmarkRecoverMillion is from an open directory to an engine that is ready, for a million events.
func BenchmarkRecoverMillion(b *testing.B) {
	for _, snapshot := range []bool{false, true} {
		b.Run(fmt.Sprint("snapshot=", snapshot), func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "journal")
			writeMillion(b, path, snapshot)
			for b.Loop() {
				file, err := journal.Open(path, journal.Options{Sync: journal.SyncOS})
				if err != nil {
					b.Fatal(err)
				}
				_, e, err := recovery.Recover(file, &following{})
				if err != nil || e.Sequence() < 1_000_000 {
					b.Fatal(err)
				}
				if err := file.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func writeMillion(b *testing.B, path string, snapshot bool) {
	file, err := journal.Open(path, journal.Options{Sync: journal.SyncOS})
	if err != nil {
		b.Fatal(err)
	}
	var batch [][]byte
	var last *engine.Engine
	day(b, 333_333, func(e *engine.Engine, event []byte) {
		last = e
		if batch = append(batch, event); len(batch) < 256 {
			return
		}
		if err := file.Append(e.Sequence()-255, batch); err != nil {
			b.Fatal(err)
		}
		batch = batch[:0]
	})
	if err := file.Append(last.Sequence()+1-uint64(len(batch)), batch); err != nil {
		b.Fatal(err)
	}
	if snapshot {
		if err := file.Snapshot(last.Sequence(), recovery.EncodeSnapshot(stateOf(b, last), nil)); err != nil {
			b.Fatal(err)
		}
	}
	if err := file.Close(); err != nil {
		b.Fatal(err)
	}
}
