//go:build race

package exchange

// raceEnabled shortens the longest tests, which have one goroutine and nothing to race.
const raceEnabled = true
