package live

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/gate/gatetest"
	"aetherion/trading/internal/journal"
	"aetherion/trading/internal/market"
	"aetherion/trading/internal/market/markettest"
)

// A process that is killed leaves the next one what the Risk Service remembered: the state of the snapshot
// with the memory of the same sequence, and every decision since.
func TestTheNextProcessTellsRiskWhatItRemembered(t *testing.T) {
	f := markettest.Add(markettest.New(t, filepath.Join(t.TempDir(), "bars")), "bars.parquet", "bar", []markettest.Bar{at(10*second, 100)})
	f.Write(f.Manifest())
	dataset, err := market.Open(f.Dir)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "journal")
	open := func(do func(r *running, risk *gatetest.Risk)) {
		kept, err := journal.Open(path, journal.Options{Sync: journal.SyncOS})
		if err != nil {
			t.Fatal(err)
		}
		conn, risk := gatetest.Serve(t, func(c *pb.PretradeCheck) *pb.CheckFailure {
			if c.GetNewOrder().GetOrderQty() == 10 {
				return nil
			}
			return &pb.CheckFailure{OrdRejReason: pb.OrdRejReason_ORD_REJ_REASON_POSITION_LIMIT, Scope: "firm", RiskLimit: "1", Value: "2"}
		})
		cash, err := engine.NewAmount(1_000_000, 0)
		if err != nil {
			t.Fatal(err)
		}
		s, err := New(Config{Account: account, InitialCash: engine.Money{Currency: "USD", Amount: cash}, MaxVolumeShareBps: 10_000,
			RiskTimeout: 10 * time.Second}, dataset, conn, kept)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		if err := s.Gate.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		do(&running{Session: s, t: t}, risk)
		stop()
		if err := errors.Join(<-done, s.Close(), kept.Close()); err != nil {
			t.Fatal(err)
		}
	}
	var snapshot uint64
	open(func(r *running, _ *gatetest.Risk) {
		r.submit(order("a", engine.GTC, 1))
		r.expect("pending new")
		var next *taking
		due := snapshots{journal: r.journal, gate: r.Gate, events: 1}
		if err := r.Sequencer.Query(t.Context(), func(e *engine.Engine) { next = due.begin(e) }); err != nil {
			t.Fatal(err)
		}
		due.keep(next, <-next.memory)
		snapshot = r.journal.OldestSnapshot()
		refused := order("b", engine.GTC, 1)
		refused.NewOrder.OrderQty = 20
		r.submit(refused, order("c", engine.GTC, 1))
		r.expect("pending new rejected pending new")
		r.submit(&engine.ReplaceDecision{Replace: engine.ReplaceOrder{ClOrdID: "less", OrigClOrdID: "c", Account: account, OrderQty: 5, Price: 1, HasPrice: true}})
		r.expect("pending new rejected pending new pending-replace replaced")
	})
	open(func(r *running, risk *gatetest.Risk) {
		events := risk.Events()
		first := events[0].GetSnapshot()
		if events[0].GetSequence() != snapshot || string(first.GetMemory().GetMemory()) != fmt.Sprintf("memory of %d", snapshot) || len(first.GetHolds()) != 1 {
			t.Errorf("the state of %d is told with %v", events[0].GetSequence(), first)
		}
		var told []string
		for _, event := range events[1:] {
			if check := event.GetCheck(); check != nil {
				told = append(told, fmt.Sprintf("%s:%v", check.GetNewOrder().GetClOrdId(), event.GetDecided()[0].GetApproved()))
			} else if event.GetReplaceCheck() != nil {
				told = append(told, "a reduction, which nobody decided on")
			} else if hold := event.GetRestated(); hold != nil {
				told = append(told, fmt.Sprintf("%d held", hold.GetLeavesQty()))
			}
		}
		if got := strings.Join(told, " "); got != "b:false c:true 5 held" {
			t.Errorf("the decisions since are told as %q", got)
		}
	})
}
