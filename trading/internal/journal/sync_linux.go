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
