package daemon

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// Lock is an exclusive lock on a file, held across processes and given up by the kernel when its holder dies.
// Keep it reachable: collected as garbage, it is given up too.
type Lock struct{ f *os.File }

// LockFile waits for the lock on path, whose folder is made if it is missing.
func LockFile(path string) (*Lock, error) {
	return lock(path, syscall.LOCK_EX)
}

// TryLockFile returns nil without an error if another holds the lock.
func TryLockFile(path string) (*Lock, error) {
	l, err := lock(path, syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, nil
	}
	return l, err
}

func lock(path string, how int) (*Lock, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("make folder of lock: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	for {
		err = syscall.Flock(int(f.Fd()), how)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return &Lock{f: f}, nil
}

// Unlock gives the lock up. The file stays: removing it would let two processes hold "the" lock on two files.
func (l *Lock) Unlock() { l.f.Close() }
