// Command aetherion-exchange is a simulated venue as a process of its own.
package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/contract"
	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/venue/exchange"
	"aetherion/trading/internal/venue/exchange/serve"
)

//go:embed instruments.json
var ownInstruments []byte

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "aetherion-exchange:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) (err error) {
	flags := flag.NewFlagSet("aetherion-exchange", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:7410", "address to serve VenueService on")
	instruments := flags.String("instruments", "", "JSON file with the instruments; two of our own when empty")
	log := flags.String("log", "", "directory of the durable log; nothing is kept when empty")
	seed := flags.Uint64("seed", 1, "of the latencies, the flow and random faults")
	latency := flags.String("latency", "0s", "in each direction: 2ms, or log-normal 2ms~0.5")
	lively := flags.Bool("flow", false, "let a synthetic flow of orders trade")
	asJSON := flags.Bool("json", false, "say that it is ready in JSON")
	var plan misbehaviour
	flags.StringVar(&plan.file, "faults", "", "file with a plan of faults, one a line")
	flags.StringVar(&plan.rates, "fault-rates", "", "random faults: drop=0.01,delay=0.05")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("takes no arguments but flags, got %q", flags.Arg(0))
	}
	config := exchange.Config{Seed: *seed}
	if config.Instruments, err = readInstruments(*instruments); err != nil {
		return fmt.Errorf("instruments: %w", err)
	}
	if config.CommandLatency, err = parseLatency(*latency); err != nil {
		return err
	}
	config.ReportLatency = config.CommandLatency
	if err := plan.read(); err != nil {
		return err
	}
	venue, err := serve.Open(config, *log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, venue.Close()) }()
	if *lively {
		if err := enliven(venue, config); err != nil {
			return err
		}
	}
	if plan.file != "" || plan.rates != "" {
		venue.Misbehave(plan.rules, plan.random, *seed)
	}
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	if *asJSON {
		fmt.Fprintf(out, "{\"ready\": true, \"address\": %q, \"pid\": %d}\n", listener.Addr(), os.Getpid())
	} else {
		fmt.Fprintf(out, "exchange %s ready on %s\n", config.Instruments[0].Venue(), listener.Addr())
	}
	return venue.Serve(ctx, listener)
}

func readInstruments(path string) ([]engine.Instrument, error) {
	text, err := ownInstruments, error(nil)
	if path != "" {
		if text, err = os.ReadFile(path); err != nil {
			return nil, err
		}
	}
	var file struct {
		Instruments []json.RawMessage `json:"instruments"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		return nil, err
	}
	var instruments []engine.Instrument
	for i, definition := range file.Instruments {
		var message pb.Instrument
		if err := protojson.Unmarshal(definition, &message); err != nil {
			return nil, fmt.Errorf("instruments[%d]: %w", i, err)
		}
		instrument, err := contract.DecodeInstrument(&message)
		if err != nil {
			return nil, fmt.Errorf("instruments[%d]: %w", i, err)
		}
		instruments = append(instruments, instrument)
	}
	return instruments, nil
}

func parseLatency(text string) (exchange.Latency, error) {
	median, sigma, random := strings.Cut(text, "~")
	duration, err := time.ParseDuration(median)
	latency := exchange.Latency{Median: duration}
	if err == nil && random {
		latency.Sigma, err = strconv.ParseFloat(sigma, 64)
	}
	if err != nil {
		return latency, fmt.Errorf("latency: must be like 2ms or 2ms~0.5, got %q", text)
	}
	return latency, nil
}
