//go:build !failpoints

// Package failpoint does nothing in a build that is not for chaos tests.
package failpoint

// Hit does nothing.
func Hit(string) {}

// Reached is never so.
func Reached(string) bool { return false }

// Die does nothing.
func Die() {}
