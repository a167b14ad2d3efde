package journal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// Disk is the directory of a journal. Names are those of files in it. What is not synced may be lost,
// in part and in any order, when the machine stops.
type Disk interface {
	// Lock takes the directory for this process alone (or with others that share it), or fails with
	// ErrLocked.
	Lock(shared bool) error
	Names() ([]string, error)
	Create(name string) (Handle, error)
	Open(name string) (Handle, error)
	// Reserve makes a file of that size whose content does not matter; it only keeps its room.
	Reserve(name string, size int64) error
	Rename(from, to string) error
	Remove(name string) error
	// Free is how many bytes files may still take.
	Free() (int64, error)
	// SyncNames makes what Create, Rename and Remove did durable.
	SyncNames() error
	// Close gives the lock back.
	Close() error
}

// Handle is an open file.
type Handle interface {
	io.ReaderAt
	io.WriterAt
	Size() (int64, error)
	// Sync makes what was written durable.
	Sync() error
	Close() error
}

// ErrLocked says that another process has the journal.
var ErrLocked = errors.New("LOCKED")

// directory is a Disk of the operating system.
type directory struct {
	path     string
	dir      *os.File
	readOnly bool
}

// openDirectory makes the directory when it is missing, unless it is only read.
func openDirectory(path string, readOnly bool) (*directory, error) {
	if !readOnly {
		if err := os.MkdirAll(path, 0o700); err != nil {
			return nil, fmt.Errorf("journal: %w", err)
		}
	}
	dir, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	return &directory{path, dir, readOnly}, nil
}

func (d *directory) Lock(shared bool) error {
	how := syscall.LOCK_EX
	if shared {
		how = syscall.LOCK_SH
	}
	err := syscall.Flock(int(d.dir.Fd()), how|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return fmt.Errorf("journal: %s: another process has it: %w", d.path, ErrLocked)
	}
	if err != nil {
		return fmt.Errorf("journal: lock %s: %w", d.path, err)
	}
	return nil
}

func (d *directory) Names() ([]string, error) {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, entry := range entries {
		if !entry.IsDir() {
			names = append(names, entry.Name())
		}
	}
	return names, nil
}

func (d *directory) Create(name string) (Handle, error) {
	return d.open(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
}

func (d *directory) Open(name string) (Handle, error) {
	if d.readOnly {
		return d.open(name, os.O_RDONLY)
	}
	return d.open(name, os.O_RDWR)
}

func (d *directory) open(name string, flags int) (Handle, error) {
	file, err := os.OpenFile(filepath.Join(d.path, name), flags, 0o600)
	if err != nil {
		return nil, err
	}
	return osFile{file}, nil
}

func (d *directory) Reserve(name string, size int64) (err error) {
	file, err := os.OpenFile(filepath.Join(d.path, name), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if err := allocate(file, size); !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return writeZeros(file, 0, size)
}

func (d *directory) Rename(from, to string) error {
	return os.Rename(filepath.Join(d.path, from), filepath.Join(d.path, to))
}

func (d *directory) Remove(name string) error { return os.Remove(filepath.Join(d.path, name)) }

func (d *directory) Free() (int64, error) { return freeBytes(d.dir) }

func (d *directory) SyncNames() error { return d.dir.Sync() }

func (d *directory) Close() error { return d.dir.Close() }

type osFile struct{ *os.File }

func (f osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (f osFile) Sync() error { return syncData(f.File) }

// writeWhole makes a file that is there with all of its content or not at all: written under another
// name, synced, renamed.
func writeWhole(disk Disk, name string, write func(io.WriterAt) error) (err error) {
	handle, err := disk.Create(name + tmpSuffix)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, handle.Close()) }()
	if err := write(handle); err != nil {
		return err
	}
	if err := handle.Sync(); err != nil {
		return err
	}
	if err := disk.Rename(name+tmpSuffix, name); err != nil {
		return err
	}
	return disk.SyncNames()
}
