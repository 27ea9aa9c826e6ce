package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// eventLog reads a file of events, behind the one that it was before: at its limit the file is renamed to PATH.1, and a new one is begun
// (event.File).
//
//  1. The older file is looked for before the newer one is opened. In between the newer is renamed: it is the older's name now.
//  2. So the newer is opened first, and the older left out if it proves to be the same file. What the rename has removed was the oldest of all.
type eventLog struct {
	path  string
	files []*os.File // those still to be read, oldest first; the last is the one that grows
	rest  []byte     // the beginning of a line that is not whole yet
}

const (
	maxEventLine = 1 << 20 // far above what an event takes
	filePiece    = 256 << 10
	filePoll     = 200 * time.Millisecond // between two looks for what has come
)

// openEventFile opens the files; fresh leaves out what is there.
func openEventFile(path string, fresh bool) (*eventLog, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	t := &eventLog{path: path, files: []*os.File{f}}
	if fresh {
		if _, err := f.Seek(0, io.SeekEnd); err != nil {
			t.close()
			return nil, err
		}
		return t, nil
	}
	older, err := os.Open(path + ".1")
	switch {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		t.close()
		return nil, err
	case sameFile(older, f):
		older.Close()
	default:
		t.files = []*os.File{older, f}
	}
	return t, nil
}

func sameFile(a, b *os.File) bool {
	x, err1 := a.Stat()
	y, err2 := b.Stat()
	return err1 == nil && err2 == nil && os.SameFile(x, y)
}

func (t *eventLog) close() {
	for _, f := range t.files {
		f.Close()
	}
	t.files = nil
}

// size is how many bytes there are.
func (t *eventLog) size() (n int) {
	for _, f := range t.files {
		if info, err := f.Stat(); err == nil {
			n += int(info.Size())
		}
	}
	return n
}

// run gives take whole lines, to the end of what is there: errTorn if something stands behind the last. With follow it goes on until ctx ends.
func (t *eventLog) run(ctx context.Context, follow bool, take func(lines []byte) error) error {
	for ctx.Err() == nil {
		if err := t.drain(ctx, take); err != nil {
			return err
		}
		switch {
		case len(t.files) > 1: // the next is there already
			t.files[0].Close()
			t.files = t.files[1:]
		case !follow && len(t.rest) > 0:
			return errTorn
		case !follow:
			return nil
		default:
			if err := t.await(ctx); err != nil {
				return err
			}
		}
	}
	if follow {
		return nil
	}
	return ctx.Err()
}

// await waits a little, and looks whether another file has taken this one's place. What the present one has got until then is read first.
func (t *eventLog) await(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-time.After(filePoll):
	}
	f, err := os.Open(t.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil // it is about to be made
	}
	if err != nil {
		return fmt.Errorf("read events: %w", err)
	}
	if sameFile(f, t.files[0]) {
		f.Close()
	} else {
		t.files = append(t.files, f)
	}
	return nil
}

// drain reads the oldest file to its present end.
func (t *eventLog) drain(ctx context.Context, take func(lines []byte) error) error {
	b := make([]byte, filePiece)
	for ctx.Err() == nil {
		n, err := t.files[0].Read(b)
		lines := append(t.rest, b[:n]...)
		end := bytes.LastIndexByte(lines, '\n') + 1
		if end > 0 {
			if err := take(lines[:end]); err != nil {
				return err
			}
		}
		t.rest = bytes.Clone(lines[end:])
		if len(t.rest) > maxEventLine {
			return fmt.Errorf("read events: %s has a line of more than %d bytes", t.path, maxEventLine)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read events: %w", err)
		}
	}
	return nil
}
