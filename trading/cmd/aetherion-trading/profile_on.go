//go:build profile

package main

import (
	"log/slog"
	"os"
	"runtime/pprof"
)

// profileCPU samples this process into the file that BENCH_CPU_PROFILE names, until it stops.
func profileCPU() (stop func()) {
	file, err := os.Create(os.Getenv("BENCH_CPU_PROFILE"))
	if err == nil {
		err = pprof.StartCPUProfile(file)
	}
	if err != nil {
		slog.Error("no profile", "error", err)
		return func() {}
	}
	return pprof.StopCPUProfile
}
