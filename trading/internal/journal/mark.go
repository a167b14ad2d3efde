package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The mark is the high-water mark outside the segments: the index of the newest record that was
// acknowledged. A journal that ends before it has lost its tail.
//
// The file has two slots on pages of their own, written in turn, so that a torn write leaves the other:
//
//	 0 magic       u32
//	 4 version     u32
//	 8 journal id  16 B
//	24 index       u64
//	32 sequence    u64  of the newest event in that record or before
//	40 crc         u32  CRC32C of the 40 bytes before
const (
	markName    = "mark"
	markMagic   = 0x4D4A4541 // "AEJM"
	markVersion = 1
	markSize    = 44
	markSlot    = 4096
)

// journalID tells a journal from every other one.
type journalID [16]byte

func (id journalID) String() string { return fmt.Sprintf("%x", id[:]) }

type mark struct {
	id       journalID
	index    uint64
	sequence uint64
}

func (m *mark) put(b []byte) {
	le := binary.LittleEndian
	le.PutUint32(b[0:], markMagic)
	le.PutUint32(b[4:], markVersion)
	copy(b[8:], m.id[:])
	le.PutUint64(b[24:], m.index)
	le.PutUint64(b[32:], m.sequence)
	le.PutUint32(b[40:], checksum(b[:markSize-4]))
}

func parseMark(slot []byte) (mark, error) {
	le := binary.LittleEndian
	if got := le.Uint32(slot); got != markMagic {
		return mark{}, fmt.Errorf("magic: must be %08x, got %08x", markMagic, got)
	}
	if got, want := le.Uint32(slot[40:]), checksum(slot[:markSize-4]); got != want {
		return mark{}, fmt.Errorf("crc: must be %08x, got %08x", want, got)
	}
	if got := le.Uint32(slot[4:]); got != markVersion {
		return mark{}, fmt.Errorf("version: must be %d, got %d", markVersion, got)
	}
	if !allZero(slot[markSize:]) {
		return mark{}, errors.New("padding: must be zero")
	}
	return mark{journalID(slot[8:24]), le.Uint64(slot[24:]), le.Uint64(slot[32:])}, nil
}

// createMark makes the file with the same mark in both slots.
func createMark(disk Disk, m mark) error {
	return writeWhole(disk, markName, func(w io.WriterAt) error {
		file := make([]byte, 2*markSlot)
		m.put(file)
		m.put(file[markSlot:])
		_, err := w.WriteAt(file, 0)
		return err
	})
}

// readMark is the newer of the two slots. A bad one is named in the note: a machine that stops while
// a slot is written leaves it so.
func readMark(from Handle) (m mark, note string, err error) {
	file := make([]byte, 2*markSlot)
	if size, err := from.Size(); err != nil || size != int64(len(file)) {
		return mark{}, "", &Corrupt{markName, size, fmt.Sprintf("size: must be %d, got %d", len(file), size)}
	}
	if _, err := from.ReadAt(file, 0); err != nil {
		return mark{}, "", fmt.Errorf("journal: read %s: %w", markName, err)
	}
	first, firstErr := parseMark(file[:markSlot])
	second, secondErr := parseMark(file[markSlot:])
	switch {
	case firstErr != nil && secondErr != nil:
		return mark{}, "", &Corrupt{markName, 0, fmt.Sprintf("both slots are bad: %v; %v", firstErr, secondErr)}
	case firstErr != nil:
		return second, (&Corrupt{markName, 0, firstErr.Error()}).Error(), nil
	case secondErr != nil:
		return first, (&Corrupt{markName, markSlot, secondErr.Error()}).Error(), nil
	case first.index > second.index:
		return first, "", nil
	}
	return second, "", nil
}

// writeMark writes the slot whose turn it is. It is not synced.
func writeMark(to io.WriterAt, m mark) error {
	var slot [markSize]byte
	m.put(slot[:])
	_, err := to.WriteAt(slot[:], int64(m.index%2)*markSlot)
	return err
}
