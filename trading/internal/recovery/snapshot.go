package recovery

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"aetherion/trading/internal/engine"
)

// snapshotVersion begins a snapshot. After it come the Risk Service's memory of the same sequence, as the
// length of its two parts and the parts, and then the engine's state. An empty memory is none.
const snapshotVersion = 1

// EncodeSnapshot is the state of an engine, as it writes it, and what the Risk Service remembers after the
// same event; nil: nothing.
func EncodeSnapshot(state []byte, memory *engine.PretradeMemory) []byte {
	if memory == nil {
		memory = &engine.PretradeMemory{}
	}
	const lengths = 2 * binary.MaxVarintLen64
	encoded := append(make([]byte, 0, 1+lengths+len(memory.Memory)+len(memory.StateHash)+len(state)), snapshotVersion)
	for _, part := range [][]byte{memory.Memory, memory.StateHash} {
		encoded = append(binary.AppendUvarint(encoded, uint64(len(part))), part...)
	}
	return append(encoded, state...)
}

// decodeSnapshot reads what EncodeSnapshot wrote.
func decodeSnapshot(encoded []byte) (*engine.Engine, *engine.PretradeMemory, error) {
	parts, state, err := splitSnapshot(encoded)
	if err != nil {
		return nil, nil, err
	}
	e, err := engine.ReadState(state)
	if err != nil || len(parts[0]) == 0 {
		return e, nil, err
	}
	return e, &engine.PretradeMemory{Sequence: e.Sequence(), Memory: parts[0], StateHash: parts[1]}, nil
}

// splitSnapshot finds the memory with its hash, and the engine's state.
func splitSnapshot(encoded []byte) (parts [2][]byte, state []byte, err error) {
	reader := bytes.NewReader(encoded)
	if version, err := reader.ReadByte(); err != nil || version != snapshotVersion {
		return parts, nil, fmt.Errorf("version: must be %d, got %d", snapshotVersion, version)
	}
	for i := range parts {
		length, err := binary.ReadUvarint(reader)
		if err != nil || length > uint64(reader.Len()) {
			return parts, nil, errors.New("memory: the snapshot ends too early")
		}
		parts[i] = make([]byte, length)
		if _, err := io.ReadFull(reader, parts[i]); err != nil {
			return parts, nil, err
		}
	}
	return parts, encoded[len(encoded)-reader.Len():], nil
}
