//go:build failpoints

// Package failpoint ends a process, as kill -9 would, at a named stage of the order path. Only builds for
// chaos tests have it in them.
package failpoint

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

// armed is the stage of FAILPOINT, "stage:n", and how often it is still passed.
var (
	armed string
	left  atomic.Int64
)

func init() {
	stage, count, _ := strings.Cut(os.Getenv("FAILPOINT"), ":")
	n, err := strconv.ParseInt(count, 10, 64)
	if err == nil && n > 0 {
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

// Die ends the process at once.
func Die() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}
