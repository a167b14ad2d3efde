package journal

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

const (
	segmentSuffix  = ".segment"
	snapshotSuffix = ".snapshot"
	brokenSuffix   = ".broken"
	tmpSuffix      = ".tmp"
	spareName      = "spare" + tmpSuffix
	segmentPayload = 24 // of the record that starts a segment: id, size
)

// segment is one file of records. Its name holds the index of its first record.
type segment struct {
	index         uint64
	firstSequence uint64 // of the events in it, or of the next one
}

func (s *segment) name() string { return segmentName(s.index) }

func segmentName(index uint64) string { return fmt.Sprintf("%020d%s", index, segmentSuffix) }

// journalState is what is known after the newest record.
type journalState struct {
	id        journalID
	segments  []segment
	snapshots []snapshot // oldest first
	epoch     uint64
	index     uint64 // of the newest record
	sequence  uint64 // of the newest event
	hash      hash   // of the newest record
	end       int64  // of the newest record, in the last segment
	size      int64  // of the last segment
	records   int

	// What recovery found at the end, to be repaired before anything is written.
	torn      *Corrupt
	notes     []string
	truncated bool // the last segment is shorter than its size
}

// listing are the names in a journal's directory by kind, each in ascending order.
type listing struct {
	segments, snapshots, leftovers []string
	mark                           bool
}

func list(disk Disk) (listing, error) {
	names, err := disk.Names()
	if err != nil {
		return listing{}, fmt.Errorf("journal: %w", err)
	}
	slices.Sort(names)
	var l listing
	for _, name := range names {
		switch {
		case name == markName:
			l.mark = true
		case strings.HasSuffix(name, segmentSuffix):
			l.segments = append(l.segments, name)
		case strings.HasSuffix(name, snapshotSuffix):
			l.snapshots = append(l.snapshots, name)
		case strings.HasSuffix(name, tmpSuffix):
			l.leftovers = append(l.leftovers, name)
		}
	}
	return l, nil
}

// recovery reads everything and refuses what was not written so. Only the last record of the last
// segment may be bad: if no record follows it and it was never acknowledged, it is torn.
type recovery struct {
	disk  Disk
	visit func(segment string, r *record) error // nil: nobody is told
	journalState
	highWater uint64 // index that the journal must reach
	witness   string // the file that says so
}

// scanAll recovers a journal that has at least one segment. It changes nothing.
func scanAll(disk Disk, l listing, visit func(string, *record) error) (journalState, error) {
	r := recovery{disk: disk, visit: visit}
	if err := r.readWitnesses(l); err != nil {
		return journalState{}, err
	}
	for i, name := range l.segments {
		if err := r.segment(name, i == len(l.segments)-1); err != nil {
			return journalState{}, r.afterLast(err)
		}
	}
	return r.journalState, r.afterLast(r.checkEnd(l))
}

// afterLast says what an operator must know who wants to go on from the last good record; see CutAfter.
func (r *recovery) afterLast(err error) error {
	if corrupt := (*Corrupt)(nil); r.records > 0 && errors.As(err, &corrupt) {
		return fmt.Errorf("%w; the last good record is %d, up to sequence %d, with hash %x", err, r.index, r.sequence, r.hash)
	}
	return err
}

// readWitnesses reads what stands outside the segments: the mark and the snapshots.
func (r *recovery) readWitnesses(l listing) error {
	for _, name := range l.snapshots {
		s, _, err := readSnapshot(r.disk, name)
		if err != nil {
			return err
		}
		r.snapshots = append(r.snapshots, s)
		r.witnessed(s.id, s.index, name)
	}
	if !l.mark {
		return nil
	}
	handle, err := r.disk.Open(markName)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	m, note, err := readMark(handle)
	if err = errors.Join(err, handle.Close()); err != nil {
		return err
	}
	if note != "" {
		r.notes = append(r.notes, note)
	}
	r.witnessed(m.id, m.index, markName)
	return nil
}

func (r *recovery) witnessed(id journalID, index uint64, name string) {
	r.id = id // All must be that of the segments, which is checked when they are read.
	if index >= r.highWater {
		r.highWater, r.witness = index, name
	}
}

// segment reads one file of records.
func (r *recovery) segment(name string, last bool) (err error) {
	handle, err := r.disk.Open(name)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	defer func() { err = errors.Join(err, handle.Close()) }()
	size, err := handle.Size()
	if err != nil {
		return fmt.Errorf("journal: %s: %w", name, err)
	}
	s := newScanner(name, handle, size)
	if err := r.segmentStart(s, last); err != nil {
		return err
	}
	return r.rest(s, last)
}

// rest reads the records after the one that starts a segment.
func (r *recovery) rest(s *scanner, last bool) error {
	for {
		next, err := s.read()
		switch corrupt := (*Corrupt)(nil); {
		case errors.Is(err, io.EOF):
			r.end = s.next
			return nil
		case last && errors.As(err, &corrupt):
			r.end = s.next
			return r.tornTail(s, corrupt)
		case err != nil:
			return err
		}
		if next.kind == typeSegment {
			return &Corrupt{s.name, next.offset, "type: a segment starts within a segment"}
		}
		if err := r.follow(s.name, &next); err != nil {
			return err
		}
	}
}

// segmentStart reads the record that a segment begins with. It is never torn: a segment gets its name
// when that record is durable.
func (r *recovery) segmentStart(s *scanner, last bool) error {
	start, err := s.read()
	if errors.Is(err, io.EOF) {
		return s.corrupt("the segment is empty")
	}
	if err != nil {
		return err
	}
	if start.kind != typeSegment || len(start.payload) != segmentPayload {
		return &Corrupt{s.name, 0, "type: the first record is not that of a segment"}
	}
	if want := segmentName(start.index); s.name != want {
		return &Corrupt{s.name, 0, "the file is that of " + want}
	}
	id, size := parseSegmentStart(start.payload)
	if r.index == 0 {
		if err := r.firstSegment(s.name, &start, id); err != nil {
			return err
		}
	}
	if id != r.id {
		return &Corrupt{s.name, 0, fmt.Sprintf("journal id: must be %v, got %v", r.id, id)}
	}
	if s.end != size && (!last || s.end > size) {
		return &Corrupt{s.name, s.end, fmt.Sprintf("size: must be %d, got %d", size, s.end)}
	}
	if r.truncated = s.end < size; r.truncated {
		r.notes = append(r.notes, fmt.Sprintf("journal: %s offset %d: the file ends before its size of %d", s.name, s.end, size))
	}
	r.size = size
	r.segments = append(r.segments, segment{start.index, start.firstSequence})
	return r.follow(s.name, &start)
}

// firstSegment takes over the chain where it begins: at index 1, or where a snapshot stands in for
// what was removed.
func (r *recovery) firstSegment(name string, start *record, id journalID) error {
	if r.highWater == 0 {
		r.id = id
	}
	if start.index > 1 && (len(r.snapshots) == 0 || r.snapshots[0].index < start.index) {
		return &Corrupt{name, 0, fmt.Sprintf("records 1 to %d are missing, and no snapshot stands in for them", start.index-1)}
	}
	r.index, r.sequence = start.index-1, start.firstSequence-1
	r.hash, r.epoch = start.prevHash, start.epoch
	return nil
}

// follow checks that a record is the next one.
func (r *recovery) follow(name string, next *record) error {
	refuse := func(format string, args ...any) error {
		return &Corrupt{name, next.offset, fmt.Sprintf(format, args...)}
	}
	switch {
	case next.index != r.index+1:
		return refuse("index: must be %d, got %d", r.index+1, next.index)
	case next.firstSequence != r.sequence+1:
		return refuse("first_sequence: must be %d, got %d", r.sequence+1, next.firstSequence)
	case next.prevHash != r.hash:
		return refuse("prev_hash: must be %x, got %x", r.hash, next.prevHash)
	case next.kind == typeEpoch && next.epoch != r.epoch+1:
		return refuse("epoch: must be %d, got %d", r.epoch+1, next.epoch)
	case next.kind != typeEpoch && next.epoch != r.epoch:
		return refuse("epoch: must be %d, got %d", r.epoch, next.epoch)
	}
	r.index, r.sequence, r.epoch = next.index, next.lastSequence(), next.epoch
	r.hash = hashOf(next.raw)
	r.records++
	for _, s := range r.snapshots {
		if s.index == r.index && (s.hash != r.hash || s.sequence < next.firstSequence || s.sequence > r.sequence) {
			return refuse("%s is of another record", s.name())
		}
	}
	if r.visit == nil {
		return nil
	}
	return r.visit(name, next)
}

// tornTail decides on bytes of the last segment that are no record.
func (r *recovery) tornTail(s *scanner, bad *Corrupt) error {
	if at, err := s.findRecord(); err != nil {
		return err
	} else if at >= 0 {
		bad.Reason += fmt.Sprintf("; not a torn tail: a record follows at %d", at)
		return bad
	}
	if r.index < r.highWater {
		bad.Reason += fmt.Sprintf("; not a torn tail: %s says that record %d was acknowledged", r.witness, r.highWater)
		return bad
	}
	r.torn = bad
	return nil
}

// checkEnd refuses a journal that ends before what is known to have been acknowledged.
func (r *recovery) checkEnd(l listing) error {
	last := l.segments[len(l.segments)-1]
	if r.index < r.highWater {
		return &Corrupt{last, r.end, fmt.Sprintf("the journal ends with record %d, but %s says that record %d was acknowledged",
			r.index, r.witness, r.highWater)}
	}
	for _, s := range r.snapshots {
		if s.id != r.id {
			return &Corrupt{s.name(), 0, fmt.Sprintf("journal id: must be %v, got %v", r.id, s.id)}
		}
	}
	// The mark is made right after the first segment, before any other record.
	if !l.mark && (r.index > 1 || r.torn != nil) {
		return &Corrupt{markName, 0, "the file is missing"}
	}
	return nil
}

func segmentStartPayload(id journalID, size int64) func([]byte) []byte {
	return func(b []byte) []byte {
		return binary.LittleEndian.AppendUint64(append(b, id[:]...), uint64(size))
	}
}

func parseSegmentStart(payload []byte) (journalID, int64) {
	return journalID(payload[:16]), int64(binary.LittleEndian.Uint64(payload[16:]))
}

func hashOf(raw []byte) hash { return sha256.Sum256(raw) }

func readWhole(disk Disk, name string) (data []byte, err error) {
	handle, err := disk.Open(name)
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	defer func() { err = errors.Join(err, handle.Close()) }()
	size, err := handle.Size()
	if err != nil {
		return nil, fmt.Errorf("journal: %s: %w", name, err)
	}
	data = make([]byte, size)
	if n, err := handle.ReadAt(data, 0); err != nil && n < len(data) {
		return nil, fmt.Errorf("journal: read %s: %w", name, err)
	}
	return data, nil
}
