package testkit_test

import (
	"testing"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"forebay/internal/testkit"
)

func table(t *testing.T, addr string) (*gocql.Session, string) {
	t.Helper()
	ks := testkit.Keyspace(t, addr)
	s := testkit.Session(t, addr, ks)
	run(t, s, "CREATE TABLE t (p int, c int, v blob, PRIMARY KEY (p, c))")
	for p := range 4 {
		for c := range 5 {
			run(t, s, "INSERT INTO t (p, c, v) VALUES (?, ?, ?)", p, c, []byte("v"))
		}
	}
	return s, ks
}

func run(t *testing.T, s *gocql.Session, cql string, args ...any) {
	t.Helper()
	if err := s.Query(cql, args...).Exec(); err != nil {
		t.Fatalf("%s: %v", cql, err)
	}
}

func TestCassandraReadCountIsExact(t *testing.T) {
	server := testkit.Cassandra(t)
	s, ks := table(t, server.Addr)
	total := server.ReadCount(t, ks, "t")
	if total != 0 {
		t.Fatalf("a table never read has count %d", total)
	}
	for _, tt := range []struct {
		cql   string
		times int
		want  int64
	}{
		{"SELECT v FROM t WHERE p = 1 AND c = 1", 1, 1},
		{"SELECT v FROM t WHERE p = 1 AND c = 77", 1, 1},
		{"SELECT v FROM t WHERE p = 99 AND c = 1", 1, 1},
		{"SELECT v FROM t WHERE p = 1 AND c IN (1, 2, 3)", 1, 1},
		{"SELECT v FROM t WHERE p = 1", 1, 1},
		{"SELECT v FROM t WHERE p IN (1, 2, 3)", 1, 3},
		{"SELECT v FROM t", 1, 0},
		{"SELECT v FROM t WHERE p = 2 AND c = 2", 500, 500},
	} {
		for range tt.times {
			run(t, s, tt.cql)
		}
		now := server.ReadCount(t, ks, "t")
		if now-total != tt.want {
			t.Errorf("%d times %s: counted %d, want %d", tt.times, tt.cql, now-total, tt.want)
		}
		total = now
	}
}

func TestCassandraKeyspaceIsDropped(t *testing.T) {
	server := testkit.Cassandra(t)
	var ks string
	t.Run("use", func(t *testing.T) { _, ks = table(t, server.Addr) })
	var n int
	err := testkit.Session(t, server.Addr, "").Query(
		"SELECT count(*) FROM system_schema.keyspaces WHERE keyspace_name = ?", ks).Scan(&n)
	if err != nil || n != 0 {
		t.Errorf("keyspace %q: %d left, %v", ks, n, err)
	}
}

func TestNewCassandraKeepsDataOverKill(t *testing.T) {
	t.Parallel() // it mostly waits
	server := testkit.NewCassandra(t)
	s, ks := table(t, server.Addr)
	s.Close()
	server.Kill()
	server.Start()
	server.Pause()
	server.Resume()
	var v []byte
	err := testkit.Session(t, server.Addr, ks).Query("SELECT v FROM t WHERE p = 1 AND c = 1").Scan(&v)
	if err != nil || string(v) != "v" {
		t.Errorf("after kill and start: %q, %v", v, err)
	}
}
