// Command aetherion-trading is the Trading Service. It is configured by the environment and a .env file
// in the working directory; see .env.example.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"aetherion/trading/internal/config"
	"aetherion/trading/internal/gate"
	"aetherion/trading/internal/live"
	"aetherion/trading/internal/market"
	"aetherion/trading/internal/recovery"
	"aetherion/trading/internal/rpc"
	"aetherion/trading/internal/venue/flow"
)

// version is set by the linker in releases.
var version = "0.1.0"

// gcPercent is how much the heap grows between two collections, in percent of what is in use. At Go's 100 they
// take a third of the time of a busy service. GOGC sets another; GOMEMLIMIT bounds the memory.
const gcPercent = 300

const (
	exitFailure = 1
	exitUsage   = 2
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "journal" {
		if err := journalCommand(os.Args[2:], os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "aetherion-trading:", err)
			os.Exit(exitFailure)
		}
		return
	}
	if len(os.Args) > 1 {
		fmt.Fprintf(os.Stderr, "aetherion-trading: takes no arguments but journal, got %q; see .env.example for its settings\n", os.Args[1])
		os.Exit(exitUsage)
	}
	settings, err := config.Load(".env", os.Environ())
	if err != nil {
		fmt.Fprintln(os.Stderr, "aetherion-trading:", err)
		os.Exit(exitUsage)
	}
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: settings.LogLevel})))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	defer profileCPU()()
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if err := run(ctx, settings); err != nil {
		fmt.Fprintln(os.Stderr, "aetherion-trading:", err)
		os.Exit(exitFailure)
	}
}

func run(ctx context.Context, settings config.Config) error {
	catalog, err := openCatalog(settings.DataDir)
	if err != nil {
		return err
	}
	dataset, err := openReplay(catalog, settings.ReplayDataSet)
	if err != nil {
		return err
	}
	risk, err := gate.Dial(settings.RiskAddress)
	if err != nil {
		return fmt.Errorf("risk service at %s: %w", settings.RiskAddress, err)
	}
	defer risk.Close()
	listeners, err := rpc.Listen(settings.Listen, settings.UnixSocket)
	if err != nil {
		return err
	}
	kept, err := openJournal(settings)
	if err != nil {
		return err
	}
	defer kept.Close()
	var synthetic *flow.Config
	if settings.Synthetic {
		synthetic = &flow.Config{Markets: flow.Markets(), Seed: settings.SyntheticSeed}
	}
	var venue grpc.ClientConnInterface
	if settings.VenueAddress != "" {
		conn, err := gate.Dial(settings.VenueAddress)
		if err != nil {
			return fmt.Errorf("venue at %s: %w", settings.VenueAddress, err)
		}
		defer conn.Close()
		venue = conn
	}
	session, err := live.New(live.Config{
		Account:           settings.Account,
		InitialCash:       settings.InitialCash,
		Speed:             settings.ReplaySpeed,
		MaxVolumeShareBps: settings.ReplayVolumeShareBps,
		OrderLatency:      settings.ReplayOrderLatency,
		RiskTimeout:       settings.RiskTimeout,
		ReportsKept:       settings.ReportsInMemory,
		Synthetic:         synthetic,
		Venue:             venue,
		Durable:           settings.Durability == config.DurabilityFsync,
		Adoption:          live.Adoption(settings.Adopt),
	}, dataset, risk, kept)
	if err != nil {
		return err
	}
	defer session.Close()
	server := rpc.New(rpc.Config{
		Version:              version,
		Epoch:                kept.epoch,
		Durability:           settings.Durability,
		RequestTimeout:       settings.RequestTimeout,
		SendTimeout:          settings.SendTimeout,
		MaxMessageBytes:      settings.MaxMessageBytes,
		MaxConcurrentStreams: settings.MaxConcurrentStreams,
		MaxBatchCommands:     settings.MaxBatchCommands,
		MaxBacktests:         settings.MaxBacktests,
		TwoPersonLimits:      settings.TwoPersonLimits,
		JournalRoom:          kept.Room,
	}, session, catalog, risk)
	return serve(ctx, session, server, listeners, kept)
}

// serve stops the server first, so that calls under way still find the session.
func serve(ctx context.Context, session *live.Session, server *rpc.Server, listeners []net.Listener, past recovery.Past) error {
	trading, stopTrading := context.WithCancel(context.WithoutCancel(ctx))
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return session.Run(trading) })
	group.Go(func() error { return recovery.Check(ctx, past) }) // beside the first orders: it takes as long as a start without a snapshot
	group.Go(func() error {
		defer stopTrading()
		awaitRisk(ctx, session)
		warn(ctx, server)
		return server.Serve(ctx, listeners...)
	})
	for _, listener := range listeners {
		if address, ok := listener.Addr().(*net.TCPAddr); ok && !address.IP.IsLoopback() {
			slog.Warn("anyone who reaches this address can trade: there is no authentication", "address", address.String())
		}
		slog.Info("listening", "network", listener.Addr().Network(), "address", listener.Addr().String())
	}
	err := group.Wait()
	slog.Info("stopped")
	return err
}

// riskAtStart is how long nothing is served while the Risk Service takes over the state.
const riskAtStart = 2 * time.Second

// awaitRisk spares the first clients that their orders are refused. A service without risk does serve: cancels work.
func awaitRisk(ctx context.Context, session *live.Session) {
	ctx, stop := context.WithTimeout(ctx, riskAtStart)
	defer stop()
	if err := session.Gate.Ready(ctx); err != nil {
		slog.Warn("serving without risk: orders are refused until it is there", "reason", err)
	}
}

// warn says at the start what GetStatus says at any time.
func warn(ctx context.Context, server *rpc.Server) {
	warnings, err := server.Warnings(ctx)
	if err != nil {
		return // It ends before it began.
	}
	for _, warning := range warnings {
		slog.Warn(warning)
	}
}

func openCatalog(dir string) (market.Catalog, error) {
	info, err := os.Stat(dir)
	if err != nil || !info.IsDir() {
		path, absErr := filepath.Abs(dir)
		if absErr != nil {
			path = dir
		}
		return market.Catalog{}, fmt.Errorf("AETHERION_TRADING_DATA_DIR: must be a folder that exists, got %q (%s)", dir, path)
	}
	return market.Catalog{Dir: dir}, nil
}

func openReplay(catalog market.Catalog, name string) (*market.Dataset, error) {
	if name == "" {
		return nil, nil
	}
	dataset, err := catalog.Open(name)
	if err != nil {
		return nil, fmt.Errorf("AETHERION_TRADING_REPLAY_DATA_SET: %w", err)
	}
	return dataset, nil
}
