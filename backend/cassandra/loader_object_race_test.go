package cassandra_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"forebay/backend/cassandra"
)

// Two that write and one that reads: every reading is one of the two, whole.
func TestObjectsRewrittenAtOnce(t *testing.T) {
	o := newObjects(t)
	versions := []content{patterned(20*small, 1), patterned(23*small+1, 2)}
	options := cassandra.ObjectOptions{ChunkBytes: small}
	o.must(versions[0], options)
	var writers sync.WaitGroup
	for _, c := range versions {
		l := openLoader(t, cassandra.LoaderOptions{Options: o.options.Options})
		writers.Go(func() {
			for range 10 {
				if _, err := l.LoadObject(t.Context(), "d", "o", c, options); err != nil {
					t.Errorf("load: %v", err)
				}
			}
		})
	}
	reader, done := openLoader(t, cassandra.LoaderOptions{Options: o.options.Options}), make(chan struct{})
	go func() { writers.Wait(); close(done) }()
	readings := 0
	for running := true; running; readings++ {
		select {
		case <-done:
			running = false
		default:
		}
		got, err := o.read(reader)
		if err != nil || !bytes.Equal(got, versions[0]) && !bytes.Equal(got, versions[1]) {
			t.Fatalf("reading %d: %d bytes and %v", readings, len(got), err)
		}
	}
	if n := o.count("object_versions"); n != 21 || readings < 3 {
		t.Errorf("%d versions and %d readings", n, readings)
	}
	// Each but the last was retired by the one that replaced it: none is forgotten.
	if s, err := reader.Sweep(t.Context(), "", "", time.Nanosecond); err != nil || s.Removed != 20 || s.Retired != 0 {
		t.Errorf("sweep: %+v and %v", s, err)
	}
}

func TestSweepLeavesWhatIsBeingWritten(t *testing.T) {
	o := newObjects(t)
	former, next := patterned(small, 9), patterned(50*small, 1)
	options := cassandra.ObjectOptions{ChunkBytes: small}
	o.must(former, options)
	l := openLoader(t, cassandra.LoaderOptions{Options: o.options.Options})
	sweep := func(want cassandra.Swept) {
		t.Helper()
		if s, err := l.Sweep(t.Context(), "d", "o", time.Nanosecond); err != nil || s != want {
			t.Errorf("sweep: %+v and %v, want %+v", s, err, want)
		}
	}
	age := func() { // as if nothing had been written for long
		t.Helper()
		iter := o.session.Query(`SELECT version FROM object_versions WHERE dataset='d' AND name='o'`).Iter()
		for version := ""; iter.Scan(&version); {
			exec(t, o.session, `UPDATE object_versions SET touched_at = ? WHERE dataset='d' AND name='o' AND version=? IF EXISTS`,
				time.Now().Add(-2*cassandra.AbandonedAfter), version)
		}
		if err := iter.Close(); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	o.stop, o.cancel = 10, cancel
	if _, err := o.load(ctx, false, next, options); err == nil {
		t.Fatal("the load was not interrupted")
	}
	sweep(cassandra.Swept{Objects: 1, Unsettled: 1})
	age()
	sweep(cassandra.Swept{Objects: 1, Retired: 1}) // its grace begins
	sweep(cassandra.Swept{Objects: 1, Removed: 1, Bytes: int64(len(next))})
	o.holds(former, 1)
	if n := o.count("chunks"); n != 1 {
		t.Errorf("%d chunks are left, want 1", n)
	}

	// A load that is taken for given up meanwhile does not name its version.
	o.options.Progress = func(p cassandra.Progress) {
		if p.Done == 20 {
			age()
			sweep(cassandra.Swept{Objects: 1, Retired: 1})
		}
	}
	if _, err := o.load(t.Context(), false, next, options); err == nil || !strings.Contains(err.Error(), "given up") {
		t.Errorf("a load whose version was retired gives %v", err)
	}
	o.options.Progress = nil
	o.holds(former, 2)
}

func TestDamagedObjects(t *testing.T) {
	o := newObjects(t)
	whole := patterned(5*small, 1)
	l := openLoader(t, cassandra.LoaderOptions{Options: o.options.Options})
	where := ` WHERE dataset='d' AND name='o' AND version=?`
	for _, test := range []struct {
		name, cql string
		version   bool
		says      string
	}{
		{"a byte", `UPDATE chunks SET data = 0x` + strings.Repeat("00", small) + where + ` AND chunk=2`, true, "crc32c"},
		{"a shorter chunk", `UPDATE chunks SET data = 0x00` + where + ` AND chunk=2`, true, "bytes, the object"},
		{"a longer chunk", `UPDATE chunks SET data = 0x` + strings.Repeat("00", small+1) + where + ` AND chunk=4`, true, "ends beyond"},
		{"a chunk", `DELETE FROM chunks` + where + ` AND chunk=2`, true, "chunk 3 comes where chunk 2 of 5 should"},
		{"the last chunk", `DELETE FROM chunks` + where + ` AND chunk=4`, true, "chunk 4 of 5 is missing"},
		{"all chunks", `DELETE FROM chunks` + where, true, "chunk 0 of 5 is missing"},
		{"the object", `DELETE FROM objects WHERE dataset='d' AND name='o' IF EXISTS`, false, "there is none"},
		{"the checksum", `UPDATE objects SET crc32c = 1 WHERE dataset='d' AND name='o' IF EXISTS`, false, "crc32c"},
	} {
		stored := o.must(whole, cassandra.ObjectOptions{ChunkBytes: small})
		args := []any{}
		if test.version {
			args = append(args, stored.Version)
		}
		exec(t, o.session, test.cql, args...)
		if _, err := l.VerifyObject(t.Context(), "d", "o"); !errors.Is(err, cassandra.ErrDamaged) || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: verify gives %v, want %q", test.name, err, test.says)
		}
	}
}
