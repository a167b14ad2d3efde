package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"syscall"
)

// SimDisk is a Disk in memory for tests and simulations: it loses what was not synced, tears writes at sectors,
// and fails when told to.
type SimDisk struct {
	// Fault is asked before each change, and is its error: of ErrCrashed everything stops. A write that fails leaves
	// a part of what it was given. nil: none.
	Fault func(op SimOp, name string) error
	// Capacity is how many bytes all files may have together; 0: no end.
	Capacity int

	mu      sync.Mutex
	files   map[string]*simFile // as the process sees them
	durable map[string]*simFile // names after a power cut, if no pending change survives
	pending []func(map[string]*simFile)
	locked  bool

	steps   int
	crashAt int                    // the step at which everything stops; 0: never
	lies    func(name string) bool // whose Sync does nothing
	random  *rand.Rand             // decides what a crash leaves
	crashed bool
}

// SimOp is a change of a SimDisk.
type SimOp string

// The changes.
const (
	SimWrite     SimOp = "write"
	SimSync      SimOp = "sync"
	SimCreate    SimOp = "create"
	SimRename    SimOp = "rename"
	SimRemove    SimOp = "remove"
	SimSyncNames SimOp = "sync names"
)

type simFile struct {
	data    []byte // as the process sees it
	durable []byte
	pending []simWrite
}

type simWrite struct {
	offset int64
	data   []byte
}

const sector = 512

// ErrCrashed is what a disk says after its machine has stopped.
var ErrCrashed = errors.New("the machine has stopped")

// NewSimDisk is an empty disk. The seed decides what crashes leave.
func NewSimDisk(seed uint64) *SimDisk {
	return &SimDisk{files: map[string]*simFile{}, durable: map[string]*simFile{}, random: rand.New(rand.NewPCG(seed, 1))}
}

// step counts what changes the disk, and says whether it may go on.
func (d *SimDisk) step(op SimOp, name string) error {
	if d.crashed {
		return ErrCrashed
	}
	d.steps++
	if d.steps == d.crashAt {
		d.crashed = true
		return ErrCrashed
	}
	if d.Fault == nil {
		return nil
	}
	err := d.Fault(op, name)
	d.crashed = errors.Is(err, ErrCrashed)
	return err
}

// Crash stops the machine: every later change fails.
func (d *SimDisk) Crash() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.crashed = true
}

// SetCapacity sets Capacity while the disk is used.
func (d *SimDisk) SetCapacity(bytes int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.Capacity = bytes
}

// Reboot is the disk after a crash. With power, what the operating system had stays: kill -9.
func (d *SimDisk) Reboot(power bool) *SimDisk {
	d.mu.Lock()
	defer d.mu.Unlock()
	names := d.files
	if !power {
		names = maps.Clone(d.durable)
		for _, change := range d.pending[:d.random.IntN(len(d.pending)+1)] {
			change(names)
		}
	}
	after := &SimDisk{files: map[string]*simFile{}, durable: map[string]*simFile{}, random: d.random}
	keep := d.random.IntN(5) // of 4 sectors that were not synced
	for _, name := range slices.Sorted(maps.Keys(names)) {
		content := slices.Clone(names[name].data)
		if !power {
			content = names[name].afterPowerCut(d.random, keep)
		}
		file := &simFile{data: content, durable: slices.Clone(content)}
		after.files[name], after.durable[name] = file, file
	}
	return after
}

func (f *simFile) afterPowerCut(random *rand.Rand, keep int) []byte {
	content := slices.Clone(f.durable)
	for _, w := range f.pending {
		for at := int64(0); at < int64(len(w.data)); {
			n := min(sector-(w.offset+at)%sector, int64(len(w.data))-at)
			if random.IntN(4) < keep {
				content = writeInto(content, w.offset+at, w.data[at:at+n])
			}
			at += n
		}
	}
	return content
}

func writeInto(content []byte, offset int64, data []byte) []byte {
	if grow := int(offset) + len(data) - len(content); grow > 0 {
		content = append(content, make([]byte, grow)...)
	}
	copy(content[offset:], data)
	return content
}

// copyOf is another disk with the same content.
func (d *SimDisk) copyOf() *SimDisk { return d.Reboot(true) }

func (d *SimDisk) Lock(bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.locked {
		return ErrLocked
	}
	d.locked = true
	return nil
}

func (d *SimDisk) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.locked = false
	return nil
}

func (d *SimDisk) Names() ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Collect(maps.Keys(d.files)), nil
}

// change makes a change of names now, and durable with the next SyncNames.
func (d *SimDisk) change(op SimOp, name string, change func(map[string]*simFile)) error {
	if err := d.step(op, name); err != nil {
		return err
	}
	change(d.files)
	d.pending = append(d.pending, change)
	return nil
}

func (d *SimDisk) Create(name string) (Handle, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	file := &simFile{}
	err := d.change(SimCreate, name, func(names map[string]*simFile) { names[name] = file })
	return &simHandle{d, name, file}, err
}

func (d *SimDisk) Open(name string) (Handle, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	file, ok := d.files[name]
	if !ok {
		return nil, fmt.Errorf("open %s: %w", name, fs.ErrNotExist)
	}
	return &simHandle{d, name, file}, nil
}

func (d *SimDisk) Reserve(name string, size int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.full(int(size)) {
		return syscall.ENOSPC
	}
	file := &simFile{data: make([]byte, size)}
	return d.change(SimCreate, name, func(names map[string]*simFile) { names[name] = file })
}

func (d *SimDisk) Free() (int64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	free := d.Capacity
	for _, file := range d.files {
		free -= len(file.data)
	}
	return int64(max(free, 0)), nil
}

// full says whether so much more does not fit.
func (d *SimDisk) full(more int) bool {
	used := more
	for _, file := range d.files {
		used += len(file.data)
	}
	return d.Capacity > 0 && used > d.Capacity
}

func (d *SimDisk) Rename(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	file := d.files[from]
	return d.change(SimRename, to, func(names map[string]*simFile) {
		delete(names, from)
		names[to] = file
	})
}

func (d *SimDisk) Remove(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.change(SimRemove, name, func(names map[string]*simFile) { delete(names, name) })
}

func (d *SimDisk) SyncNames() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.step(SimSyncNames, ""); err != nil {
		return err
	}
	d.durable, d.pending = maps.Clone(d.files), nil
	return nil
}

type simHandle struct {
	disk *SimDisk
	name string
	file *simFile
}

func (h *simHandle) ReadAt(b []byte, offset int64) (int, error) {
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	if offset >= int64(len(h.file.data)) {
		return 0, io.EOF
	}
	n := copy(b, h.file.data[offset:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// WriteAt that fails leaves a part of what it was given, as a full disk does.
func (h *simHandle) WriteAt(b []byte, offset int64) (int, error) {
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	if grows := int(offset) + len(b) - len(h.file.data); grows > 0 && h.disk.full(grows) {
		return 0, syscall.ENOSPC
	}
	wasUp := !h.disk.crashed
	err := h.disk.step(SimWrite, h.name)
	if err != nil && wasUp {
		b = b[:h.disk.random.IntN(len(b)+1)]
	}
	if wasUp {
		h.file.data = writeInto(h.file.data, offset, b)
		h.file.pending = append(h.file.pending, simWrite{offset, slices.Clone(b)})
	}
	return len(b), err
}

func (h *simHandle) Size() (int64, error) {
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	return int64(len(h.file.data)), nil
}

func (h *simHandle) Sync() error {
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	if err := h.disk.step(SimSync, h.name); err != nil {
		return err
	}
	if h.disk.lies == nil || !h.disk.lies(h.name) {
		for _, w := range h.file.pending {
			h.file.durable = writeInto(h.file.durable, w.offset, w.data)
		}
		h.file.pending = nil
	}
	return nil
}

func (h *simHandle) Close() error { return nil }

// failing is a fault that strikes from the nth time on that this is done to a file of this name.
func failing(op SimOp, name string, n int, fault syscall.Errno) func(SimOp, string) error {
	return func(gotOp SimOp, gotName string) error {
		if gotOp != op || gotName != name {
			return nil
		}
		if n--; n <= 0 {
			return fault
		}
		return nil
	}
}
