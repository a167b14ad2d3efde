package gate

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"aetherion/trading/internal/engine"
)

// BenchmarkRoundTrip is what one synchronous caller, a simulation, waits for an order.
func BenchmarkRoundTrip(b *testing.B) {
	g := newGate(b, Config{Deadline: patient}, snapshotAt(0), approveAll)
	waitUp(b, g, 1)
	took := make([]time.Duration, 0, b.N)
	sequence := uint64(0)
	b.ReportAllocs()
	for b.Loop() {
		sequence++
		start := time.Now()
		if !g.Ask(orders(sequence, 100))[0].OrderDecision.Approved {
			b.Fatal("not approved")
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Nanoseconds()), "p50-ns")
	b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds()), "p99-ns")
}

// BenchmarkPipelined keeps up to 4,096 asks out, handed over in batches as a sequencer does.
func BenchmarkPipelined(b *testing.B) {
	for _, batch := range []int{1, 16, 256} {
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) {
			sequence, asks := uint64(1), 0
			// The engine keeps up, so that the history stays as short as it does in a service.
			g := newGate(b, Config{Deadline: patient}, func() engine.PretradeSnapshot { return snapshotAt(sequence - 1)() }, approveAll)
			waitUp(b, g, 1)
			quantities := slices.Repeat([]int64{100}, batch)
			var out []*Asked
			for b.Loop() {
				out = append(out, g.Begin(orders(sequence, quantities...)))
				sequence += uint64(batch)
				asks += batch
				if len(out) >= 4096/batch {
					approved(b, out[0])
					out = out[1:]
				}
			}
			for _, asked := range out {
				approved(b, asked)
			}
			b.ReportMetric(float64(asks)/b.Elapsed().Seconds(), "asks/s")
		})
	}
}

func approved(b *testing.B, asked *Asked) {
	for _, decision := range asked.Wait() {
		if !decision.OrderDecision.Approved {
			b.Fatal(decision.OrderDecision.Text)
		}
	}
}

func BenchmarkSecondKey(b *testing.B) {
	var key secondKey
	snapshot := snapshotAt(0)()
	key.reset(&snapshot)
	order := &orders(1, 100)[0]
	b.ReportAllocs()
	for b.Loop() {
		if key.check(order) != "" {
			b.Fatal("blocked")
		}
	}
}
