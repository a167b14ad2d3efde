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

// simDisk is a Disk that loses what was not synced, tears writes at sectors, and fails when told to.
type simDisk struct {
	mu      sync.Mutex
	files   map[string]*simFile // as the process sees them
	durable map[string]*simFile // names after a power cut, if no pending change survives
	pending []func(map[string]*simFile)
	locked  bool

	steps    int
	capacity int                               // bytes of all files together; 0: no end
	crashAt  int                               // the step at which everything stops; 0: never
	fault    func(op simOp, name string) error // nil: none
	lies     func(name string) bool            // whose Sync does nothing
	random   *rand.Rand                        // decides what a crash leaves
	crashed  bool
}

type simOp string

const (
	opWrite     simOp = "write"
	opSync      simOp = "sync"
	opCreate    simOp = "create"
	opRename    simOp = "rename"
	opRemove    simOp = "remove"
	opSyncNames simOp = "sync names"
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

var errCrashed = errors.New("the machine has stopped")

func newSimDisk(seed uint64) *simDisk {
	return &simDisk{files: map[string]*simFile{}, durable: map[string]*simFile{}, random: rand.New(rand.NewPCG(seed, 1))}
}

// step counts what changes the disk, and says whether it may go on.
func (d *simDisk) step(op simOp, name string) error {
	if d.crashed {
		return errCrashed
	}
	d.steps++
	if d.steps == d.crashAt {
		d.crashed = true
		return errCrashed
	}
	if d.fault != nil {
		return d.fault(op, name)
	}
	return nil
}

// reboot is the disk after a crash. With power, what the operating system had stays: kill -9.
func (d *simDisk) reboot(power bool) *simDisk {
	d.mu.Lock()
	defer d.mu.Unlock()
	names := d.files
	if !power {
		names = maps.Clone(d.durable)
		for _, change := range d.pending[:d.random.IntN(len(d.pending)+1)] {
			change(names)
		}
	}
	after := &simDisk{files: map[string]*simFile{}, durable: map[string]*simFile{}, random: d.random}
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
func (d *simDisk) copyOf() *simDisk { return d.reboot(true) }

func (d *simDisk) Lock(bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.locked {
		return ErrLocked
	}
	d.locked = true
	return nil
}

func (d *simDisk) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.locked = false
	return nil
}

func (d *simDisk) Names() ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Collect(maps.Keys(d.files)), nil
}

// change makes a change of names now, and durable with the next SyncNames.
func (d *simDisk) change(op simOp, name string, change func(map[string]*simFile)) error {
	if err := d.step(op, name); err != nil {
		return err
	}
	change(d.files)
	d.pending = append(d.pending, change)
	return nil
}

func (d *simDisk) Create(name string) (Handle, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	file := &simFile{}
	err := d.change(opCreate, name, func(names map[string]*simFile) { names[name] = file })
	return &simHandle{d, name, file}, err
}

func (d *simDisk) Open(name string) (Handle, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	file, ok := d.files[name]
	if !ok {
		return nil, fmt.Errorf("open %s: %w", name, fs.ErrNotExist)
	}
	return &simHandle{d, name, file}, nil
}

func (d *simDisk) Reserve(name string, size int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.full(int(size)) {
		return syscall.ENOSPC
	}
	file := &simFile{data: make([]byte, size)}
	return d.change(opCreate, name, func(names map[string]*simFile) { names[name] = file })
}

// full says whether so much more does not fit.
func (d *simDisk) full(more int) bool {
	used := more
	for _, file := range d.files {
		used += len(file.data)
	}
	return d.capacity > 0 && used > d.capacity
}

func (d *simDisk) Rename(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	file := d.files[from]
	return d.change(opRename, to, func(names map[string]*simFile) {
		delete(names, from)
		names[to] = file
	})
}

func (d *simDisk) Remove(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.change(opRemove, name, func(names map[string]*simFile) { delete(names, name) })
}

func (d *simDisk) SyncNames() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.step(opSyncNames, ""); err != nil {
		return err
	}
	d.durable, d.pending = maps.Clone(d.files), nil
	return nil
}

type simHandle struct {
	disk *simDisk
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
	err := h.disk.step(opWrite, h.name)
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
	if err := h.disk.step(opSync, h.name); err != nil {
		return err
	}
	if h.disk.lies == nil || !h.disk.lies(h.name) {
		h.file.durable, h.file.pending = slices.Clone(h.file.data), nil
	}
	return nil
}

func (h *simHandle) Close() error { return nil }

// failing is a fault that strikes from the nth time on that this is done to a file of this name.
func failing(op simOp, name string, n int, fault syscall.Errno) func(simOp, string) error {
	return func(gotOp simOp, gotName string) error {
		if gotOp != op || gotName != name {
			return nil
		}
		if n--; n <= 0 {
			return fault
		}
		return nil
	}
}
