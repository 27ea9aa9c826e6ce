package event

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"sync"
	"time"
)

// FileOptions say where a File writes. Zero fields take the values named.
type FileOptions struct {
	Path string
	// MaxBytes is the size at which the file is renamed to Path.1 (replacing the one before) and begun anew. 0: 64 MiB. The two together hold at most
	// twice that, or twice MaxBatch if that is more.
	MaxBytes int64
	// BufferBytes bounds what waits for the disk. 0: 4 MiB. A batch that does not fit is refused.
	BufferBytes int
	// Log hears of the first error of each kind. Nil: nothing is logged.
	Log *slog.Logger
}

// File is a Sink that appends lines to a file, for those who run without Kafka. Each line gains a last field "partition", which Kafka's
// records have beside them: a file with it can be verified. Disks block, so a goroutine of its own writes.
type File struct {
	opt FileOptions

	mu      sync.Mutex
	pending []byte
	batches []Batch // what pending is made of, without lines
	busy    int     // bytes in the writer's hands
	err     error   // of the last write
	closing bool
	wake    chan struct{}
	done    chan struct{}

	// The writer's own.
	file *os.File
	size int64
	owed []Batch // lost to write errors, not yet told
	lost int64
}

var _ Sink = (*File)(nil)

// NewFile opens the file for appending, cutting off a last line that a crash left incomplete, and starts the writer. Close ends it.
func NewFile(opt FileOptions) (*File, error) {
	if opt.MaxBytes == 0 {
		opt.MaxBytes = 64 << 20
	}
	if opt.BufferBytes == 0 {
		opt.BufferBytes = 4 << 20
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	f := &File{opt: opt, wake: make(chan struct{}, 1), done: make(chan struct{})}
	if err := f.open(); err != nil {
		return nil, err
	}
	go f.writer()
	return f, nil
}

// Name is "file".
func (f *File) Name() string { return "file" }

// Write copies the batch, or refuses it while the disk is behind.
func (f *File) Write(b Batch) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closing || len(f.pending)+f.busy+len(b.Lines) > f.opt.BufferBytes {
		return false
	}
	f.pending = AppendPlaced(f.pending, b.Lines, b.Partition)
	b.Lines = nil
	f.batches = append(f.batches, b)
	select {
	case f.wake <- struct{}{}:
	default:
	}
	return true
}

// Healthy is the error of the last write.
func (f *File) Healthy() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// Waiting is how many bytes are taken and not yet written.
func (f *File) Waiting() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.pending) + f.busy
}

// Close writes what waits and closes the file. A disk that blocks outlives ctx: then the error is ctx's, and the writer ends when the disk does.
func (f *File) Close(ctx context.Context) error {
	f.mu.Lock()
	if !f.closing {
		f.closing = true
		close(f.wake)
	}
	f.mu.Unlock()
	select {
	case <-f.done:
	case <-ctx.Done():
		return fmt.Errorf("close event file: %w", ctx.Err())
	}
	if f.lost > 0 {
		return fmt.Errorf("write event file: %d events lost: %w", f.lost, f.err)
	}
	return nil
}

// writer writes what is pending until the file is closed.
func (f *File) writer() {
	defer close(f.done)
	var spare []byte
	for open := true; open; {
		_, open = <-f.wake
		f.mu.Lock()
		chunk, batches := f.pending, f.batches
		f.pending, f.batches = spare[:0], nil
		f.busy = len(chunk)
		f.mu.Unlock()
		spare = chunk // the other buffer: pending has the one that was spare
		if len(chunk) == 0 {
			continue
		}
		err := f.write(chunk, batches)
		f.mu.Lock()
		if err != nil && f.err == nil {
			f.opt.Log.Error("event file not written", "path", f.opt.Path, "error", err)
		}
		f.err, f.busy = err, 0
		f.mu.Unlock()
	}
	if f.file != nil {
		f.mu.Lock()
		f.err = errors.Join(f.err, f.file.Close())
		f.mu.Unlock()
	}
}

// write appends chunk, after gaps for what was lost before. A chunk that fails is lost, whole.
func (f *File) write(chunk []byte, batches []Batch) error {
	var gaps []byte
	for _, lost := range f.owed {
		gaps = AppendPlaced(gaps, AppendGap(nil, lost, f.Name(), time.Now()), lost.Partition)
	}
	if gaps != nil {
		chunk = append(gaps, chunk...)
	}
	err := f.append(chunk)
	if err == nil {
		f.owed = nil
		return nil
	}
	for _, b := range batches {
		f.lost += b.Count
		f.owe(b)
	}
	return err
}

// owe remembers a lost batch, joined to the one before it in its partition.
func (f *File) owe(b Batch) {
	for i := range f.owed {
		if o := &f.owed[i]; o.Boot == b.Boot && o.Partition == b.Partition && o.First+o.Count == b.First {
			o.Count += b.Count
			return
		}
	}
	f.owed = append(f.owed, b)
}

// append writes lines, in pieces that keep to the size. Of a chunk that fails in the middle some lines are there: the gap over them does no harm.
func (f *File) append(lines []byte) error {
	for len(lines) > 0 {
		piece := lines[:min(len(lines), MaxBatch)]
		if end := bytes.LastIndexByte(piece, '\n'); end >= 0 {
			piece = piece[:end+1]
		}
		if err := f.appendPiece(piece); err != nil {
			return err
		}
		lines = lines[len(piece):]
	}
	return nil
}

func (f *File) appendPiece(piece []byte) error {
	if f.file == nil || f.size > 0 && f.size+int64(len(piece)) > f.opt.MaxBytes {
		if err := f.rotate(); err != nil {
			return err
		}
	}
	n, err := f.file.Write(piece)
	if err != nil {
		// The cut may fail as the write did; a half line is then what open cuts off, or a reader passes over.
		return errors.Join(fmt.Errorf("append to event file: %w", err), f.file.Truncate(f.size))
	}
	f.size += int64(n)
	return nil
}

// rotate begins a new file, keeping the present one as the one before. While it cannot, nothing is written: the size is a promise.
func (f *File) rotate() error {
	if f.file != nil {
		if err := os.Rename(f.opt.Path, f.opt.Path+".1"); err != nil {
			return fmt.Errorf("rotate event file: %w", err)
		}
		err := f.file.Close()
		f.file = nil
		if err != nil {
			return fmt.Errorf("rotate event file: %w", err)
		}
	}
	return f.open()
}

// open opens the file at its end.
func (f *File) open() error {
	file, err := os.OpenFile(f.opt.Path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("open event file: %w", err)
	}
	size, err := wholeLines(file)
	if err == nil {
		err = file.Truncate(size)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("open event file: %w", err), file.Close())
	}
	f.file, f.size = file, size
	return nil
}

// wholeLines is the length of the file up to the end of its last whole line.
func wholeLines(file *os.File) (int64, error) {
	info, err := file.Stat()
	if err != nil {
		return 0, err
	}
	tail := make([]byte, min(info.Size(), MaxBatch))
	at := info.Size() - int64(len(tail))
	if _, err := file.ReadAt(tail, at); err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	if end := bytes.LastIndexByte(tail, '\n'); end >= 0 {
		return at + int64(end) + 1, nil
	}
	return at, nil
}

// AppendPlaced appends lines, whole ones, each with the partition as its last field.
func AppendPlaced(b, lines []byte, partition int) []byte {
	for len(lines) > 0 {
		end := bytes.IndexByte(lines, '\n')
		b = append(b, lines[:end-1]...)
		b = append(b, `,"partition":`...)
		b = strconv.AppendInt(b, int64(partition), 10)
		b = append(b, '}', '\n')
		lines = lines[end+1:]
	}
	return b
}
