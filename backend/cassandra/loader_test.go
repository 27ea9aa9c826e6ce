package cassandra_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
	"testing"
	"time"

	"forebay/backend"
	"forebay/backend/backendtest"
	"forebay/backend/cassandra"
	"forebay/internal/testkit"
)

// made is a set of samples: sample i has size bytes that depend on i and seed, and i as its label.
type made struct {
	n, size  int
	seed     byte
	fails    int // at which sample reading fails; 0 never
	labelled bool
}

var errBroken = errors.New("the file is broken here")

func (m made) Len() int { return m.n }

func (m made) data(i int) []byte {
	return bytes.Repeat([]byte{byte(i), byte(i >> 8), m.seed}, m.size/3+1)[:m.size]
}

func (m made) Each(ctx context.Context, yield func([]byte, int64, bool) error) error {
	buf := make([]byte, 0, m.size) // one buffer for all: the loader must not keep it
	for i := range m.n {
		if m.fails != 0 && i == m.fails {
			return errBroken
		}
		buf = append(buf[:0], m.data(i)...)
		if err := yield(buf, int64(i), m.labelled); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (m made) rows(dataset, split string) (rows []backendtest.Sample) {
	for i := range m.n {
		r := backendtest.Sample{Dataset: dataset, Split: split, Shard: int64(i / 1024), Idx: int64(i), Data: m.data(i)}
		r.CRC32C = int64(crc32.Checksum(r.Data, crc32.MakeTable(crc32.Castagnoli)))
		if m.labelled {
			r.Label = int64(i)
		}
		rows = append(rows, r)
	}
	return rows
}

func openLoader(t *testing.T, o cassandra.LoaderOptions) *cassandra.Loader {
	t.Helper()
	l, err := cassandra.OpenLoader(t.Context(), o)
	if err != nil {
		t.Fatalf("open loader: %v", err)
	}
	t.Cleanup(l.Close)
	return l
}

func load(t *testing.T, l *cassandra.Loader, split string, m made) cassandra.Stored {
	t.Helper()
	stored, err := l.Load(t.Context(), "d", split, m)
	if err != nil {
		t.Fatalf("load %+v: %v", m, err)
	}
	return stored
}

// holds checks that the split has exactly these rows, by reading its partitions.
func holds(t *testing.T, addr, keyspace, split string, m made) {
	t.Helper()
	src := open(t, addr, keyspace)
	table, err := src.Table(t.Context(), "samples")
	if err != nil {
		t.Fatalf("describe: %v", err)
	}
	q := &backend.Select{
		Table: table, Columns: []string{"idx", "data", "label", "crc32c"}, Where: []string{"dataset", "split", "shard"},
		MaxRows: cassandra.ShardSamples, RowBytes: m.size,
	}
	want := m.rows("d", split)
	n := 0
	for shard := range int64(6) {
		err := src.Load(t.Context(), q, []any{"d", split, shard}, nil, func(_ int, row backend.Row) error {
			if n >= len(want) {
				return fmt.Errorf("row %v is one too many", row[0])
			}
			w := want[n]
			if w.Shard != shard || row[0] != w.Idx || !bytes.Equal(row[1].([]byte), w.Data) || row[2] != w.Label || row[3] != w.CRC32C {
				return fmt.Errorf("row %d of shard %d is %v %v %v", n, shard, row[0], row[2], row[3])
			}
			n++
			return nil
		})
		if err != nil {
			t.Fatalf("read shard %d: %v", shard, err)
		}
	}
	if n != len(want) {
		t.Errorf("%d rows, want %d", n, len(want))
	}
}

func TestLoader(t *testing.T) {
	server := testkit.Cassandra(t)
	keyspace := testkit.Keyspace(t, server.Addr)
	exec(t, testkit.Session(t, server.Addr, ""), `DROP KEYSPACE "`+keyspace+`"`) // the loader makes it again
	last := cassandra.Progress{}
	calls := 0
	l := openLoader(t, cassandra.LoaderOptions{
		Options:  cassandra.Options{Hosts: []string{server.Addr}, Keyspace: keyspace},
		Progress: func(p cassandra.Progress) { last, calls = p, calls+1 },
	})
	lookup := func(split string) (cassandra.Stored, bool) {
		t.Helper()
		s, found, err := l.Lookup(t.Context(), "d", split)
		if err != nil {
			t.Fatalf("look up: %v", err)
		}
		return s, found
	}
	if _, found := lookup("train"); found {
		t.Error("a split is found before it is loaded")
	}

	long := made{n: 2500, size: 100, seed: 1, labelled: true}
	stored := load(t, l, "train", long)
	holds(t, server.Addr, keyspace, "train", long)
	all := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	for i := range long.n {
		all.Write(long.data(i))
	}
	if !stored.Complete || stored.Samples != 2500 || stored.Bytes != 250000 || stored.CRC32C != int64(all.Sum32()) ||
		time.Since(stored.LoadedAt) > time.Minute {
		t.Errorf("stored %+v", stored)
	}
	if s, found := lookup("train"); !found || s != stored {
		t.Errorf("look up gives %+v, want %+v", s, stored)
	}
	if want := (cassandra.Progress{Done: 2500, Total: 2500, Bytes: 250000}); last != want || calls != 2500 {
		t.Errorf("the last of %d reports is %+v, want %+v", calls, last, want)
	}

	// A shorter load leaves nothing of the longer one, whether the boundary is inside a shard or between two.
	for _, n := range []int{1500, 1024, 1} {
		short := made{n: n, size: 50, seed: 2}
		load(t, l, "train", short)
		holds(t, server.Addr, keyspace, "train", short)
	}

	// An interrupted one does not look complete, and the next leaves nothing of it.
	broken := made{n: 3000, size: 10, seed: 3, fails: 2999}
	if _, err := l.Load(t.Context(), "d", "train", broken); !errors.Is(err, errBroken) || !strings.Contains(err.Error(), "d/train") {
		t.Errorf("a broken load gives %v", err)
	}
	if s, _ := lookup("train"); s.Complete {
		t.Errorf("after a broken load: %+v", s)
	}
	ctx, cancel := context.WithCancel(t.Context())
	l2 := openLoader(t, cassandra.LoaderOptions{
		Options:  cassandra.Options{Hosts: []string{server.Addr}, Keyspace: keyspace},
		InFlight: 2,
		Progress: func(p cassandra.Progress) {
			if p.Done == 100 {
				cancel()
			}
		},
	})
	if _, err := l2.Load(ctx, "d", "train", made{n: 3000, size: 10, seed: 4}); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled load gives %v", err)
	}
	if s, _ := lookup("train"); s.Complete {
		t.Errorf("after a cancelled load: %+v", s)
	}
	tiny := made{n: 3, size: 0, seed: 5, labelled: true}
	load(t, l, "train", tiny)
	holds(t, server.Addr, keyspace, "train", tiny)

	// Nothing at all is written where the first sample shows that it cannot work.
	huge := made{n: 2, size: cassandra.MaxSampleBytes + 1}
	if _, err := l.Load(t.Context(), "d", "huge", huge); err == nil || !strings.Contains(err.Error(), "sample 0") {
		t.Errorf("a sample that is too large gives %v", err)
	}
	if _, found := lookup("huge"); found {
		t.Error("a load that could not begin left a mark")
	}
	large := made{n: 3, size: cassandra.MaxSampleBytes}
	load(t, l, "large", large)
	holds(t, server.Addr, keyspace, "large", large)
}

func TestLoaderRefusesOtherTables(t *testing.T) {
	server := testkit.Cassandra(t)
	for name, test := range map[string]struct{ ddl, says string }{
		"other key":    {`CREATE TABLE samples (dataset text PRIMARY KEY)`, "its primary key is ((dataset), )"},
		"other type":   {`CREATE TABLE samples (dataset text, split text, shard int, idx int, data text, label bigint, crc32c bigint, PRIMARY KEY ((dataset, split, shard), idx))`, "column data is text"},
		"column lacks": {`CREATE TABLE samples (dataset text, split text, shard int, idx int, data blob, PRIMARY KEY ((dataset, split, shard), idx))`, "no column label"},
	} {
		keyspace := testkit.Keyspace(t, server.Addr)
		exec(t, testkit.Session(t, server.Addr, keyspace), test.ddl)
		o := cassandra.LoaderOptions{Options: cassandra.Options{Hosts: []string{server.Addr}, Keyspace: keyspace}}
		l, err := cassandra.OpenLoader(t.Context(), o)
		if err == nil {
			l.Close()
		}
		if !errors.Is(err, backend.ErrSourceInvalid) || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: open gives %v, want %q", name, err, test.says)
		}
	}
	_, err := cassandra.OpenLoader(t.Context(), cassandra.LoaderOptions{Options: cassandra.Options{Hosts: []string{"127.0.0.1:1"}, Keyspace: "k"}})
	if !errors.Is(err, backend.ErrSourceDown) {
		t.Errorf("open without a server gives %v, want ErrSourceDown", err)
	}
}
