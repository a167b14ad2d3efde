package rpc

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/contract"
	"aetherion/trading/internal/engine"
)

const (
	minHeartbeat = 100 * time.Millisecond
	maxHeartbeat = time.Minute
	maxGrace     = time.Hour
	// silentHeartbeats is how many intervals without a sign of life lose a stream.
	silentHeartbeats = 3
	// unknownGrace is how long a session may be away of which the journal has only orders.
	unknownGrace = 30 * time.Second
	// maxSessions bounds those that streams have, or may still take up again.
	maxSessions = 10_000
)

// orderSession is how a client keeps its stream of orders. The zero value is none.
type orderSession struct {
	id        string
	heartbeat time.Duration
	grace     time.Duration
}

func decodeSession(s *pb.OrderSession) (orderSession, error) {
	if s == nil {
		return orderSession{}, nil
	}
	session := orderSession{
		id:        s.GetSessionId(),
		heartbeat: time.Duration(s.GetHeartbeatIntervalMs()) * time.Millisecond,
		grace:     time.Duration(s.GetCancelGraceMs()) * time.Millisecond,
	}
	if err := contract.Name("session_id", session.id); err != nil {
		return orderSession{}, within("session", err)
	}
	if session.heartbeat < minHeartbeat || session.heartbeat > maxHeartbeat {
		return orderSession{}, fmt.Errorf("session.heartbeat_interval_ms: must be %d to %d, got %d",
			minHeartbeat.Milliseconds(), maxHeartbeat.Milliseconds(), s.GetHeartbeatIntervalMs())
	}
	if session.grace > maxGrace {
		return orderSession{}, fmt.Errorf("session.cancel_grace_ms: must be at most %d, got %d", maxGrace.Milliseconds(), s.GetCancelGraceMs())
	}
	return session, nil
}

var (
	errSilent    = errors.New("silent")
	errTakenOver = status.Error(codes.Aborted, "session_id: a newer stream with the same name took over")
)

// sessions knows which stream has a session, and which sessions nobody has.
type sessions struct {
	lost func(sessionID string) // a session was not taken up again within its grace

	mu     sync.Mutex
	kept   map[string]*keptSession
	closed bool
}

// keptSession is a session that a stream has, or that may still be taken up again.
type keptSession struct {
	end   context.CancelCauseFunc // of the stream; nil: nobody has it
	grace *time.Timer
}

// join gives a session to a stream, which leaves it at its end. A stream that had it before ends.
func (s *sessions) join(session orderSession, end context.CancelCauseFunc) (leave func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if before := s.kept[session.id]; before != nil {
		before.leave()
	} else if len(s.kept) >= maxSessions {
		return nil, status.Errorf(codes.ResourceExhausted, "session_id: %d sessions are kept, the most that may be", maxSessions)
	}
	mine := &keptSession{end: end}
	s.kept[session.id] = mine
	return func() { s.wait(session.id, mine, session.grace) }, nil
}

func (k *keptSession) leave() {
	if k.end != nil {
		k.end(errTakenOver)
	}
	if k.grace != nil {
		k.grace.Stop()
	}
}

// expect gives a session of a process before this one its grace to be taken up.
func (s *sessions) expect(session engine.Session) {
	grace := unknownGrace
	if session.HasGrace {
		grace = min(time.Duration(session.Grace), maxGrace)
	}
	mine := &keptSession{}
	s.mu.Lock()
	_, back := s.kept[session.ID]
	if !back {
		s.kept[session.ID] = mine
	}
	s.mu.Unlock()
	s.wait(session.ID, mine, grace)
}

// wait lets the grace of a session begin, unless another stream has taken it over.
func (s *sessions) wait(sessionID string, mine *keptSession, grace time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.kept[sessionID] != mine {
		return
	}
	mine.end = nil
	mine.grace = time.AfterFunc(grace, func() {
		s.mu.Lock()
		over := !s.closed && s.kept[sessionID] == mine
		if over {
			delete(s.kept, sessionID)
		}
		s.mu.Unlock()
		if over {
			s.lost(sessionID)
		}
	})
}

// close says that streams end from here on because the service does, which loses no session.
func (s *sessions) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, kept := range s.kept {
		if kept.grace != nil {
			kept.grace.Stop()
		}
	}
}
