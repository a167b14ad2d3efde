// Package testseed gives the random tests their seed.
package testseed

import (
	"os"
	"strconv"
	"testing"
)

// Of returns AETHERION_SEED, or 1, so that a suite run twice does the same twice, and logs it.
func Of(t testing.TB) uint64 {
	t.Helper()
	seed := uint64(1)
	if text := os.Getenv("AETHERION_SEED"); text != "" {
		parsed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("AETHERION_SEED: must be a whole number from 0 to 2^64 - 1, got %q", text)
		}
		seed = parsed
	}
	t.Logf("AETHERION_SEED=%d", seed)
	return seed
}
