package cassandra_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"forebay/backend"
	"forebay/backend/cassandra"
	"forebay/internal/testkit"
)

// content is an object of bytes.
type content []byte

func (c content) Bytes() int64 { return int64(len(c)) }

func (c content) Each(ctx context.Context, size int, yield func(int64, []byte) error) error {
	buf := make([]byte, 0, size)
	n := int64(0)
	for piece := range slices.Chunk(c, size) {
		buf = append(buf[:0], piece...) // one buffer for all: the loader must not keep it
		if err := yield(n, buf); err != nil {
			return err
		}
		n++
	}
	return ctx.Err()
}

// patterned is n bytes, no two chunks of which are the same.
func patterned(n int, seed byte) content {
	b := make(content, n)
	for i := range b {
		b[i] = byte(i) ^ byte(i>>8)*31 ^ byte(i>>16)*57 ^ seed
	}
	return b
}

const small = cassandra.MinChunkBytes

type objects struct {
	t       *testing.T
	server  *testkit.CassandraServer
	name    string
	session *gocql.Session
	options cassandra.LoaderOptions
	last    cassandra.Progress
	stop    int
	cancel  context.CancelFunc
}

func newObjects(t *testing.T) *objects {
	server := testkit.Cassandra(t)
	keyspace := testkit.Keyspace(t, server.Addr)
	o := &objects{t: t, server: server, name: "o", session: testkit.Session(t, server.Addr, keyspace)}
	o.options = cassandra.LoaderOptions{
		Options: cassandra.Options{Hosts: []string{server.Addr}, Keyspace: keyspace},
		Progress: func(p cassandra.Progress) {
			if o.last = p; p.Done == o.stop && o.cancel != nil {
				o.cancel()
			}
		},
	}
	return o
}

func (o *objects) load(ctx context.Context, resume bool, c content, options cassandra.ObjectOptions) (cassandra.Object, error) {
	o.t.Helper()
	given := o.options
	given.Resume = resume
	l := openLoader(o.t, given)
	o.last = cassandra.Progress{}
	return l.LoadObject(ctx, "d", o.name, c, options)
}

func (o *objects) must(c content, options cassandra.ObjectOptions) cassandra.Object {
	o.t.Helper()
	stored, err := o.load(o.t.Context(), false, c, options)
	if err != nil {
		o.t.Fatalf("load object: %v", err)
	}
	return stored
}

func (o *objects) read(l *cassandra.Loader) (content, error) {
	var got content
	_, err := l.ReadObject(o.t.Context(), "d", o.name, func(data []byte) error {
		got = append(got, data...)
		return nil
	})
	return got, err
}

// holds checks the object, by the loader's reading and by plain queries, and how many versions the book knows.
func (o *objects) holds(want content, versions int) {
	o.t.Helper()
	if got, err := o.read(openLoader(o.t, o.options)); err != nil || !bytes.Equal(got, want) {
		o.t.Errorf("%d bytes read back, equal %v, and %v", len(got), bytes.Equal(got, want), err)
	}
	if n := o.count("object_versions"); n != versions {
		o.t.Errorf("%d versions are noted, want %d", n, versions)
	}
}

func (o *objects) count(table string) (n int) {
	o.t.Helper()
	if err := o.session.Query(`SELECT count(*) FROM ` + table).Scan(&n); err != nil {
		o.t.Fatal(err)
	}
	return n
}

func TestObjects(t *testing.T) {
	o := newObjects(t)
	first := patterned(10*small+17, 1)
	stored := o.must(first, cassandra.ObjectOptions{ChunkBytes: small})
	sum := crc32.Checksum(first, crc32.MakeTable(crc32.Castagnoli))
	if stored.Chunks != 11 || stored.Bytes != int64(len(first)) || stored.CRC32C != int64(sum) {
		t.Errorf("stored %+v", stored)
	}
	o.holds(first, 1)

	// Chunks are read by a Source as the contract has them.
	src := open(t, o.server.Addr, o.options.Keyspace)
	table, err := src.Table(t.Context(), "chunks")
	if err != nil {
		t.Fatal(err)
	}
	q := &backend.Select{Table: table, Columns: []string{"chunk", "data"}, Where: []string{"dataset", "name", "version"}, MaxRows: 11}
	var all content
	err = src.Load(t.Context(), q, []any{"d", "o", stored.Version}, nil, func(_ int, row backend.Row) error {
		if row[0] != int64(len(all)/small) {
			return fmt.Errorf("chunk %v comes after %d bytes", row[0], len(all))
		}
		all = append(all, row[1].([]byte)...)
		return nil
	})
	if err != nil || !bytes.Equal(all, first) {
		t.Errorf("a source reads %d bytes and %v", len(all), err)
	}

	// A new version takes its place, the old chunks stay for the grace and go with the next load.
	second := patterned(3*small, 2)
	o.must(second, cassandra.ObjectOptions{ChunkBytes: small})
	o.holds(second, 2)
	if n := o.count("chunks"); n != 14 {
		t.Errorf("%d chunks in the grace, want 14", n)
	}
	third := patterned(1, 3)
	o.must(third, cassandra.ObjectOptions{Grace: time.Nanosecond})
	l := openLoader(t, o.options)
	if s, err := l.Sweep(t.Context(), "d", "", time.Nanosecond); err != nil || s.Objects != 1 {
		t.Errorf("sweep: %+v and %v", s, err)
	}
	o.holds(third, 1)
	if n := o.count("chunks"); n != 1 {
		t.Errorf("%d chunks are left, want 1", n)
	}
	for name, err := range map[string]error{
		"no bytes":     second1(o.load(t.Context(), false, nil, cassandra.ObjectOptions{})),
		"small chunks": second1(o.load(t.Context(), false, third, cassandra.ObjectOptions{ChunkBytes: 1})),
		"large chunks": second1(o.load(t.Context(), false, third, cassandra.ObjectOptions{ChunkBytes: 2 << 20})),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	o.holds(third, 1)
}

func second1(_ cassandra.Object, err error) error { return err }

// An object of several partitions, each bounded.
func TestLargeObject(t *testing.T) {
	o := newObjects(t)
	large := patterned(cassandra.PartitionBytes+5<<20, 1)
	stored := o.must(large, cassandra.ObjectOptions{ChunkBytes: 1 << 20})
	if len(stored.Ranges()) != 2 || stored.Chunks != 69 {
		t.Errorf("stored %+v in %v", stored, stored.Ranges())
	}
	o.holds(large, 1)
	o.must(patterned(5, 1), cassandra.ObjectOptions{})
	l := openLoader(t, o.options)
	if s, err := l.Sweep(t.Context(), "", "", time.Nanosecond); err != nil || s.Removed != 1 || s.Bytes != int64(len(large)) {
		t.Errorf("sweep: %+v and %v", s, err)
	}
	if n := o.count("chunks"); n != 1 {
		t.Errorf("%d chunks are left, want 1", n)
	}
}

func TestChunkPartitions(t *testing.T) {
	for _, test := range []struct {
		version string
		chunk   int64
		want    string
	}{
		{"v", 0, "v"},
		{"v", 1 << 40, "v"},
		{"v+64", 63, "v+64"},
		{"v+64", 64, "v+64.1"},
		{"v+64", 640, "v+64.10"},
		{"v+0", 7, "v+0"},
		{"v+x", 7, "v+x"},
		{"", 7, ""},
	} {
		if got := cassandra.ChunkPartition(test.version, test.chunk); got != test.want {
			t.Errorf("chunk %d of %q lies in %q, want %q", test.chunk, test.version, got, test.want)
		}
	}
	ranges := cassandra.Object{Version: "v+2", Chunks: 5}.Ranges()
	if want := []cassandra.ChunkRange{{Version: "v+2", From: 0, To: 2}, {Version: "v+2.1", From: 2, To: 4}, {Version: "v+2.2", From: 4, To: 5}}; !slices.Equal(ranges, want) {
		t.Errorf("ranges are %v, want %v", ranges, want)
	}
	if ranges := (cassandra.Object{Version: "v"}).Ranges(); ranges != nil {
		t.Errorf("an object without chunks has the ranges %v", ranges)
	}
}

func TestObjectResumes(t *testing.T) {
	o := newObjects(t)
	former, next := patterned(2*small, 9), patterned(100*small+5, 1)
	options := cassandra.ObjectOptions{ChunkBytes: small}
	o.must(former, options)
	ctx, cancel := context.WithCancel(t.Context())
	o.stop, o.cancel = 40, cancel
	if _, err := o.load(ctx, false, next, options); !errors.Is(err, context.Canceled) {
		t.Fatalf("an interrupted load gives %v", err)
	}
	o.holds(former, 2) // readers have the former version
	o.stop = 0
	var version string
	if err := o.session.Query(`SELECT version FROM object_versions WHERE dataset='d' AND name='o' ORDER BY version DESC LIMIT 1`).Scan(&version); err != nil {
		t.Fatal(err)
	}
	exec(t, o.session, `UPDATE chunks SET data = 0x00 WHERE dataset='d' AND name='o' AND version=? AND chunk=3`, version)
	stored, err := o.load(t.Context(), true, next, options)
	if err != nil || stored.Version != version || o.last.Skipped < 39 || o.last.Skipped > 40+cassandra.DefaultInFlight {
		t.Errorf("resumed: %+v, %v, %+v; want version %s and some 39 chunks skipped", stored, err, o.last, version)
	}
	o.holds(next, 2)
	// Whole already: nothing is written.
	if again, err := o.load(t.Context(), true, next, options); err != nil || again != stored || o.last.Skipped != 101 {
		t.Errorf("loaded again: %+v, %v, %+v", again, err, o.last)
	}
	o.holds(next, 2)
}
