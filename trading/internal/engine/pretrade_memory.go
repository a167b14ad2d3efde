package engine

// PretradeMemory is what of the pre-trade state only the Risk Service knows, after the event of a sequence:
// rate buckets, windows, latches, the day's quantities, peaks of equity.
type PretradeMemory struct {
	Sequence  uint64
	Memory    []byte
	StateHash []byte // SHA-256 over the whole pre-trade state
}
