package event_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"forebay/internal/event"
)

// verifyFiles verifies the lines of files, in order.
func verifyFiles(t *testing.T, paths ...string) event.Report {
	t.Helper()
	var v event.Verifier
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for l := range bytes.Lines(data) {
			if err := v.Add(-1, l); err != nil {
				t.Fatal(err)
			}
		}
	}
	return v.Report()
}

func newFile(t *testing.T, opt event.FileOptions) *event.File {
	t.Helper()
	f, err := event.NewFile(opt)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFileHoldsAWholeStreamOverTwoRuns(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "events.ndjson")
	for run := range 2 {
		p := event.New(event.Options{Boot: int64(run + 1), Partitions: 3, Sinks: []event.Sink{newFile(t, event.FileOptions{Path: path})}})
		p.Start()
		for i := range 1000 {
			p.Record(&event.Event{Kind: event.Hit, Key: fmt.Appendf(nil, "k:%d", i)})
		}
		closed(t, p)
		if run == 0 { // as a crash would leave it
			f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.WriteString(`{"v":1,"prox`); err != nil {
				t.Fatal(err)
			}
			f.Close()
		}
	}
	if r := verifyFiles(t, path); !r.Complete() || r.Lines != 2006 || len(r.Streams) != 6 || r.Open != 0 || r.Lost != 0 {
		t.Errorf("report %+v", r)
	}
}

func TestFileIsBoundedByRotation(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "events.ndjson")
	const limit = 80 << 10
	p := event.New(event.Options{Sinks: []event.Sink{newFile(t, event.FileOptions{Path: path, MaxBytes: limit})}})
	p.Start()
	for i := range 3000 {
		p.Record(&event.Event{Kind: event.Hit, Key: fmt.Appendf(nil, "k:%d", i)})
		if i%10 == 0 {
			if err := p.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	closed(t, p)
	for _, name := range []string{path, path + ".1"} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() == 0 || info.Size() > limit {
			t.Errorf("%s has %d bytes", name, info.Size())
		}
	}
	r := verifyFiles(t, path+".1", path)
	if len(r.Streams) != 1 || len(r.Streams[0].Missing) != 1 || r.Streams[0].Missing[0].First != 1 || !r.Streams[0].Ended {
		t.Errorf("report %+v, want only the beginning missing", r)
	}
}

func TestFileThatCannotBeWrittenTellsAndRecovers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "events.ndjson")
	f := newFile(t, event.FileOptions{Path: path, MaxBytes: 1}) // a rotation for each write
	batch := func(first int64) event.Batch {
		return event.Batch{Proxy: "p", Boot: 1, First: first, Count: 1, Lines: fmt.Appendf(nil, `{"proxy":"p","boot":1,"seq":%d,"kind":"hit"}`+"\n", first)}
	}
	write := func(first int64, fails bool) {
		t.Helper()
		if !f.Write(batch(first)) {
			t.Fatal("refused")
		}
		for (f.Healthy() != nil) != fails || f.Waiting() > 0 {
			runtime.Gosched()
		}
	}
	write(1, false)
	if err := os.Mkdir(path+".1", 0o755); err != nil { // the rename's target: no rotation
		t.Fatal(err)
	}
	write(2, true)
	write(3, true)
	if err := os.Remove(path + ".1"); err != nil {
		t.Fatal(err)
	}
	write(4, false)
	if err := f.Close(t.Context()); err == nil {
		t.Error("close tells nothing of two lost events")
	}
	if r := verifyFiles(t, path+".1", path); !r.Complete() || r.Lost != 2 || r.Lines != 2 {
		t.Errorf("report %+v", r)
	}
}

func TestFileRefusesWhatItsBufferCannotHold(t *testing.T) {
	t.Parallel()
	f := newFile(t, event.FileOptions{Path: filepath.Join(t.TempDir(), "e"), BufferBytes: 10})
	if f.Write(event.Batch{Lines: []byte("{\"seq\":1,\"kind\":\"hit\"}\n")}) {
		t.Error("taken")
	}
	if err := f.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if f.Write(event.Batch{Lines: []byte("{}\n")}) {
		t.Error("taken after close")
	}
}

func TestNewFileNamesWhatItCannotOpen(t *testing.T) {
	t.Parallel()
	if _, err := event.NewFile(event.FileOptions{Path: t.TempDir()}); err == nil {
		t.Error("a folder was opened")
	}
}
