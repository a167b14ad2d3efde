// Package rpc serves the contract: it decodes and bounds what comes in, hands it to the domain, and
// encodes what comes back. A refused order is an answer; an error is a call that did not work.
package rpc

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/journal"
	"aetherion/trading/internal/live"
	"aetherion/trading/internal/market"
	"aetherion/trading/internal/sequencer"
)

const (
	maxHeaderBytes     = 16 << 10
	connectionTimeout  = 10 * time.Second
	keepaliveInterval  = 30 * time.Second // after which a silent client is asked whether it lives
	keepaliveTimeout   = 10 * time.Second
	keepaliveTolerance = 5 * time.Second // least interval at which a client may ask us
	stopTimeout        = 4 * time.Second
)

// Config bounds what clients can ask of the service.
type Config struct {
	Version              string
	Epoch                uint64        // of the journal
	Durability           string        // of the journal
	RequestTimeout       time.Duration // of a unary call that brings no deadline
	SendTimeout          time.Duration // after which a client that takes nothing is cut off
	MaxMessageBytes      int
	MaxConcurrentStreams uint32
	MaxBatchCommands     int
	MaxBacktests         int
	TwoPersonLimits      bool // a second person has to approve a looser limit
	// JournalRoom is what the journal has of its disk; nil: it has none.
	JournalRoom func() (journal.Room, error)
}

// Server serves all services of the contract that are the Trading Service's.
type Server struct {
	config    Config
	session   *live.Session
	catalog   market.Catalog
	risk      grpc.ClientConnInterface
	backtests chan struct{} // holds one for each that runs
	sessions  *sessions
	proposal  proposal

	grpc     *grpc.Server
	health   *health.Server
	stopping chan struct{} // closed when streams are to end
	calls    sync.WaitGroup
}

// New is a server of a session that runs.
func New(config Config, session *live.Session, catalog market.Catalog, risk grpc.ClientConnInterface) *Server {
	s := &Server{
		config: config, session: session, catalog: catalog, risk: risk,
		backtests: make(chan struct{}, config.MaxBacktests),
		health:    health.NewServer(), stopping: make(chan struct{}),
	}
	s.sessions = &sessions{lost: s.sessionLost, kept: map[string]*keptSession{}}
	s.grpc = grpc.NewServer(
		grpc.MaxRecvMsgSize(config.MaxMessageBytes),
		grpc.MaxConcurrentStreams(config.MaxConcurrentStreams),
		grpc.MaxHeaderListSize(maxHeaderBytes),
		grpc.ConnectionTimeout(connectionTimeout),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: keepaliveInterval, Timeout: keepaliveTimeout}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: keepaliveTolerance, PermitWithoutStream: true}),
		grpc.UnaryInterceptor(s.unary),
		grpc.StreamInterceptor(s.stream),
	)
	pb.RegisterMarketDataServiceServer(s.grpc, marketDataService{Server: s})
	pb.RegisterOrderServiceServer(s.grpc, orderService{Server: s})
	pb.RegisterAccountServiceServer(s.grpc, accountService{Server: s})
	pb.RegisterAdminServiceServer(s.grpc, adminService{Server: s})
	pb.RegisterSimulationServiceServer(s.grpc, simulationService{Server: s})
	pb.RegisterVenueServiceServer(s.grpc, venueService{Server: s})
	for name := range s.grpc.GetServiceInfo() {
		s.health.SetServingStatus(name, healthpb.HealthCheckResponse_SERVING)
	}
	healthpb.RegisterHealthServer(s.grpc, s.health)
	registerReflection(s.grpc)
	return s
}

// Serve serves on all listeners until ctx ends, and then stops: calls under way get a moment to end,
// streams are told to come back.
func (s *Server) Serve(ctx context.Context, listeners ...net.Listener) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, listener := range listeners {
		group.Go(func() error {
			if err := s.grpc.Serve(listener); !errors.Is(err, grpc.ErrServerStopped) {
				return err
			}
			return nil
		})
	}
	group.Go(func() error { return s.expectSessions(ctx) })
	group.Go(func() error {
		<-ctx.Done()
		s.stop()
		return nil
	})
	return group.Wait()
}

func (s *Server) stop() {
	s.health.Shutdown()
	s.sessions.close()
	close(s.stopping)
	force := time.AfterFunc(stopTimeout, s.grpc.Stop)
	defer force.Stop()
	s.grpc.GracefulStop()
	s.calls.Wait()
}

// expectSessions lets those of a process before this one come back.
func (s *Server) expectSessions(ctx context.Context) error {
	err := s.session.Sequencer.Query(ctx, func(e *engine.Engine) {
		for _, session := range e.Sessions() {
			s.sessions.expect(session)
		}
	})
	if errors.Is(err, context.Canceled) || errors.Is(err, sequencer.ErrStopped) {
		return nil
	}
	return err
}

// sessionLost tells the engine, which cancels what was to be canceled with the session.
func (s *Server) sessionLost(sessionID string) {
	var lost []engine.Input
	ctx := context.Background() // It ends when the sequencer does.
	err := s.session.Sequencer.Query(ctx, func(e *engine.Engine) {
		if slices.ContainsFunc(e.Sessions(), func(s engine.Session) bool { return s.ID == sessionID }) {
			lost = append(lost, &engine.SessionLost{SessionID: sessionID})
		}
	})
	if err == nil && lost != nil {
		_, err = s.session.Sequencer.Submit(ctx, lost...)
	}
	if err != nil {
		slog.Error("the orders of a lost session were not canceled", "session_id", sessionID, "error", err)
	}
}
