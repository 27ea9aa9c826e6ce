package cassandra_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"go.uber.org/goleak"

	"forebay/backend"
	"forebay/backend/backendtest"
	"forebay/backend/cassandra"
	"forebay/internal/testkit"
)

// TestMain gives goroutines of the driver the time that session.Close does not wait for.
func TestMain(m *testing.M) {
	status := m.Run()
	if status == 0 {
		err := goleak.Find()
		for end := time.Now().Add(20 * time.Second); err != nil && time.Now().Before(end); {
			err = goleak.Find() // itself takes its time
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "goroutines are left:", err)
			status = 1
		}
	}
	os.Exit(status)
}

func open(t *testing.T, addr, keyspace string) *cassandra.Source {
	t.Helper()
	src, err := cassandra.Open(t.Context(), cassandra.Options{Hosts: []string{addr}, Keyspace: keyspace})
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(src.Close)
	return src
}

func exec(t *testing.T, s *gocql.Session, cql string, args ...any) {
	t.Helper()
	if err := s.Query(cql, args...).ExecContext(t.Context()); err != nil {
		t.Fatalf("%s: %v", cql, err)
	}
}

// samples makes and fills a samples table of the narrowest types, so that the suite's impossible values are impossible.
func samples(t *testing.T, session *gocql.Session, rows []backendtest.Sample) {
	t.Helper()
	exec(t, session, `CREATE TABLE samples (dataset text, split text, shard int, idx int, data blob, label bigint, crc32c bigint,
		PRIMARY KEY ((dataset, split, shard), idx))`)
	for _, r := range rows {
		exec(t, session, `INSERT INTO samples (dataset, split, shard, idx, data, label, crc32c) VALUES (?, ?, ?, ?, ?, ?, ?)`,
			r.Dataset, r.Split, r.Shard, r.Idx, r.Data, r.Label, r.CRC32C)
	}
}

func TestSource(t *testing.T) {
	server := testkit.Cassandra(t)
	keyspace := testkit.Keyspace(t, server.Addr)
	session := testkit.Session(t, server.Addr, keyspace)
	rows := backendtest.Samples()
	samples(t, session, rows)
	backendtest.Source(t, func(t *testing.T) backendtest.Fixture {
		return backendtest.Fixture{Source: open(t, server.Addr, keyspace), Table: "samples", Rows: rows, CQL: true}
	})
}

func TestKinds(t *testing.T) {
	server := testkit.Cassandra(t)
	keyspace := testkit.Keyspace(t, server.Addr)
	session := testkit.Session(t, server.Addr, keyspace)
	for _, cql := range backendtest.KindsDDL() {
		exec(t, session, cql)
	}
	backendtest.Kinds(t, open(t, server.Addr, keyspace))
}

func TestQuotedNames(t *testing.T) {
	server := testkit.Cassandra(t)
	keyspace := testkit.Keyspace(t, server.Addr)
	session := testkit.Session(t, server.Addr, keyspace)
	exec(t, session, `CREATE TABLE "OddName" ("from" text PRIMARY KEY, "Se""lect" blob)`)
	exec(t, session, `INSERT INTO "OddName" ("from", "Se""lect") VALUES ('a', 0x01)`)
	src := open(t, server.Addr, keyspace)
	table, err := src.Table(t.Context(), "OddName")
	if err != nil {
		t.Fatalf("describe: %v", err)
	}
	q := &backend.Select{Table: table, Columns: []string{`Se"lect`}, Where: []string{"from"}, MaxRows: 1}
	found := ""
	err = src.Load(t.Context(), q, []any{"a"}, nil, func(_ int, row backend.Row) error {
		found += fmt.Sprintf("%x", row[0])
		return nil
	})
	if err != nil || found != "01" {
		t.Errorf("load gives %q and %v", found, err)
	}
}

// A query of many rows is one read of Cassandra's; one of many bytes is several, and complete.
func TestPages(t *testing.T) {
	server := testkit.Cassandra(t)
	keyspace := testkit.Keyspace(t, server.Addr)
	session := testkit.Session(t, server.Addr, keyspace)
	exec(t, session, `CREATE TABLE pages (p text, i int, data blob, PRIMARY KEY (p, i))`)
	const small, large = 300, 40
	for i := range small {
		exec(t, session, `INSERT INTO pages (p, i, data) VALUES ('small', ?, ?)`, i, make([]byte, 10))
	}
	for i := range large {
		exec(t, session, `INSERT INTO pages (p, i, data) VALUES ('large', ?, ?)`, i, make([]byte, 512<<10))
	}
	src := open(t, server.Addr, keyspace)
	table, err := src.Table(t.Context(), "pages")
	if err != nil {
		t.Fatalf("describe: %v", err)
	}
	for _, test := range []struct {
		partition     string
		rows, bytes   int
		maxRows, hint int
		reads         int64
	}{
		{"small", small, small * 10, small, 10, 1},
		{"small", small, small * 10, 0, 10, 1},
		{"large", large, large * 512 << 10, large, 512 << 10, 6}, // by 8, then by 7 when their keys are known to count too,
		{"large", large, large * 512 << 10, 0, 0, 1},             // in one page, as nothing is known of their size
	} {
		q := &backend.Select{Table: table, Columns: []string{"i", "data"}, Where: []string{"p"}, MaxRows: test.maxRows, RowBytes: test.hint}
		if _, err := src.Prepare(t.Context(), q); err != nil {
			t.Fatalf("prepare: %v", err)
		}
		before := server.ReadCount(t, keyspace, "pages")
		rows, bytes := 0, 0
		err := src.Load(t.Context(), q, []any{test.partition}, nil, func(_ int, row backend.Row) error {
			if row[0] != int64(rows) {
				return fmt.Errorf("row %d has i %v", rows, row[0])
			}
			rows, bytes = rows+1, bytes+len(row[1].([]byte))
			return nil
		})
		reads := server.ReadCount(t, keyspace, "pages") - before
		if err != nil || rows != test.rows || bytes != test.bytes || reads != test.reads {
			t.Errorf("%s, %d rows and %d bytes expected: %d rows, %d bytes, %d reads and %v; want %d, %d, %d",
				test.partition, test.maxRows, test.hint, rows, bytes, reads, err, test.rows, test.bytes, test.reads)
		}
	}
}

// One row, and sixty-four of a partition, are each one read.
func TestReadsOnce(t *testing.T) {
	server := testkit.Cassandra(t)
	keyspace := testkit.Keyspace(t, server.Addr)
	session := testkit.Session(t, server.Addr, keyspace)
	var rows []backendtest.Sample
	for i := range int64(64) {
		rows = append(rows, backendtest.Sample{Dataset: "d", Split: "s", Idx: i, Data: make([]byte, 3136), Label: i})
	}
	samples(t, session, rows)
	src := open(t, server.Addr, keyspace)
	table, err := src.Table(t.Context(), "samples")
	if err != nil {
		t.Fatalf("describe: %v", err)
	}
	one := &backend.Select{Table: table, Columns: []string{"data"}, Where: []string{"dataset", "split", "shard", "idx"}, MaxRows: 1}
	many := &backend.Select{Table: table, Columns: []string{"data"}, Where: []string{"dataset", "split", "shard"}, In: "idx", MaxRows: 1024}
	var in []any
	for i := range int64(64) {
		in = append(in, i)
	}
	key := []any{"d", "s", int64(0)}
	for name, load := range map[string]func(each func(int, backend.Row) error) error{
		"one row": func(each func(int, backend.Row) error) error {
			return src.Load(t.Context(), one, append(key, int64(5)), nil, each)
		},
		"64 rows": func(each func(int, backend.Row) error) error { return src.Load(t.Context(), many, key, in, each) },
		"no row": func(each func(int, backend.Row) error) error {
			return src.Load(t.Context(), one, append(key, int64(99)), nil, each)
		},
		"2 of 3": func(each func(int, backend.Row) error) error {
			return src.Load(t.Context(), many, key, []any{int64(3), int64(7), int64(99)}, each)
		},
		"one of 1": func(each func(int, backend.Row) error) error {
			return src.Load(t.Context(), many, key, []any{int64(3)}, each)
		},
	} {
		before := server.ReadCount(t, keyspace, "samples")
		if err := load(func(int, backend.Row) error { return nil }); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if reads := server.ReadCount(t, keyspace, "samples") - before; reads != 1 {
			t.Errorf("%s took %d reads, want 1", name, reads)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	server := testkit.Cassandra(t)
	keyspace := testkit.Keyspace(t, server.Addr)
	for name, test := range map[string]struct {
		options cassandra.Options
		want    error
		says    string
	}{
		"no hosts":            {cassandra.Options{}, nil, "hosts"},
		"unknown consistency": {cassandra.Options{Hosts: []string{server.Addr}, Consistency: "MOST"}, nil, "LOCAL_QUORUM"},
		"missing keyspace": {
			cassandra.Options{Hosts: []string{server.Addr}, Keyspace: "no_such_keyspace"},
			backend.ErrNoTable, `"no_such_keyspace" does not exist`,
		},
		"unknown data centre": {
			cassandra.Options{Hosts: []string{server.Addr}, Keyspace: keyspace, LocalDC: "atlantis"},
			backend.ErrSourceDown, "datacenter1",
		},
		"nobody listens": {cassandra.Options{Hosts: []string{"127.0.0.1:1"}}, backend.ErrSourceDown, "127.0.0.1:1"},
	} {
		t.Run(name, func(t *testing.T) {
			src, err := cassandra.Open(t.Context(), test.options)
			if err == nil {
				src.Close()
				t.Fatal("open succeeds")
			}
			if test.want != nil && !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("open gives %v, want %v and %q", err, test.want, test.says)
			}
		})
	}
	src, err := cassandra.Open(t.Context(), cassandra.Options{
		Hosts: []string{server.Addr}, Keyspace: keyspace, LocalDC: "datacenter1", Consistency: "local_quorum",
	})
	if err != nil {
		t.Fatalf("open with a data centre: %v", err)
	}
	src.Close()
}

func TestErrorsNameTheTable(t *testing.T) {
	server := testkit.Cassandra(t)
	keyspace := testkit.Keyspace(t, server.Addr)
	samples(t, testkit.Session(t, server.Addr, keyspace), backendtest.Samples()[:3])
	src := open(t, server.Addr, keyspace)
	_, err := src.Table(t.Context(), "sampels")
	if !errors.Is(err, backend.ErrNoTable) || !strings.Contains(err.Error(), "has samples") {
		t.Errorf("describe gives %v, want what tables there are", err)
	}
	table, err := src.Table(t.Context(), "samples")
	if err != nil {
		t.Fatalf("describe: %v", err)
	}
	gone := &backend.Table{Keyspace: keyspace, Name: "gone", Partition: table.Partition}
	_, err = src.Prepare(t.Context(), &backend.Select{Table: gone, Columns: []string{"data"}, Where: []string{"dataset"}})
	if !errors.Is(err, backend.ErrNoTable) || !errors.Is(err, backend.ErrSourceInvalid) {
		t.Errorf("prepare gives %v, want ErrNoTable and ErrSourceInvalid", err)
	}
	q := &backend.Select{Table: table, Columns: []string{"data"}, Where: []string{"dataset", "split", "shard", "idx"}}
	err = src.Load(t.Context(), q, []any{"suite", "train", int64(0), "three"}, nil, func(int, backend.Row) error { return io.EOF })
	if !errors.Is(err, backend.ErrSourceInvalid) || !strings.Contains(err.Error(), keyspace+".samples") {
		t.Errorf("load with a text for an int gives %v, want ErrSourceInvalid that names the table", err)
	}
	if err != nil && strings.Contains(err.Error(), "three") {
		t.Errorf("the error %v shows a value", err)
	}
}
