// Command bench-orders is the load and the floors of `make bench-orders` and `make bench-streams`. Each
// subcommand prints one line of JSON: load sends orders to a service, echo answers them and does nothing else,
// disk is what syncing their records costs, risk asks a Risk Service as the gate does, streams is a thousand
// readers of which some read nothing.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"
)

var commands = map[string]func(ctx context.Context, args []string) (any, error){
	"load": load, "echo": echo, "disk": disk, "risk": risk, "streams": streams,
}

func main() {
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: bench-orders load | echo | disk | risk | streams [flags]")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	measured, err := commands[os.Args[1]](ctx, os.Args[2:])
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(measured)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "bench-orders %s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}

// latencies are exact percentiles, in microseconds.
type latencies struct {
	P50  float64 `json:"p50"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p99.9"`
	Max  float64 `json:"max"`
}

// percentiles sorts what was measured.
func percentiles(took []time.Duration) latencies {
	if len(took) == 0 {
		return latencies{}
	}
	slices.Sort(took)
	at := func(perMille int) float64 {
		return float64(took[min(len(took)*perMille/1000, len(took)-1)].Nanoseconds()) / 1e3
	}
	return latencies{at(500), at(990), at(999), at(1000)}
}
