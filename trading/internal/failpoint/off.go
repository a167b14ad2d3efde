//go:build !failpoints

// Package failpoint does nothing in a build that is not for chaos tests.
package failpoint

// Hit does nothing.
func Hit(string) {}

// Reached is never so.
func Reached(string) bool { return false }

// Since is never so.
func Since(string) bool { return false }

// Fail does not.
func Fail(string, error) error { return nil }

// ClockStep is none.
func ClockStep() int64 { return 0 }

// Die does nothing.
func Die() {}
