//go:build !linux

package journal

import (
	"errors"
	"os"
)

func syncData(file *os.File) error { return file.Sync() }

func allocate(*os.File, int64) error { return errors.ErrUnsupported }

func freeBytes(*os.File) (int64, error) { return 0, errors.ErrUnsupported }
