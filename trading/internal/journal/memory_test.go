package journal

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
)

// readAll is every event from sequence on, as "sequence:event".
func readAll(t *testing.T, from interface {
	ReadFrom(uint64, func(uint64, []byte) error) error
}, sequence uint64) []string {
	t.Helper()
	var read []string
	err := from.ReadFrom(sequence, func(sequence uint64, event []byte) error {
		read = append(read, fmt.Sprintf("%d:%s", sequence, event))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return read
}

func batch(events ...string) [][]byte {
	out := make([][]byte, len(events))
	for i, event := range events {
		out[i] = []byte(event)
	}
	return out
}

func TestMemoryReadsBackWhatWasAppended(t *testing.T) {
	m := NewMemory()
	reused := batch("a", "", "ccc")
	if err := m.Append(1, reused); err != nil {
		t.Fatal(err)
	}
	reused[0][0] = 'X' // the caller's buffer is its own again
	if err := m.Append(4, batch("d")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		from uint64
		want []string
	}{
		{1, []string{"1:a", "2:", "3:ccc", "4:d"}},
		{3, []string{"3:ccc", "4:d"}},
		{5, nil},
	} {
		if got := readAll(t, m, c.from); !slices.Equal(got, c.want) {
			t.Errorf("ReadFrom(%d) = %v, want %v", c.from, got, c.want)
		}
	}
	if got := m.LastSequence(); got != 4 {
		t.Errorf("LastSequence() = %d, want 4", got)
	}
}

func TestMemoryRefusesGapsAndRepeats(t *testing.T) {
	m := NewMemory()
	if err := m.Append(1, batch("a", "b")); err != nil {
		t.Fatal(err)
	}
	for _, first := range []uint64{0, 1, 2, 4} {
		if err := m.Append(first, batch("x")); !errors.Is(err, ErrSequence) {
			t.Errorf("Append(%d) = %v, want ErrSequence", first, err)
		}
	}
	for _, from := range []uint64{0, 4} {
		if err := m.ReadFrom(from, func(uint64, []byte) error { return nil }); !errors.Is(err, ErrSequence) {
			t.Errorf("ReadFrom(%d) = %v, want ErrSequence", from, err)
		}
	}
	if got, want := readAll(t, m, 1), []string{"1:a", "2:b"}; !slices.Equal(got, want) {
		t.Errorf("after the refusals: %v, want %v", got, want)
	}
}

func TestMemoryReadStopsAtTheReadersError(t *testing.T) {
	m := NewMemory()
	if err := m.Append(1, batch("a", "b", "c")); err != nil {
		t.Fatal(err)
	}
	enough, calls := errors.New("enough"), 0
	err := m.ReadFrom(1, func(uint64, []byte) error { calls++; return enough })
	if !errors.Is(err, enough) || calls != 1 {
		t.Errorf("got error %v after %d calls, want %v after 1", err, calls, enough)
	}
}

func TestMemoryReadersAndOneWriter(t *testing.T) {
	m := NewMemory()
	const n = 2000
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for next := uint64(1); next <= n; {
				err := m.ReadFrom(next, func(sequence uint64, event []byte) error {
					if want := fmt.Sprint(sequence); sequence != next || string(event) != want {
						t.Errorf("read %d:%s, want %d:%d", sequence, event, next, next)
					}
					next++
					return nil
				})
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for s := uint64(1); s <= n; s++ {
		if err := m.Append(s, batch(fmt.Sprint(s))); err != nil {
			t.Fatal(err)
		}
	}
	readers.Wait()
}
