package rpc

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/sequencer"
)

const maxPage = 1000

func invalid(err error) error { return status.Error(codes.InvalidArgument, err.Error()) }

func invalidf(format string, args ...any) error {
	return status.Errorf(codes.InvalidArgument, format, args...)
}

func notFound(format string, args ...any) error {
	return status.Errorf(codes.NotFound, format, args...)
}

// within puts the field that holds another before the error's own, unless it names it already.
func within(field string, err error) error {
	if err == nil || strings.HasPrefix(err.Error(), field+":") {
		return err
	}
	return fmt.Errorf("%s.%w", field, err)
}

// unavailable is the error of a call into the session.
func unavailable(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sequencer.ErrStopped):
		return errStopping
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return status.FromContextError(err).Err()
	}
	return err
}

func (s *Server) query(ctx context.Context, read func(*engine.Engine)) error {
	return unavailable(s.session.Sequencer.Query(ctx, read))
}

func pageSize(asked uint32) (int, error) {
	switch {
	case asked > maxPage:
		return 0, invalidf("page_size: must be at most %d, got %d", maxPage, asked)
	case asked == 0:
		return maxPage, nil
	}
	return int(asked), nil
}
