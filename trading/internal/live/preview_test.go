package live

import (
	"context"
	"errors"
	"testing"
	"time"

	"google.golang.org/grpc"

	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/gate/gatetest"
	"aetherion/trading/internal/journal"
)

// late connects to a Risk Service that is not there until open is closed.
type late struct {
	grpc.ClientConnInterface
	open chan struct{}
}

func (l late) NewStream(ctx context.Context, about *grpc.StreamDesc, method string, options ...grpc.CallOption) (grpc.ClientStream, error) {
	select {
	case <-l.open:
		return l.ClientConnInterface.NewStream(ctx, about, method, options...)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// A preview right after a start is answered by risk, and one that risk does not answer says so.
func TestAPreviewWaitsForTheRiskService(t *testing.T) {
	x := newElsewhere(t)
	conn, _ := gatetest.Serve(t, gatetest.Approve)
	risk := late{conn, make(chan struct{})}
	s, err := New(Config{Account: account, InitialCash: engine.Money{Currency: "USD"}, RiskTimeout: 10 * time.Second,
		Venue: x.conn, Adoption: Adopt, Reconcile: 50 * time.Millisecond}, nil, risk, journal.NewMemory())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	defer func() {
		stop()
		if err := errors.Join(<-ended, s.Close()); err != nil {
			t.Error(err)
		}
	}()
	preview := func(wait time.Duration) engine.OrderDecision {
		s.previewWait = wait
		decision, err := s.Preview(t.Context(), &engine.OrderDecision{NewOrder: engine.NewOrder{
			ClOrdID: "p", Account: account, InstrumentID: "AAA-USD.SIM", Side: engine.Buy, OrdType: engine.Limit,
			TimeInForce: engine.GTC, OrderQty: 1, Price: 100, HasPrice: true,
		}})
		if err != nil {
			t.Error(err)
		}
		return decision
	}
	if got := preview(time.Millisecond); got.Approved || got.OrdRejReason != engine.RejRiskUnavailable {
		t.Errorf("without a Risk Service: %+v", got)
	}
	answered := make(chan engine.OrderDecision, 1)
	go func() { answered <- preview(time.Minute) }()
	close(risk.open)
	if got := <-answered; got.OrdRejReason != 0 {
		t.Errorf("with one that came: %+v", got)
	}
}
