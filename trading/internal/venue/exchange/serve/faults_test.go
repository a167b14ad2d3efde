package serve

import (
	"context"
	"math"
	"strconv"
	"testing"
	"time"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/venue/fault"
	"aetherion/trading/internal/venue/flow"
)

// misbehaving is a venue with a flow and many random faults, that has traded for a while and has stopped.
func misbehaving(t *testing.T, dir string) *Venue {
	t.Helper()
	v, err := Open(config(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Enliven([]flow.Market{{Instrument: config().Instruments[0], Price: 10_000, Size: 10}}, 1); err != nil {
		t.Fatal(err)
	}
	rates, err := fault.ParseRates("drop=.1,delay=.1,duplicate=.1,reorder=.1,lose=.1,bust=.3,correct=.3,reject=.1,cancel-fill=.5,replace-fill=.5")
	if err != nil {
		t.Fatal(err)
	}
	v.Misbehave(nil, rates, 1)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- v.Run(ctx) }()
	do(t, v, deposit("USD"))
	do(t, v, deposit("AAA"))
	for i := range 300 {
		do(t, v, order(strconv.Itoa(i), pb.Side(1+i%2), int64(100+i*7%13)))
		if i%3 == 0 {
			cancel := &pb.CancelOrder{Account: "A", ClOrdId: "c" + strconv.Itoa(i), OrigClOrdId: strconv.Itoa(i)}
			do(t, v, &pb.VenueCommand{Command: &pb.VenueCommand_CancelOrder{CancelOrder: cancel}})
		}
	}
	settled(t, v, 300)
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	return v
}

// state is that of a venue when all that was sent has arrived.
func state(t *testing.T, v *Venue) [32]byte {
	t.Helper()
	if _, _, err := v.exchange.Advance(math.MaxInt64); err != nil {
		t.Fatal(err)
	}
	return v.exchange.Hash()
}

func TestARestartAfterFaultsIsTheSameState(t *testing.T) {
	dir := t.TempDir()
	v := misbehaving(t, dir)
	kinds := map[string]int{}
	for _, r := range v.faults.Records() {
		rules, err := fault.Parse(r.GetFault())
		if err != nil {
			t.Fatal(err)
		}
		kinds[string(rules[0].Do)]++
	}
	t.Logf("faults: %v", kinds)
	for _, kind := range []fault.Action{fault.Drop, fault.Bust, fault.Correct, fault.FillFirst, fault.Reject} {
		if kinds[string(kind)] == 0 {
			t.Errorf("no %s", kind)
		}
	}
	before := state(t, v)
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Open(config(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if after := state(t, again); after != before {
		t.Errorf("state %x before, %x after", before, after)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestAFlowAfterARestartCancelsWhatTheOldOneLeft(t *testing.T) {
	dir := t.TempDir()
	v := misbehaving(t, dir)
	accounts := v.exchange.Accounts()
	left := 0
	for _, account := range accounts {
		left += len(v.exchange.Orders(account, 0, true, 1000))
	}
	if left == 0 {
		t.Fatal("the flow left no orders")
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Open(config(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Enliven([]flow.Market{{Instrument: config().Instruments[0], Price: 10_000, Size: 10}}, 1); err != nil {
		t.Fatal(err)
	}
	if _, _, err := again.exchange.Advance(time.Now().Add(time.Minute).UnixNano()); err != nil {
		t.Fatal(err)
	}
	for _, account := range accounts {
		if open := again.exchange.Orders(account, 0, true, 1000); account != "A" && len(open) > 0 {
			t.Errorf("%s still has %d orders", account, len(open))
		}
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}
