package rpc

import (
	"context"
	"log/slog"
	"runtime/debug"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

var (
	errInternal = status.Error(codes.Internal, "internal error, see the service's log")
	errStopping = status.Error(codes.Unavailable, "the service is stopping")
)

// unary gives a deadline to a call that brings none, and makes an error of a panic.
func (s *Server) unary(ctx context.Context, request any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (response any, err error) {
	defer recovered(info.FullMethod, &err)
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.config.RequestTimeout)
		defer cancel()
	}
	return handle(ctx, request)
}

// stream ends a call when the service stops, also one that waits for its client, and makes an error of
// a panic.
func (s *Server) stream(service any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	done := make(chan error, 1)
	s.calls.Go(func() {
		var err error
		defer func() { done <- err }()
		defer recovered(info.FullMethod, &err)
		err = handle(service, stream)
	})
	select {
	case err := <-done:
		return err
	case <-s.stopping:
		// The handler ends too: whatever it waits for ends with the stream.
		return errStopping
	}
}

func recovered(method string, err *error) {
	if cause := recover(); cause != nil {
		slog.Error("panic", "method", method, "cause", cause, "stack", string(debug.Stack()))
		*err = errInternal
	}
}

// sender is the sending half of a stream.
type sender[M any] interface{ Send(*M) error }

// send gives up on a client that takes nothing. The stream is then of no more use: the error, made of
// the advice, is to end it.
func send[M any](s *Server, stream sender[M], message *M, advice func() string) error {
	sent := make(chan error, 1)
	s.calls.Go(func() { sent <- stream.Send(message) })
	timer := time.NewTimer(s.config.SendTimeout)
	defer timer.Stop()
	select {
	case err := <-sent:
		return err
	case <-timer.C:
		return status.Errorf(codes.ResourceExhausted, "the client took nothing for %v and was cut off; %s", s.config.SendTimeout, advice())
	}
}
