package simtest

import (
	"flag"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"
)

var (
	seed   = flag.Uint64("seed", 1, "of the script, or of the first")
	seeds  = flag.Uint64("seeds", 20, "how many scripts TestSeeds runs")
	steps  = flag.Int("steps", 400, "of a script")
	orders = flag.Int("orders", 10, "commands a message on average")
	every  = flag.Duration("every", 100*time.Millisecond, "virtual time between steps")
	bps    = flag.Int64("faults", 600, "steps in 10,000 that are faults")
	loud   = flag.Bool("loud", false, "let the services log")
	settle = flag.Int("settle", 1000, "steps between comparisons")
)

func script(seed uint64) Script {
	return Script{Seed: seed, Steps: *steps, Every: *every, Orders: *orders, FaultBps: *bps}
}

func startRisk(t *testing.T) *Risk {
	t.Helper()
	program, err := filepath.Abs("../../../bin/pretrade-stdio")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(program); err != nil {
		t.Fatalf("%v: `make bin/pretrade-stdio` builds it", err)
	}
	risk, err := StartRisk(program)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := risk.Close(); err != nil {
			t.Error(err)
		}
	})
	return risk
}

func quiet(t *testing.T) {
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
}

// TestSeed is `make sim SEED=N`.
func TestSeed(t *testing.T) {
	if !*loud {
		quiet(t)
	}
	script := script(*seed)
	result, err := Run(t, script, Options{Risk: startRisk(t), SettleSteps: *settle})
	t.Logf("seed %d: %v", script.Seed, &result)
	t.Log(result.FaultText())
	if err != nil {
		t.Fatalf("%v\n%s", err, script.Text())
	}
}

// TestSeeds runs many seeds; `make soak-sim` ten thousand of them.
func TestSeeds(t *testing.T) {
	quiet(t)
	risk := startRisk(t)
	for i := range *seeds {
		script := script(*seed + i)
		result, err := Run(t, script, Options{Risk: risk, SettleSteps: *settle})
		if err != nil {
			t.Fatalf("%v\n%s", err, script.Text())
		}
		if i%100 == 99 || i == *seeds-1 {
			t.Logf("seed %d: %v", script.Seed, &result)
		}
	}
}

func TestTheSameSeedGivesTheSameTrace(t *testing.T) {
	quiet(t)
	risk := startRisk(t)
	var first, second, other Result
	for seed, result := range map[uint64]*Result{7: &first, 8: &other} {
		var err error
		if *result, err = Run(t, script(seed), Options{Risk: risk}); err != nil {
			t.Fatal(err)
		}
	}
	second, err := Run(t, script(7), Options{Risk: risk})
	if err != nil || first.Hash != second.Hash || first.Hash == other.Hash {
		t.Errorf("seed 7 gave %v and %v (%v), seed 8 %v", &first, &second, err, &other)
	}
}
