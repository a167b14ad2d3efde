package router

import (
	"testing"

	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/gate"
)

// deaf is a venue that remembers how often it was asked for something.
type deaf struct{ submits, cancels, replaces int }

func (d *deaf) Submit(gate.Approved)       { d.submits++ }
func (d *deaf) Cancel(Cancel)              { d.cancels++ }
func (d *deaf) Replace(Replace)            { d.replaces++ }
func (d *deaf) Capabilities() Capabilities { return Capabilities{PostOnly: true} }

func TestRoutesGoToTheirVenueAndNothingWithoutAnApproval(t *testing.T) {
	venue := &deaf{}
	r := New(map[string]Venue{"X": venue})
	refused := r.Send([]Route{{Venue: "X"}, {Venue: "X", Cancel: &Cancel{OrderID: 1}}, {Venue: "X", Replace: &Replace{}}})
	if len(refused) != 0 || *venue != (deaf{0, 1, 1}) {
		t.Errorf("%d refused, the venue got %+v", len(refused), *venue)
	}
}

func TestWhatHasNoVenueIsRefused(t *testing.T) {
	refused := New(nil).Send([]Route{{Venue: "Y"}, {Venue: "Y", Cancel: &Cancel{OrderID: 7}}, {Venue: "Y", Replace: &Replace{}}})
	want := []engine.ExecType{engine.ExecRejected, engine.ExecCancelRejected, engine.ExecCancelRejected}
	for i, input := range refused {
		if r := input.(*engine.VenueReport); r.ExecType != want[i] || r.Venue != "Y" || r.Text != `venue: "Y" is not connected` {
			t.Errorf("%d: %+v", i, r)
		}
	}
	if len(refused) != len(want) || refused[1].(*engine.VenueReport).OrderID != 7 {
		t.Errorf("%d refusals, want %d", len(refused), len(want))
	}
}

func TestCapabilities(t *testing.T) {
	r := New(map[string]Venue{"X": &deaf{}})
	if has, connected := r.Capabilities("X"); !connected || !has.PostOnly {
		t.Errorf("X: %+v, %t", has, connected)
	}
	if _, connected := r.Capabilities("Y"); connected {
		t.Error("Y is not connected")
	}
	has := Capabilities{STP: 1 << engine.STPCancelOldest}
	for _, c := range []struct {
		order engine.NewOrder
		want  string
	}{
		{engine.NewOrder{}, ""},
		{engine.NewOrder{DisplayQty: 5}, "display_qty: the venue has no icebergs, got 5"},
		{engine.NewOrder{ExecInsts: engine.PostOnly}, "exec_insts: the venue has no POST_ONLY"},
		{engine.NewOrder{STP: engine.STPCancelOldest}, ""},
		{engine.NewOrder{STP: engine.STPDecrement}, "self_trade_prevention: the venue has no such mode, got 5"},
		{engine.NewOrder{ExecInsts: engine.ReduceOnly | engine.CancelOnDisconnect, OrdType: engine.Stop, TimeInForce: engine.GTD}, ""},
	} {
		if got := has.Lacks(&c.order); got != c.want {
			t.Errorf("%+v: %q, want %q", c.order, got, c.want)
		}
	}
}
