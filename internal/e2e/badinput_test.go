package e2e_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"forebay/internal/testkit"
)

const badRoutes = objectRoutes + keptRoutes + `
  - name: shaped
    key: "shaped:{idx:int}"
    table: samples
    where: {dataset: plain, split: test, shard: "{idx / 1024}", idx: "{idx}"}
    encode: {npy: {column: data, dtype: uint8, shape: [9, 9]}}
  - name: typed
    key: "typed:{idx:int}"
    table: samples
    where: {dataset: plain, split: test, shard: "{idx / 1024}", idx: "{idx}"}
    encode: {pickle: {image: {column: data, dtype: float64, shape: [3, -1]}}}
`

// TestBadInput asks a Forebay that holds the keys of a session for all that is wrong: each is one clear error, and afterwards nothing is lost or evicted.
func TestBadInput(t *testing.T) {
	t.Parallel()
	s := newStack(t, func(s *setup) {
		s.routes = badRoutes
		storeObject(t, s.cassandra, s.keyspace, "torn", 700_000)
	})
	delChunk := `DELETE FROM chunks WHERE dataset = 'big' AND name = 'torn' AND version = ? AND chunk = 1`
	db := testkit.Session(t, s.setup.cassandra, s.setup.keyspace)
	var version string
	must(t, db.Query(`SELECT version FROM objects WHERE dataset = 'big' AND name = 'torn'`).Scan(&version))
	must(t, db.Query(delChunk, version).Exec())
	s.redis.Do(t, "ACL", "SETUSER", "reader", "on", ">secret", "~*", "&*", "+@read", "+@connection")

	run := named(t, s.forebay, "run-bad")
	var keys []string
	for i := range 20 {
		keys = append(keys, fmt.Sprint("kept:", i))
		must(t, run.Get(t.Context(), keys[i]).Err())
	}
	reader := goredis.NewClient(&goredis.Options{Addr: s.resp, Protocol: 2, MaxRetries: -1, Username: "reader", Password: "secret"})
	defer reader.Close()
	c := s.client(t)
	long := strings.Repeat("x", 1<<20)
	for _, tt := range []struct {
		name   string
		client *goredis.Client
		args   []any
		want   string // of the error
	}{
		{"a name of control characters", c, []any{"CLIENT", "SETNAME", "run\x01\n\r\x7f"}, "ERR Client names cannot contain"},
		{"a name of 1 MB of them", c, []any{"CLIENT", "SETNAME", strings.Repeat("\x01", 1<<20)}, "ERR Client names cannot contain"},
		{"the end of a name of 1 MB", c, []any{"FOREBAY", "SESSION", "END", long}, "ERR "},
		{"the end of a name of control characters", c, []any{"FOREBAY", "SESSION", "END", "run\x01\n\r"}, "ERR "},
		{"what is known of a name of 1 MB", c, []any{"FOREBAY", "SESSION", "INFO", long}, "ERR "},
		{"another's session, without the right", reader, []any{"FOREBAY", "SESSION", "END", "run-bad"}, ""},
		{"more time for another's session, without the right", reader, []any{"FOREBAY", "SESSION", "EXTEND", "run-bad", "100"}, ""},
		{"a column that does not fit the shape", c, []any{"GET", "shaped:1"}, "column data: length 64 does not fit dtype |u1 and shape (9, 9)"},
		{"a column that does not fit the shape, among others", c, []any{"MGET", "kept:1", "shaped:1"}, "SOURCEINVALID "},
		{"a column that does not fit the dtype", c, []any{"GET", "typed:1"}, "column data: length 64 does not fit dtype <f8 and shape (3, -1)"},
		{"an object whose chunk is missing", c, []any{"GET", "whole:torn"}, "chunk 1 of 3 is missing"},
	} {
		err := tt.client.Do(t.Context(), tt.args...).Err()
		var reply goredis.Error
		if !errors.As(err, &reply) || !strings.Contains(err.Error(), tt.want) || len(err.Error()) > 400 {
			t.Errorf("%s: %.500v, want one error with %q", tt.name, err, tt.want)
			continue
		}
		t.Logf("%-50s %s", tt.name, err)
	}
	must(t, c.Do(t.Context(), "CLIENT", "SETNAME", long).Err()) // as Redis has it; it makes no session
	if list, err := c.Do(t.Context(), "FOREBAY", "SESSION", "LIST").Slice(); err != nil || len(list) != 1 || !strings.Contains(fmt.Sprint(list), "run-bad") {
		t.Errorf("the sessions are %.300v, %v", list, err)
	}
	for _, key := range keys {
		if s.redis.Do(t, "EXISTS", key) != int64(1) {
			t.Errorf("%s is lost", key)
		}
	}
	for _, key := range []string{"shaped:1", "typed:1", "whole:torn"} {
		if s.redis.Do(t, "EXISTS", key) != int64(0) {
			t.Errorf("%s is stored", key)
		}
	}
	if left := fmt.Sprint(s.redis.Do(t, "KEYS", "*stage*")); left != "[]" {
		t.Errorf("left: %s", left)
	}
	must(t, run.Get(t.Context(), keys[0]).Err())
	events := s.end(t)
	events.wantWhole(t)
	if n := len(events.of("evict")); n != 0 {
		t.Errorf("%d keys were evicted", n)
	}
	for _, e := range tellings(t, events, "session") {
		if e.Reason != "opened" {
			t.Errorf("a session was %s: %+v", e.Reason, e)
		}
	}
}

// TestLyingFilesAreNotLoaded has forebay load refuse an IDX file that has fewer bytes than it says, and write nothing.
func TestLyingFilesAreNotLoaded(t *testing.T) {
	t.Parallel()
	addr := testkit.Cassandra(t).Addr
	keyspace := freshKeyspace(t, addr)
	lying := []byte{0, 0, 8, 3, 0, 0, 0xea, 0x60, 0, 0, 0, 28, 0, 0, 0, 28} // 60,000 images of 28×28 bytes
	path := filepath.Join(t.TempDir(), "train-images-idx3-ubyte")
	must(t, os.WriteFile(path, append(lying, "far from 47 MB"...), 0o600))
	for _, how := range [][]string{{"--split=train"}, {"--object", "--raw", "--name=x"}} {
		status, stdout, stderr := run(t, append([]string{
			"load", "--source.cassandra.hosts=" + addr, "--source.cassandra.keyspace=" + keyspace, "--dataset=lies", path,
		}, how...)...)
		if status != 1 || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, path) || !strings.Contains(stderr, "takes 47040000 bytes, there are 14") {
			t.Errorf("%v: status %d, %q, %q", how, status, stdout, stderr)
		}
	}
	var tables int
	must(t, testkit.Session(t, addr, "").Query(`SELECT COUNT(*) FROM system_schema.tables WHERE keyspace_name = ?`, keyspace).Scan(&tables))
	if tables != 0 {
		t.Errorf("%d tables were made", tables)
	}
}
