package engine

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"aetherion/trading/internal/testseed"
)

// TestOrderMapIsAMap holds it against the language's own, with ids close together, far apart and of lists.
func TestOrderMapIsAMap(t *testing.T) {
	seed := testseed.Of(t)
	random := rand.New(rand.NewPCG(seed, 0))
	var got OrderMap[int]
	want := map[uint64]*int{}
	for range 100_000 {
		id := OrderID(1+random.Uint64N(300)<<(random.Uint64N(2)*20), random.IntN(3))
		if random.IntN(3) == 0 {
			got.Delete(id)
			delete(want, id)
		} else {
			value := random.Int()
			got.Put(id, &value)
			want[id] = &value
		}
		if probe := 1 + random.Uint64N(300); got.Get(probe) != want[probe] || got.Len() != len(want) {
			t.Fatalf("seed %d: %d is %v of %d, want %v of %d", seed, probe, got.Get(probe), got.Len(), want[probe], len(want))
		}
	}
	var ids []uint64
	for id, value := range got.All() {
		if ids = append(ids, id); value != want[id] {
			t.Errorf("seed %d: %d is %v, want %v", seed, id, value, want[id])
		}
	}
	if sorted := slices.Sorted(maps.Keys(want)); !slices.Equal(ids, sorted) {
		t.Errorf("seed %d: ids %v, want %v", seed, ids, sorted)
	}
	for id := range want {
		got.Delete(id)
	}
	if got.Len() != 0 || len(got.pages) != 0 {
		t.Errorf("seed %d: empty, it has %d orders and %d pages", seed, got.Len(), len(got.pages))
	}
}
