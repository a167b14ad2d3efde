package sequencer

import (
	"fmt"
	"strconv"
	"testing"

	"aetherion/trading/internal/engine"
)

// BenchmarkProcess is the price of an order from input to acknowledgement, with a Risk Service in this
// process that approves, by orders in a batch.
func BenchmarkProcess(b *testing.B) {
	for _, size := range []int{1, 16, 256} {
		b.Run(fmt.Sprintf("batch=%d", size), func(b *testing.B) {
			bench := newBench(b)
			inputs := make([]engine.Input, size)
			orders := 0
			b.ReportAllocs()
			for b.Loop() {
				for i := range inputs {
					orders++
					inputs[i] = order(strconv.Itoa(orders), 100)
				}
				if _, err := bench.sequencer.Process(inputs); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(orders)/b.Elapsed().Seconds(), "orders/s")
		})
	}
}
