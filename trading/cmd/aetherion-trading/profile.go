//go:build !profile

package main

// profileCPU does nothing: only builds for the benchmark sample themselves.
func profileCPU() (stop func()) { return func() {} }
