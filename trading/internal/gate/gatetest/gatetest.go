// Package gatetest gives tests a real gate that asks a Risk Service in the test's own process.
package gatetest

import (
	"context"
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
			r.mu.Lock()
			r.events = append(r.events, event)
			r.mu.Unlock()
			check := event.GetCheck()
			if check == nil {
				continue
			}
			decision := &aetherionv1.PretradeDecision{Sequence: event.GetSequence(), OrderId: check.GetOrderId(), Approved: true}
			if failure := r.decide(check); failure != nil {
				decision.Approved, decision.CheckFailures = false, []*aetherionv1.CheckFailure{failure}
			}
			response.Decisions = append(response.Decisions, decision)
		}
		if len(response.Decisions) > 0 {
			if err := stream.Send(response); err != nil {
				return err
			}
		}
	}
}
