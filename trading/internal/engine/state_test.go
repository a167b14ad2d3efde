package engine_test

import (
	"bytes"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"aetherion/trading/internal/engine"
)

// An engine that was written and read back is the one that went on: in its state, and in all that it
// answers to the events that follow.
func TestStateThatIsReadBackGoesOnAlike(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMachine(t)
		step := func() {
			switch rapid.IntRange(0, 9).Draw(t, "event") {
			case 0, 1, 2:
				m.newOrder(t)
			case 3:
				m.cancel(t)
			case 4:
				m.adjust(t)
			case 5:
				m.mark(t)
			default:
				m.venueReport(t)
			}
		}
		for range rapid.IntRange(0, 60).Draw(t, "before") {
			step()
		}
		var state bytes.Buffer
		if err := m.engine.WriteState(&state); err != nil {
			t.Fatal(err)
		}
		restored, err := engine.ReadState(state.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if restored.StateHash() != m.engine.StateHash() {
			t.Fatal("the hash changed")
		}
		for _, id := range m.ids {
			if got, want := restored.Order(id).LastReport, m.engine.Order(id).LastReport; !reflect.DeepEqual(got, want) {
				t.Fatalf("order %d: last report is %+v, want %+v", id, got, want)
			}
		}
		if !reflect.DeepEqual(restored.PretradeSnapshot(), m.engine.PretradeSnapshot()) {
			t.Fatal("the gate would be told another state")
		}
		sequence := m.engine.Sequence()
		for range 20 {
			step()
		}
		m.replay(t, restored, sequence+1)
	})
}

func TestStateThatIsNotWhole(t *testing.T) {
	e := engine.New()
	var effects engine.Effects
	for _, event := range orderEvents(3) {
		if err := e.Apply(event, &effects); err != nil {
			t.Fatal(err)
		}
	}
	var state bytes.Buffer
	if err := e.WriteState(&state); err != nil {
		t.Fatal(err)
	}
	whole := state.Bytes()
	for n := range whole {
		if _, err := engine.ReadState(whole[:n]); err == nil {
			t.Fatalf("the first %d of %d bytes were taken for a state", n, len(whole))
		}
	}
	if _, err := engine.ReadState(append(bytes.Clone(whole), 0)); err == nil {
		t.Fatal("a byte too many was not seen")
	}
}

func FuzzReadState(f *testing.F) {
	e := engine.New()
	var effects engine.Effects
	for _, event := range orderEvents(3) {
		if err := e.Apply(event, &effects); err != nil {
			f.Fatal(err)
		}
	}
	var state bytes.Buffer
	if err := e.WriteState(&state); err != nil {
		f.Fatal(err)
	}
	f.Add(state.Bytes())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, state []byte) {
		restored, err := engine.ReadState(state)
		if err != nil {
			return
		}
		var again bytes.Buffer
		if err := restored.WriteState(&again); err != nil {
			t.Fatal(err)
		}
		// Another spelling of a number is read too; what is written from it is the one state there is.
		twice, err := engine.ReadState(again.Bytes())
		if err != nil {
			t.Fatalf("what was written is not read: %v", err)
		}
		if twice.StateHash() != restored.StateHash() {
			t.Fatal("the state changed")
		}
	})
}
