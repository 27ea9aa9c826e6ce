package e2e_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
	"sync"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"forebay/internal/testkit"
)

// rows is a table of tagged values in a Cassandra: each value says of which row and of which version it is, so that a wrong one shows itself. It counts
// what readers may get: at least the version that they have been told of before they ask, at most the last that was written.
type rows struct {
	server          *testkit.CassandraServer
	keyspace, table string
	exec            func(statement string, args ...any) error

	mu    sync.Mutex
	floor map[int]int // above 1 only
	most  map[int]int // above 1 only
}

const (
	// perPartition is how many rows a partition of rows has.
	perPartition = 64
	// taggedSize is the bytes of a tagged value.
	taggedSize = 200
)

// newRows makes a table with n rows of version 1; order is ASC or DESC, that of clustering.
func newRows(t testing.TB, server *testkit.CassandraServer, keyspace, order string, n int) *rows {
	t.Helper()
	db := testkit.Session(t, server.Addr, keyspace)
	r := &rows{
		server: server, keyspace: keyspace, table: "tagged_" + strings.ToLower(rand.Text()[:12]),
		exec:  func(statement string, args ...any) error { return db.Query(statement, args...).Exec() },
		floor: map[int]int{}, most: map[int]int{},
	}
	must(t, r.exec("CREATE TABLE "+r.table+" (part bigint, idx bigint, data blob, crc32c bigint, PRIMARY KEY (part, idx)) WITH CLUSTERING ORDER BY (idx "+order+")"))
	for from := 0; from < n; from += perPartition {
		batch, args := "BEGIN UNLOGGED BATCH", []any(nil)
		for i := from; i < min(from+perPartition, n); i++ {
			batch += " INSERT INTO " + r.table + " (part, idx, data, crc32c) VALUES (?, ?, ?, ?)"
			args = append(args, int64(i/perPartition), int64(i), []byte(tag(i, 1)), checksum(tag(i, 1)))
		}
		must(t, r.exec(batch+" APPLY BATCH", args...))
	}
	return r
}

// tag is the value of a row's version.
func tag(i, version int) string {
	v := fmt.Sprintf("tagged:%d@%d|", i, version)
	return v + strings.Repeat(".", taggedSize-len(v))
}

func taggedKey(i int) string { return "tagged:" + strconv.Itoa(i) }

func checksum(data string) int64 {
	return int64(crc32.Checksum([]byte(data), crc32.MakeTable(crc32.Castagnoli)))
}

// routes serves the rows as tagged:<i>, with further lines for the route.
func (r *rows) routes(more ...string) string {
	text := fmt.Sprintf(`
  - name: tagged
    key: "tagged:{idx:int}"
    table: %s
    where: {part: "{idx / %d}", idx: "{idx}"}
    value: data
`, r.table, perPartition)
	for _, line := range more {
		text += "    " + line + "\n"
	}
	return text
}

// put stores a row's data, with its right checksum.
func (r *rows) put(i int, data string) error { return r.putWith(i, data, checksum(data)) }

func (r *rows) putWith(i int, data string, sum int64) error {
	return r.exec("INSERT INTO "+r.table+" (part, idx, data, crc32c) VALUES (?, ?, ?, ?)", int64(i/perPartition), int64(i), []byte(data), sum)
}

// write stores the next version of a row, and returns it. Readers may see it from now on; told says when they must.
func (r *rows) write(i int) (version int, err error) {
	r.mu.Lock()
	version = max(r.most[i], 1) + 1
	r.most[i] = version
	r.mu.Unlock()
	return version, r.put(i, tag(i, version))
}

// told is called when whoever asks from now on must see the version or a later one.
func (r *rows) told(i, version int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.floor[i] = max(r.floor[i], version)
}

// reads is the queries of the table by Cassandra's own count.
func (r *rows) reads(t testing.TB) int64 {
	t.Helper()
	return r.server.ReadCount(t, r.keyspace, r.table)
}

// question is a command, and what its reply must be. A nil judge takes every reply.
type question struct {
	args  []any
	judge func(reply any) error
}

// get asks for rows by GET or MGET. It must be asked at once: the versions that its reply may have are at least those of now.
func (r *rows) get(idx ...int) question {
	q := question{args: []any{"GET"}}
	if len(idx) > 1 {
		q.args[0] = "MGET"
	}
	floors := make([]int, len(idx))
	r.mu.Lock()
	for n, i := range idx {
		floors[n] = max(r.floor[i], 1)
	}
	r.mu.Unlock()
	for _, i := range idx {
		q.args = append(q.args, taggedKey(i))
	}
	q.judge = func(reply any) error {
		list, many := reply.([]any)
		if !many {
			list = []any{reply}
		}
		if len(list) != len(idx) {
			return fmt.Errorf("%d values for %d keys", len(list), len(idx))
		}
		var errs []error
		for n, i := range idx {
			errs = append(errs, r.right(i, floors[n], list[n]))
		}
		return errors.Join(errs...)
	}
	return q
}

// right is nil if the value is one of row i, of a version that is at least floor and has been written.
func (r *rows) right(i, floor int, value any) error {
	text, ok := value.(string)
	if !ok {
		return fmt.Errorf("row %d: %v", i, value)
	}
	var got, version int
	if _, err := fmt.Sscanf(text, "tagged:%d@%d|", &got, &version); err != nil || got != i || text != tag(i, version) {
		return fmt.Errorf("row %d: %.60q", i, text)
	}
	r.mu.Lock()
	most := max(r.most[i], 1)
	r.mu.Unlock()
	if version < floor || version > most {
		return fmt.Errorf("row %d has version %d, want %d to %d", i, version, floor, most)
	}
	return nil
}

// wantCacheRight wants every value that Redis holds to be right now.
func (r *rows) wantCacheRight(t testing.TB, redis *testkit.RedisServer, n int) (held int) {
	t.Helper()
	client := redis.Client()
	defer client.Close()
	pipe := client.Pipeline()
	cmds := make([]*goredis.StringCmd, n)
	for i := range n {
		cmds[i] = pipe.Get(t.Context(), taggedKey(i))
	}
	if _, err := pipe.Exec(t.Context()); err != nil && !errors.Is(err, goredis.Nil) {
		t.Fatal(err)
	}
	for i, cmd := range cmds {
		value, err := cmd.Result()
		if errors.Is(err, goredis.Nil) {
			continue
		}
		held++
		r.mu.Lock()
		floor := max(r.floor[i], 1)
		r.mu.Unlock()
		if err := r.right(i, floor, value); err != nil {
			t.Errorf("redis holds a wrong value: %v", err)
		}
	}
	return held
}
