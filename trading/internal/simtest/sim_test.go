package simtest

import (
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

var (
	seed      = flag.Uint64("seed", 1, "of the script, or of the first")
	seeds     = flag.Uint64("seeds", 20, "how many scripts TestSeeds runs")
	steps     = flag.Int("steps", 400, "of a script")
	orders    = flag.Int("orders", 10, "commands a message on average")
	every     = flag.Duration("every", 100*time.Millisecond, "virtual time between steps")
	bps       = flag.Int64("faults", 600, "steps in 10,000 that are faults")
	keep      = flag.String("keep", "", "numbers of the steps that are done, as a failure names them; empty: all")
	shrinking = flag.Duration("shrink", 2*time.Minute, "how long to look for the shortest script of a failure")
	loud      = flag.Bool("loud", false, "let the services log")
	snapshot  = flag.Uint64("snapshot", 2000, "events between snapshots")
	settle    = flag.Int("settle", 1000, "steps between comparisons")
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
	script, options := script(*seed), Options{Risk: startRisk(t), SettleSteps: *settle, SnapshotEvents: *snapshot}
	if *keep != "" {
		for number := range strings.SplitSeq(*keep, ",") {
			n, err := strconv.Atoi(number)
			if err != nil {
				t.Fatalf("-keep: must be numbers of steps, got %q", number)
			}
			script.Kept = append(script.Kept, n)
		}
	}
	result, err := Run(t, script, options)
	t.Logf("seed %d: %v", script.Seed, &result)
	t.Log(result.Details())
	if err != nil {
		fail(t, script, options, err)
	}
}

// fail says what went wrong, and the shortest script that shows it.
func fail(t *testing.T, script Script, options Options, err error) {
	t.Helper()
	shortest := Shrink(script, func(less Script) bool {
		_, failed := Run(t, less, options)
		return failed != nil && kindOf(failed) == kindOf(err)
	}, *shrinking)
	_, last := Run(t, shortest, options)
	t.Fatalf("%v\nshortest script, of %d steps (make sim SEED=%d ARGS=\"-steps %d -faults %d -keep %s\"): %v\n%s",
		err, len(shortest.Kept), script.Seed, script.Steps, script.FaultBps, join(shortest.Kept), last, shortest.Text())
}

var where = regexp.MustCompile(`^seed \d+: ((before |after )?step \d+: )?`)

// kindOf is what failed, without what differs from run to run: all up to the first number.
func kindOf(err error) string {
	what := where.ReplaceAllString(err.Error(), "")
	if at := strings.IndexAny(what, "0123456789"); at >= 0 {
		what = what[:at]
	}
	return what
}

func join(numbers []int) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(numbers), " ", ","), "[]")
}

// TestSeeds runs many seeds; `make soak-sim` ten thousand of them.
func TestSeeds(t *testing.T) {
	quiet(t)
	options := Options{Risk: startRisk(t), SettleSteps: *settle, SnapshotEvents: *snapshot}
	all := Result{Faults: map[string]int{}, Met: map[string]int{}}
	for i := range *seeds {
		script := script(*seed + i)
		t.Logf("seed %d", script.Seed) // A panic does not name it.
		result, err := Run(t, script, options)
		if err != nil {
			fail(t, script, options, err)
		}
		all.add(&result)
		if i%100 == 99 || i == *seeds-1 {
			t.Logf("to seed %d: %v\n%s", script.Seed, &all, all.Details())
		}
	}
	for _, what := range all.unmet() {
		t.Errorf("%d seeds never met: %s", *seeds, what)
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
