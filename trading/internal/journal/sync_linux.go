package journal

import (
	"os"
	"syscall"
)

// syncData flushes the content and, of the metadata, only what reading it needs: a segment has its
// final size from the start, so that is nothing.
func syncData(file *os.File) error {
	for {
		err := syscall.Fdatasync(int(file.Fd()))
		if err == syscall.EINTR {
			continue
		}
		return os.NewSyscallError("fdatasync", err)
	}
}

// allocate gives a file its blocks. A file system that cannot says so with errors.ErrUnsupported.
func allocate(file *os.File, size int64) error {
	for {
		err := syscall.Fallocate(int(file.Fd()), 0, 0, size)
		if err == syscall.EINTR {
			continue
		}
		return os.NewSyscallError("fallocate", err)
	}
}

// freeBytes is what an unprivileged process may still take of the disk of a directory.
func freeBytes(dir *os.File) (int64, error) {
	var disk syscall.Statfs_t
	if err := syscall.Fstatfs(int(dir.Fd()), &disk); err != nil {
		return 0, os.NewSyscallError("fstatfs", err)
	}
	return int64(disk.Bavail) * disk.Bsize, nil
}
