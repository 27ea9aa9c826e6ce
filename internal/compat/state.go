package compat

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"forebay/internal/testkit/daemon"
	"forebay/internal/testkit/server"
)

// ErrBusy means that another process is running the suite; two at once would judge each other's load.
var ErrBusy = errors.New("the suite is being run by another process")

// state is the folder of reports of a run that is not judged yet. It belongs to one process at a time.
type state struct {
	dir  string
	lock *daemon.Lock
}

// openState finds the reports that an interrupted run of the same Forebay, Redis and tests has left, unless fresh, and removes all
// others. It is in base, or in the cache folder if that is empty. The caller closes it, and drops it once all is judged.
func openState(base, forebay string, fresh bool) (*state, error) {
	id, err := identity(forebay)
	if err != nil {
		return nil, err
	}
	if base == "" {
		cache, err := server.CacheDir()
		if err != nil {
			return nil, err
		}
		base = filepath.Join(cache, "compat", "state")
	}
	lock, err := daemon.TryLockFile(base + ".lock")
	if err != nil {
		return nil, err
	}
	if lock == nil {
		return nil, ErrBusy
	}
	s := &state{filepath.Join(base, id), lock}
	if err := s.prepare(base, fresh); err != nil {
		lock.Unlock()
		return nil, fmt.Errorf("prepare reports: %w", err)
	}
	return s, nil
}

func (s *state) prepare(base string, fresh bool) error {
	entries, err := os.ReadDir(base)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		if path := filepath.Join(base, e.Name()); fresh || path != s.dir {
			if err := os.RemoveAll(path); err != nil {
				return err
			}
		}
	}
	return os.MkdirAll(s.dir, 0o755)
}

// identity is of everything that a result depends on.
func identity(forebay string) (string, error) {
	f, err := os.Open(forebay)
	if err != nil {
		return "", fmt.Errorf("open forebay: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("read forebay: %w", err)
	}
	redis, err := exec.Command("redis-server", "--version").Output()
	if err != nil {
		return "", fmt.Errorf("ask redis-server for its version: %w", err)
	}
	return digest(string(h.Sum(nil)), string(redis))
}

// path is where the report of a file, side and protocol is.
func (s *state) path(file, side string, protocol int) string {
	return filepath.Join(s.dir, fmt.Sprintf("%d-%s-%s", protocol, side, strings.ReplaceAll(file, "/", "-")))
}

// read returns a report that is there, or an error that is os.ErrNotExist.
func (s *state) read(file, side string, protocol int) (Report, error) {
	f, err := os.Open(s.path(file, side, protocol))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return ReadReport(f)
}

func (s *state) drop() error { return os.RemoveAll(s.dir) }
func (s *state) close()      { s.lock.Unlock() }
