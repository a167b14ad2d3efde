package flow

import (
	"maps"
	"slices"
)

// sortedKeys gives a map one order: the flow is the same each time.
func sortedKeys[V any](m map[int64]V) []int64 { return slices.Sorted(maps.Keys(m)) }
