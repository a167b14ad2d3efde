package journal

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"aetherion/trading/internal/testseed"
)

// decode reads a segment that may hold anything, and so a record, an event, a mark and a snapshot. It
// must end with an error or the end, and never read a record that does not fit what was given.
func decode(t testing.TB, data []byte) (records int) {
	s := newScanner("fuzz", bytes.NewReader(data), int64(len(data)))
	for {
		r, err := s.read()
		if err != nil {
			var corrupt *Corrupt
			if !errors.Is(err, io.EOF) && !errors.As(err, &corrupt) {
				t.Fatalf("unnamed error %v", err)
			}
			break
		}
		records++
		if r.offset+int64(len(r.raw)) != s.next || s.next > int64(len(data)) || len(r.payload) != int(r.length) {
			t.Fatalf("record at %d of %d bytes does not fit %d", r.offset, len(r.raw), len(data))
		}
	}
	if _, err := s.findRecord(); err != nil {
		t.Fatal(err)
	}
	if len(data) >= markSlot {
		_, _ = parseMark(data[:markSlot])
	}
	_, _, _ = parseSnapshot(data)
	return records
}

// seeds are a valid segment, mark and snapshot.
func seeds() [][]byte {
	segment := segmentStart(journalID{1}, MinSegmentSize, header{kind: typeSegment, index: 1, firstSequence: 1})
	segment = appendRecord(segment, header{kind: typeEpoch, epoch: 1, index: 2, firstSequence: 1}, func(b []byte) []byte { return b })
	segment = appendRecord(segment, header{kind: typeEvents, n: 3, epoch: 1, index: 3, firstSequence: 1},
		func(b []byte) []byte { return appendEvents(b, batch("one", "", "three")) })
	segment = append(segment, make([]byte, 1024)...)
	slot := make([]byte, markSlot)
	(&mark{journalID{1}, 3, 3}).put(slot)
	snap := make([]byte, snapshotHeader, snapshotHeader+5)
	(&snapshot{id: journalID{1}, sequence: 3, index: 3}).put(snap, []byte("state"))
	return [][]byte{segment, slot, append(snap, "state"...)}
}

func FuzzSegment(f *testing.F) {
	for _, seed := range seeds() {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) { decode(t, data) })
}

// A bounded run of the same in every test: valid bytes, changed in a few places, with the checksums of
// half of them made right again so that what is behind them is reached.
func TestSegmentOfChangedBytes(t *testing.T) {
	seed := testseed.Of(t)
	random := rand.New(rand.NewPCG(seed, 0))
	originals := seeds()
	records := 0
	for range 30_000 {
		data := bytes.Clone(originals[random.IntN(len(originals))])
		for range 1 + random.IntN(4) {
			at := random.IntN(min(len(data), 400))
			data[at] = [...]byte{0, 1, 0x7f, 0x80, 0xff, byte(random.Uint32())}[random.IntN(6)]
		}
		if at := []int{0, int(recordSize(segmentPayload)), int(recordSize(segmentPayload)) + headerSize}[random.IntN(3)]; random.IntN(2) == 0 && at+headerSize <= len(data) {
			le := data[at : at+headerSize]
			h := header{kind: recordType(le[6]), length: uint32(le[8]) | uint32(le[11])<<24, n: uint32(le[12]) | uint32(le[15])<<24,
				firstSequence: uint64(le[32]) | uint64(le[39])<<56, durableUpto: uint64(le[40]) | uint64(le[47])<<56}
			if end := at + headerSize + int(h.length); end <= len(data) {
				h.payloadCRC = checksum(data[at+headerSize : end])
			}
			h.put(le)
		}
		records += decode(t, data[:random.IntN(len(data)+1)])
	}
	if records < 1000 {
		t.Errorf("seed %d: only %d records were read", seed, records)
	}
}
