package journal

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Corrupt says where a file of the journal is not what was written, and why.
type Corrupt struct {
	File   string
	Offset int64
	Reason string
}

func (c *Corrupt) Error() string {
	return fmt.Sprintf("journal: %s offset %d: %s", c.File, c.Offset, c.Reason)
}

const window = 1 << 20 // bytes read at a time

// scanner reads the records of one segment one after the other.
type scanner struct {
	name  string
	from  io.ReaderAt
	end   int64 // of what is read
	next  int64 // offset of the next record
	start int64 // offset of buffer
	// buffer holds what was read ahead.
	buffer []byte
}

func newScanner(name string, from io.ReaderAt, end int64) *scanner {
	return &scanner{name: name, from: from, end: end}
}

// read is the next record; io.EOF when only zeros follow, and a *Corrupt when what follows is neither.
func (s *scanner) read() (record, error) {
	if s.next == s.end {
		return record{}, io.EOF
	}
	raw, err := s.bytes(s.next, headerSize)
	if err != nil {
		return record{}, err
	}
	if allZero(raw) {
		return record{}, s.expectZeros()
	}
	if len(raw) < headerSize {
		return record{}, s.corrupt("the file ends within a header")
	}
	h, err := parseHeader(raw)
	if err != nil {
		return record{}, s.corrupt(err.Error())
	}
	size := recordSize(int(h.length))
	if s.next+size > s.end {
		return record{}, s.corrupt(fmt.Sprintf("length: %d is beyond the end of the segment", h.length))
	}
	if raw, err = s.bytes(s.next, size); err != nil {
		return record{}, err
	}
	if err := h.checkPayload(raw[headerSize:]); err != nil {
		return record{}, s.corrupt(err.Error())
	}
	r := record{header: h, offset: s.next, payload: raw[headerSize : headerSize+int64(h.length)], raw: raw}
	s.next += size
	return r, nil
}

// expectZeros is io.EOF when all that follows is zero.
func (s *scanner) expectZeros() error {
	at, err := s.lastNonZero()
	if err != nil {
		return err
	}
	if at >= 0 {
		return s.corrupt(fmt.Sprintf("no record, but the bytes up to %d are not all zero", at))
	}
	return io.EOF
}

// lastNonZero is the offset of the last byte after the records that is not zero, -1 when all are.
func (s *scanner) lastNonZero() (int64, error) {
	last := int64(-1)
	err := s.each(s.next, 1, func(offset int64, chunk []byte) bool {
		if allZero(chunk) {
			return true
		}
		for i, b := range chunk {
			if b != 0 {
				last = offset + int64(i)
			}
		}
		return true
	})
	return last, err
}

// findRecord is the offset of the first valid header after the offset next, -1 when there is none.
func (s *scanner) findRecord() (int64, error) {
	found := int64(-1)
	err := s.each(s.next+alignment, headerSize, func(offset int64, chunk []byte) bool {
		for at := 0; at+headerSize <= len(chunk); at += alignment {
			if binary.LittleEndian.Uint32(chunk[at:]) != recordMagic {
				continue
			}
			if _, err := parseHeader(chunk[at : at+headerSize]); err == nil {
				found = offset + int64(at)
				return false
			}
		}
		return true
	})
	return found, err
}

// each visits the bytes from offset on in chunks that overlap by overlap-1 bytes, rounded up to the
// alignment, until visit says no.
func (s *scanner) each(offset int64, overlap int64, visit func(offset int64, chunk []byte) bool) error {
	step := int64(window) - (overlap-1+alignment-1)/alignment*alignment
	for ; offset < s.end; offset += step {
		chunk, err := s.bytes(offset, window)
		if err != nil {
			return err
		}
		if !visit(offset, chunk) {
			return nil
		}
	}
	return nil
}

// bytes are n bytes at offset, fewer only where the segment ends.
func (s *scanner) bytes(offset, n int64) ([]byte, error) {
	n = min(n, s.end-offset)
	if offset < s.start || offset+n > s.start+int64(len(s.buffer)) {
		size := min(max(n, window), s.end-offset)
		if int64(cap(s.buffer)) < size {
			s.buffer = make([]byte, size)
		}
		s.start, s.buffer = offset, s.buffer[:size]
		if read, err := s.from.ReadAt(s.buffer, offset); err != nil && int64(read) < size {
			s.buffer = s.buffer[:0]
			return nil, fmt.Errorf("journal: read %s at %d: %w", s.name, offset, err)
		}
	}
	return s.buffer[offset-s.start : offset-s.start+n], nil
}

func (s *scanner) corrupt(reason string) *Corrupt {
	return &Corrupt{File: s.name, Offset: s.next, Reason: reason}
}
