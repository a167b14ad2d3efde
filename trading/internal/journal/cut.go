package journal

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
)

// Cut is what CutAfter left and took away.
type Cut struct {
	Index        uint64   // of the record that is the newest now
	LastSequence uint64   // of the newest event that is left
	Broken       []string // the files that hold what was taken away
}

// CutAfter makes the record with this SHA-256 the newest one of a journal that recovery refuses. It is the
// operator's word against the journal's: acknowledged events may be lost. What follows the record, and what
// witnesses it, stays in files of other names.
//
// The mark is changed last: until then the journal is refused as before, and the cut can be made again.
func CutAfter(path, head string) (Cut, error) {
	disk, err := openDirectory(path, false)
	if err != nil {
		return Cut{}, err
	}
	cut, err := cutAfter(disk, head)
	return cut, errors.Join(err, disk.Close())
}

func cutAfter(disk Disk, head string) (Cut, error) {
	if raw, err := hex.DecodeString(head); err != nil || len(raw) != len(hash{}) {
		return Cut{}, fmt.Errorf("hash: must be %d hexadecimal digits, got %q", 2*len(hash{}), head)
	}
	if err := disk.Lock(false); err != nil {
		return Cut{}, err
	}
	names, err := list(disk)
	if err != nil {
		return Cut{}, err
	}
	at, err := findHead(disk, names, head)
	if err != nil {
		return Cut{}, err
	}
	cut := Cut{Index: at.index, LastSequence: at.sequence}
	return cut, at.cut(disk, names, &cut)
}

// place is where a record ends.
type place struct {
	id       journalID
	segment  string
	end      int64
	index    uint64
	sequence uint64
}

var errFound = errors.New("found")

// findHead reads the chain of records up to the one with this hash.
func findHead(disk Disk, names listing, head string) (place, error) {
	r := recovery{disk: disk}
	at := place{}
	r.visit = func(segment string, next *record) error {
		if fmt.Sprintf("%x", hashOf(next.raw)) != head {
			return nil
		}
		at = place{r.id, segment, next.offset + int64(len(next.raw)), next.index, next.lastSequence()}
		return errFound
	}
	// Snapshots say where a journal begins whose first segments are gone.
	for _, name := range names.snapshots {
		if s, _, err := readSnapshot(disk, name); err == nil {
			r.snapshots = append(r.snapshots, s)
		}
	}
	for i, name := range names.segments {
		switch err := r.segment(name, i == len(names.segments)-1); {
		case errors.Is(err, errFound):
			return at, nil
		case err != nil:
			return place{}, fmt.Errorf("hash: no record before this has it: %w", err)
		}
	}
	return place{}, fmt.Errorf("hash: no record has it")
}

func (p *place) cut(disk Disk, names listing, cut *Cut) error {
	if err := p.cutTail(disk, cut); err != nil {
		return fmt.Errorf("journal: %s: %w", p.segment, err)
	}
	var later []string
	for _, name := range names.segments {
		if name > p.segment {
			later = append(later, name)
		}
	}
	for _, name := range names.snapshots {
		if s, _, err := readSnapshot(disk, name); err != nil || s.index > p.index {
			later = append(later, name)
		}
	}
	if names.mark {
		later = append(later, markName)
	}
	for _, name := range later {
		if err := disk.Rename(name, name+brokenSuffix); err != nil {
			return fmt.Errorf("journal: %w", err)
		}
		cut.Broken = append(cut.Broken, name+brokenSuffix)
		if err := disk.SyncNames(); err != nil {
			return fmt.Errorf("journal: %w", err)
		}
	}
	if err := createMark(disk, mark{p.id, p.index, p.sequence}); err != nil {
		return fmt.Errorf("journal: %s: %w", markName, err)
	}
	return nil
}

// cutTail copies what follows the record in its segment and makes it zero.
func (p *place) cutTail(disk Disk, cut *Cut) (err error) {
	handle, err := disk.Open(p.segment)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, handle.Close()) }()
	size, err := handle.Size()
	if err != nil {
		return err
	}
	tail := make([]byte, size-p.end)
	if n, err := handle.ReadAt(tail, p.end); err != nil && n < len(tail) {
		return err
	}
	if allZero(tail) {
		return nil
	}
	broken := fmt.Sprintf("%s.%d%s", p.segment, p.end, brokenSuffix)
	if err := writeWhole(disk, broken, func(w io.WriterAt) error {
		_, err := w.WriteAt(tail, 0)
		return err
	}); err != nil {
		return err
	}
	cut.Broken = append(cut.Broken, broken)
	if err := writeZeros(handle, p.end, size); err != nil {
		return err
	}
	return handle.Sync()
}
