//go:build failpoints

// Package failpoint ends a process, as kill -9 would, or makes something fail, at a named stage of the order path.
// Only builds for chaos tests have it in them.
package failpoint

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// armed is the stage of FAILPOINT, "stage:n", and how often it is still passed. At the stage "clock" the machine's
// clock steps by n seconds, a moment after the start.
var (
	armed string
	left  atomic.Int64
	began = time.Now()
	step  int64
)

// stepAfter is when the clock steps.
const stepAfter = 100 * time.Millisecond

func init() {
	stage, count, _ := strings.Cut(os.Getenv("FAILPOINT"), ":")
	n, err := strconv.ParseInt(count, 10, 64)
	switch {
	case err != nil:
	case stage == "clock":
		step = n * int64(time.Second)
	case n > 0:
		armed = stage
		left.Store(n)
	}
}

// Hit passes a stage. The nth time there it does not return.
func Hit(stage string) {
	if Reached(stage) {
		Die()
	}
}

// Reached says whether the process is to die at this stage, which can then do a part of it and call Die.
func Reached(stage string) bool { return stage == armed && left.Add(-1) == 0 }

// Since says whether the process has come to this stage the nth time, or more often.
func Since(stage string) bool { return stage == armed && left.Add(-1) <= 0 }

// Fail is err at this stage the nth time.
func Fail(stage string, err error) error {
	if Reached(stage) {
		return err
	}
	return nil
}

// ClockStep is by how many ns the machine's clock has stepped.
func ClockStep() int64 {
	if step == 0 || time.Since(began) < stepAfter {
		return 0
	}
	return step
}

// Die ends the process at once.
func Die() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}
