// Package gatetest gives tests a real gate that asks a Risk Service in the test's own process.
package gatetest

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"

	aetherionv1 "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/gate"
)

// Decide is what an order fails, nil for an approval.
type Decide func(*aetherionv1.PretradeCheck) *aetherionv1.CheckFailure

// Approve approves everything.
func Approve(*aetherionv1.PretradeCheck) *aetherionv1.CheckFailure { return nil }

// Risk is the Risk Service of a test.
type Risk struct {
	aetherionv1.UnimplementedPretradeServiceServer
	decide Decide
	server *grpc.Server

	mu     sync.Mutex
	events []*aetherionv1.PretradeEvent
}

// New starts a Risk Service and a gate that asks it about the orders of an engine. Both end with the
// test.
func New(t testing.TB, engine *engine.Engine, decide Decide) (*gate.Gate, *Risk) {
	t.Helper()
	conn, r := Serve(t, decide)
	g := gate.New(conn, engine.PretradeSnapshot, gate.Config{Deadline: 10 * time.Second})
	t.Cleanup(g.Close)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := g.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	return g, r
}

// Serve starts a Risk Service and a connection to it. Both end with the test.
func Serve(t testing.TB, decide Decide) (*grpc.ClientConn, *Risk) {
	t.Helper()
	r := &Risk{decide: decide, server: grpc.NewServer()}
	address := filepath.Join(t.TempDir(), "risk")
	listener, err := net.Listen("unix", address)
	if err != nil {
		t.Fatal(err)
	}
	aetherionv1.RegisterPretradeServiceServer(r.server, r)
	var served sync.WaitGroup
	served.Go(func() { _ = r.server.Serve(listener) }) // Its error is that it was stopped.
	t.Cleanup(func() { r.server.Stop(); served.Wait() })

	conn, err := gate.Dial("unix:" + address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn, r
}

// Stop ends the Risk Service, and returns when the gate has seen it.
func (r *Risk) Stop(t testing.TB, g *gate.Gate) {
	t.Helper()
	r.server.Stop()
	for deadline := time.Now().Add(10 * time.Second); g.Status().Available; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the gate does not see that the Risk Service is gone")
		}
	}
}

// Events are all that came so far, in order.
func (r *Risk) Events() []*aetherionv1.PretradeEvent {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]*aetherionv1.PretradeEvent(nil), r.events...)
}

// Check answers a stream.
func (r *Risk) Check(stream grpc.BidiStreamingServer[aetherionv1.CheckRequest, aetherionv1.CheckResponse]) error {
	for {
		request, err := stream.Recv()
		if err != nil {
			return nil // The gate has gone.
		}
		response := &aetherionv1.CheckResponse{Epoch: request.GetEpoch()}
		for _, event := range request.GetEvents() {
			r.answer(event, response)
		}
		if len(response.Decisions)+len(response.Memories) > 0 {
			if err := stream.Send(response); err != nil {
				return err
			}
		}
	}
}

// answer decides on the orders of an event, those of a list as one.
func (r *Risk) answer(event *aetherionv1.PretradeEvent, response *aetherionv1.CheckResponse) {
	r.mu.Lock()
	r.events = append(r.events, event)
	r.mu.Unlock()
	if event.GetSave() != nil {
		response.Memories = append(response.Memories, &aetherionv1.PretradeMemory{
			Sequence: event.GetSequence(), Memory: fmt.Appendf(nil, "memory of %d", event.GetSequence()),
		})
	}
	if event.Decided != nil {
		return
	}
	checks := event.GetListCheck().GetChecks()
	if check := event.GetCheck(); check != nil {
		checks = append(checks, check)
	}
	if replace := event.GetReplaceCheck(); replace != nil {
		checks = append(checks, &aetherionv1.PretradeCheck{OrderId: replace.GetOrderId(), NewOrder: replace.GetNewOrder()})
	}
	refused := false
	failures := make([]*aetherionv1.CheckFailure, len(checks))
	for i, check := range checks {
		failures[i] = r.decide(check)
		refused = refused || failures[i] != nil
	}
	for i, check := range checks {
		decision := &aetherionv1.PretradeDecision{Sequence: event.GetSequence(), OrderId: check.GetOrderId(), Approved: !refused}
		switch {
		case failures[i] != nil:
			decision.CheckFailures = []*aetherionv1.CheckFailure{failures[i]}
		case refused:
			decision.CheckFailures = []*aetherionv1.CheckFailure{{OrdRejReason: aetherionv1.OrdRejReason_ORD_REJ_REASON_LIST}}
		}
		response.Decisions = append(response.Decisions, decision)
	}
}
