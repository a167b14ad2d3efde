package engine

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
)

// walker meets every value of the state in one fixed order: to write it, or to read it back. Values are
// varints, strings and lists have their length before them, so that different states never write the
// same bytes.
type walker interface {
	// uint writes the value and gives it back, or gives the one read. Values, not pointers, go through this
	// interface: what a pointer points to would be on the heap, for each field of each order.
	uint(v uint64) uint64
	// string does the same.
	string(v string) string
	// fault remembers the first thing that is wrong; afterwards everything reads as zero.
	fault(err error)
	// reads says whether values are replaced.
	reads() bool
	// atMost is n, or less when that many values cannot follow.
	atMost(n uint64) uint64
}

// stateWriter writes. Its error is the writer's first.
type stateWriter struct {
	to     io.Writer
	buffer []byte
	err    error
}

const stateBuffer = 64 << 10

func (w *stateWriter) uint(v uint64) uint64 {
	w.buffer = binary.AppendUvarint(w.buffer, v)
	if len(w.buffer) >= stateBuffer {
		w.flush()
	}
	return v
}

func (w *stateWriter) string(v string) string {
	w.uint(uint64(len(v)))
	w.buffer = append(w.buffer, v...)
	return v
}

func (w *stateWriter) fault(err error) {
	if w.err == nil {
		w.err = err
	}
}

func (w *stateWriter) reads() bool { return false }

func (w *stateWriter) atMost(n uint64) uint64 { return n }

func (w *stateWriter) flush() {
	if _, err := w.to.Write(w.buffer); err != nil {
		w.fault(err)
	}
	w.buffer = w.buffer[:0]
}

// stateReader reads what stateWriter wrote.
type stateReader struct {
	rest []byte
	err  error
	// seen are strings of late: most name the same few accounts, strategies, instruments.
	seen [256]string
}

var errStateEnds = errors.New("the state ends too early")

func (r *stateReader) uint(uint64) uint64 {
	value, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.fault(errStateEnds)
		return 0
	}
	r.rest = r.rest[n:]
	return value
}

func (r *stateReader) string(string) string {
	length := r.uint(0)
	if length > uint64(len(r.rest)) {
		r.fault(errStateEnds)
		return ""
	}
	text := r.rest[:length]
	if r.rest = r.rest[length:]; length == 0 {
		return ""
	}
	seen := &r.seen[(text[0]^text[length-1])+byte(length)]
	if *seen != string(text) {
		*seen = string(text)
	}
	return *seen
}

func (r *stateReader) fault(err error) {
	if r.err == nil {
		r.err = err
	}
	r.rest = nil
}

func (r *stateReader) reads() bool { return true }

// leastEntry is how many bytes a key and its value take at least.
const leastEntry = 4

func (r *stateReader) atMost(n uint64) uint64 { return min(n, uint64(len(r.rest)/leastEntry)) }

// walkInt walks a signed number, small ones of either sign in few bytes.
func walkInt(w walker, v *int64) {
	zigzag := uint64(*v)<<1 ^ uint64(*v>>63)
	walkUint(w, &zigzag)
	set(v, int64(zigzag>>1)^-int64(zigzag&1))
}

// walkSmall walks a number that has fewer bits than 64.
func walkSmall[T ~uint8 | ~uint32](w walker, v *T) {
	wide := uint64(*v)
	walkUint(w, &wide)
	if set(v, T(wide)); uint64(*v) != wide {
		w.fault(fmt.Errorf("%d is too large for %T", wide, *v))
	}
}

func walkBool(w walker, v *bool) {
	var bit uint8
	if *v {
		bit = 1
	}
	walkSmall(w, &bit)
	set(v, bit == 1)
	if bit > 1 {
		w.fault(fmt.Errorf("%d is no truth value", bit))
	}
}

// walkSlice walks the length and each value.
func walkSlice[T any](w walker, s *[]T, value func(walker, *T)) {
	n := uint64(len(*s))
	walkUint(w, &n)
	if !w.reads() {
		for i := range *s {
			value(w, &(*s)[i])
		}
		return
	}
	*s = nil
	for range n {
		var v T
		*s = append(*s, v)
		if value(w, &(*s)[len(*s)-1]); failed(w) {
			return
		}
	}
}

// walkMap walks the length, and key and value in the order of the keys.
func walkMap[K cmp.Ordered, V any](w walker, m *map[K]V, key func(walker, *K), value func(walker, *V)) {
	n := uint64(len(*m))
	walkUint(w, &n)
	if !w.reads() {
		for _, k := range slices.Sorted(maps.Keys(*m)) {
			v := (*m)[k]
			key(w, &k)
			value(w, &v)
		}
		return
	}
	*m = make(map[K]V, w.atMost(n))
	var k K
	var v V
	for range n {
		var none V
		key(w, &k)
		v = none
		if value(w, &v); failed(w) {
			return
		}
		(*m)[k] = v
	}
}

// checkKeys refuses a map that was read with a value under another key than its own.
func checkKeys[K cmp.Ordered, V any](w walker, m map[K]V, own func(V) K) {
	if !w.reads() || failed(w) {
		return
	}
	for key, value := range m {
		if own(value) != key {
			w.fault(fmt.Errorf("%v stands under the key %v", own(value), key))
			return
		}
	}
}

func failed(w walker) bool {
	r, reads := w.(*stateReader)
	return reads && r.err != nil
}

func walkString(w walker, v *string) { set(v, w.string(*v)) }
func walkUint(w walker, v *uint64)   { set(v, w.uint(*v)) }

// set leaves alone what is the same: state that is only written out may be read elsewhere meanwhile.
func set[T comparable](v *T, value T) {
	if *v != value {
		*v = value
	}
}
