package journal

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// A record is one batch, little-endian, padded with zeros to 8 bytes:
//
//	 0 magic          u32
//	 4 version        u16
//	 6 type           u16
//	 8 length         u32  bytes of the payload, without its padding
//	12 n              u32  events in it
//	16 epoch          u64  one for each time the journal is opened to write
//	24 index          u64  of the record: 1, 2, 3, ...
//	32 first_sequence u64  of its events; the next record starts at first_sequence + n
//	40 durable_upto   u64  sequence known to be durable when it was written
//	48 prev_hash      32 B SHA-256 of the whole record before it, zero in the first
//	80 payload_crc    u32  CRC32C of the payload
//	84 header_crc     u32  CRC32C of the 84 bytes before
//	88 payload, padding
//
// The length lies within the header's checksum: no flipped bit in it looks like a torn tail.
const (
	recordMagic   = 0x314A4541 // "AEJ1"
	recordVersion = 1
	headerSize    = 88
	headerSummed  = headerSize - 4
	alignment     = 8
	eventPrefix   = 4 // length of an event, u32, before it
)

// recordType is what the payload of a record is.
type recordType uint16

const (
	// typeSegment starts every segment: the journal's id and the size of the segment.
	typeSegment recordType = 1
	// typeEpoch says that a process opened the journal to write. No payload.
	typeEpoch recordType = 2
	// typeEvents is a batch: each event after its length.
	typeEvents recordType = 3
)

type hash [sha256.Size]byte

type header struct {
	kind          recordType
	length        uint32
	n             uint32
	epoch         uint64
	index         uint64
	firstSequence uint64
	durableUpto   uint64
	prevHash      hash
	payloadCRC    uint32
}

// record is one record as it was read; payload and raw are valid until the next one is read.
type record struct {
	header
	offset  int64
	payload []byte
	raw     []byte
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(data []byte) uint32 { return crc32.Checksum(data, castagnoli) }

// recordSize is that of a record with this payload, padding included.
func recordSize(length int) int64 {
	return headerSize + (int64(length)+alignment-1)/alignment*alignment
}

// lastSequence is that of the newest event up to and with this record.
func (h *header) lastSequence() uint64 { return h.firstSequence + uint64(h.n) - 1 }

// appendRecord adds the record to buffer; appendPayload adds its payload, whose length and checksum
// are then filled in.
func appendRecord(buffer []byte, h header, appendPayload func([]byte) []byte) []byte {
	start := len(buffer)
	buffer = append(buffer, make([]byte, headerSize)...)
	buffer = appendPayload(buffer)
	payload := buffer[start+headerSize:]
	h.length, h.payloadCRC = uint32(len(payload)), checksum(payload)
	buffer = append(buffer, make([]byte, int(recordSize(len(payload)))-headerSize-len(payload))...)
	h.put(buffer[start : start+headerSize])
	return buffer
}

func (h *header) put(b []byte) {
	le := binary.LittleEndian
	le.PutUint32(b[0:], recordMagic)
	le.PutUint16(b[4:], recordVersion)
	le.PutUint16(b[6:], uint16(h.kind))
	le.PutUint32(b[8:], h.length)
	le.PutUint32(b[12:], h.n)
	le.PutUint64(b[16:], h.epoch)
	le.PutUint64(b[24:], h.index)
	le.PutUint64(b[32:], h.firstSequence)
	le.PutUint64(b[40:], h.durableUpto)
	copy(b[48:], h.prevHash[:])
	le.PutUint32(b[80:], h.payloadCRC)
	le.PutUint32(b[84:], checksum(b[:headerSummed]))
}

// parseHeader reads the first headerSize bytes of a record.
func parseHeader(b []byte) (header, error) {
	le := binary.LittleEndian
	if got := le.Uint32(b[0:]); got != recordMagic {
		return header{}, fmt.Errorf("magic: must be %08x, got %08x", recordMagic, got)
	}
	if got, want := le.Uint32(b[84:]), checksum(b[:headerSummed]); got != want {
		return header{}, fmt.Errorf("header_crc: must be %08x, got %08x", want, got)
	}
	if got := le.Uint16(b[4:]); got != recordVersion {
		return header{}, fmt.Errorf("version: must be %d, got %d", recordVersion, got)
	}
	h := header{
		kind:          recordType(le.Uint16(b[6:])),
		length:        le.Uint32(b[8:]),
		n:             le.Uint32(b[12:]),
		epoch:         le.Uint64(b[16:]),
		index:         le.Uint64(b[24:]),
		firstSequence: le.Uint64(b[32:]),
		durableUpto:   le.Uint64(b[40:]),
		prevHash:      hash(b[48:80]),
		payloadCRC:    le.Uint32(b[80:]),
	}
	if h.kind < typeSegment || h.kind > typeEvents {
		return header{}, fmt.Errorf("type: unknown value %d", h.kind)
	}
	if h.firstSequence == 0 || h.lastSequence() < h.firstSequence-1 || h.durableUpto >= h.firstSequence {
		return header{}, fmt.Errorf("first_sequence: %d with %d events and durable_upto %d is impossible", h.firstSequence, h.n, h.durableUpto)
	}
	return h, nil
}

// checkPayload takes the bytes after the header, padding included.
func (h *header) checkPayload(padded []byte) error {
	if got := checksum(padded[:h.length]); got != h.payloadCRC {
		return fmt.Errorf("payload_crc: must be %08x, got %08x", h.payloadCRC, got)
	}
	if !allZero(padded[h.length:]) {
		return errors.New("padding: must be zero")
	}
	if h.kind == typeEvents {
		return eachEvent(padded[:h.length], h.n, func(int, []byte) error { return nil })
	}
	if h.n != 0 {
		return fmt.Errorf("n: a record without events must have 0, got %d", h.n)
	}
	return nil
}

func appendEvents(buffer []byte, events [][]byte) []byte {
	for _, event := range events {
		buffer = binary.LittleEndian.AppendUint32(buffer, uint32(len(event)))
		buffer = append(buffer, event...)
	}
	return buffer
}

// eachEvent calls visit for the n events that must fill the payload.
func eachEvent(payload []byte, n uint32, visit func(i int, event []byte) error) error {
	for i := range int(n) {
		if len(payload) < eventPrefix {
			return fmt.Errorf("payload: ends within event %d of %d", i+1, n)
		}
		length := binary.LittleEndian.Uint32(payload)
		payload = payload[eventPrefix:]
		if uint64(length) > uint64(len(payload)) {
			return fmt.Errorf("payload: event %d of %d is %d bytes long, %d are left", i+1, n, length, len(payload))
		}
		if err := visit(i, payload[:length:length]); err != nil {
			return err
		}
		payload = payload[length:]
	}
	if len(payload) > 0 {
		return fmt.Errorf("payload: %d bytes after the last event", len(payload))
	}
	return nil
}

// allZero compares the data with itself one byte on, which is as fast as memory is read.
func allZero(data []byte) bool {
	return len(data) == 0 || data[0] == 0 && bytes.Equal(data[1:], data[:len(data)-1])
}
