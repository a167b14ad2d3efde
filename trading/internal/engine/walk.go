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
	// uint writes the value, or replaces it by the one read.
	uint(v *uint64)
	// string does the same.
	string(v *string)
	// fault remembers the first thing that is wrong; afterwards everything reads as zero.
	fault(err error)
	// reads says whether values are replaced.
	reads() bool
}

// stateWriter writes. Its error is the writer's first.
type stateWriter struct {
	to     io.Writer
	buffer []byte
	err    error
}

const stateBuffer = 64 << 10

func (w *stateWriter) uint(v *uint64) {
	w.buffer = binary.AppendUvarint(w.buffer, *v)
	if len(w.buffer) >= stateBuffer {
		w.flush()
	}
}

func (w *stateWriter) string(v *string) {
	length := uint64(len(*v))
	w.uint(&length)
	w.buffer = append(w.buffer, *v...)
}

func (w *stateWriter) fault(err error) {
	if w.err == nil {
		w.err = err
	}
}

func (w *stateWriter) reads() bool { return false }

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
}

var errStateEnds = errors.New("the state ends too early")

func (r *stateReader) uint(v *uint64) {
	value, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.fault(errStateEnds)
		*v = 0
		return
	}
	*v, r.rest = value, r.rest[n:]
}

func (r *stateReader) string(v *string) {
	var length uint64
	r.uint(&length)
	if length > uint64(len(r.rest)) {
		r.fault(errStateEnds)
		length = 0
	}
	*v, r.rest = string(r.rest[:length]), r.rest[length:]
}

func (r *stateReader) fault(err error) {
	if r.err == nil {
		r.err = err
	}
	r.rest = nil
}

func (r *stateReader) reads() bool { return true }

// walkInt walks a signed number, small ones of either sign in few bytes.
func walkInt(w walker, v *int64) {
	zigzag := uint64(*v)<<1 ^ uint64(*v>>63)
	w.uint(&zigzag)
	*v = int64(zigzag>>1) ^ -int64(zigzag&1)
}

// walkSmall walks a number that has fewer bits than 64.
func walkSmall[T ~uint8 | ~uint32](w walker, v *T) {
	wide := uint64(*v)
	w.uint(&wide)
	if *v = T(wide); uint64(*v) != wide {
		w.fault(fmt.Errorf("%d is too large for %T", wide, *v))
	}
}

func walkBool(w walker, v *bool) {
	var bit uint8
	if *v {
		bit = 1
	}
	walkSmall(w, &bit)
	*v = bit == 1
	if bit > 1 {
		w.fault(fmt.Errorf("%d is no truth value", bit))
	}
}

// walkSlice walks the length and each value.
func walkSlice[T any](w walker, s *[]T, value func(walker, *T)) {
	n := uint64(len(*s))
	w.uint(&n)
	if !w.reads() {
		for i := range *s {
			value(w, &(*s)[i])
		}
		return
	}
	*s = nil
	for range n {
		var v T
		if value(w, &v); failed(w) {
			return
		}
		*s = append(*s, v)
	}
}

// walkMap walks the length, and key and value in the order of the keys.
func walkMap[K cmp.Ordered, V any](w walker, m map[K]V, key func(walker, *K), value func(walker, *V)) {
	n := uint64(len(m))
	w.uint(&n)
	if !w.reads() {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			v := m[k]
			key(w, &k)
			value(w, &v)
		}
		return
	}
	for range n {
		var k K
		var v V
		key(w, &k)
		if value(w, &v); failed(w) {
			return
		}
		m[k] = v
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

func walkString(w walker, v *string) { w.string(v) }
func walkUint(w walker, v *uint64)   { w.uint(v) }
