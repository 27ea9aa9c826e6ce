package e2e_test

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"forebay/internal/testkit"
)

const objectRoutes = `
  - name: whole
    key: "whole:{name}"
    object: {dataset: big, name: "{name}"}
    ttl: 1h
`

const keptRoutes = `
  - name: kept
    key: "kept:{idx:int}"
    table: samples
    where: {dataset: digits, split: test, shard: "{idx / 1024}", idx: "{idx}"}
    value: data
`

// storeObject has forebay load store an object of the given size and returns its bytes.
func storeObject(t testing.TB, addr, keyspace, name string, size int) []byte {
	t.Helper()
	b := make([]byte, size)
	for i, r := 0, rand.New(rand.NewPCG(1, uint64(size))); i+8 <= size; i += 8 {
		v := r.Uint64()
		for k := range 8 {
			b[i+k] = byte(v >> (8 * k))
		}
	}
	path := filepath.Join(t.TempDir(), name)
	must(t, os.WriteFile(path, b, 0o600))
	loadObject(t, addr, keyspace, "big", name, path)
	return b
}

// loadObject stores a file as an object by "forebay load".
func loadObject(t testing.TB, addr, keyspace, dataset, name, path string) {
	t.Helper()
	status, _, stderr := run(t, "load", "--source.cassandra.hosts="+addr, "--source.cassandra.keyspace="+keyspace,
		"--dataset="+dataset, "--object", "--name="+name, path)
	if status != 0 {
		t.Fatalf("forebay load ended with status %d:\n%s", status, stderr)
	}
}

// peak is the most memory that the process has had, in bytes.
func (f *forebay) peak(t testing.TB) int64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", f.process.Pid()))
	must(t, err)
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			must(t, err)
			return kb << 10
		}
	}
	t.Fatal("no VmHWM")
	return 0
}

// TestObjects reads a value of 47 MB by ten clients at once, cold and cached, and with Redis gone.
func TestObjects(t *testing.T) {
	// Not beside others: 47 MB ten times over are to be read within a budget.
	var want, mid, small []byte
	s := newStack(t, func(s *setup) {
		s.routes = objectRoutes
		want = storeObject(t, s.cassandra, s.keyspace, "big", 47<<20)
		mid = storeObject(t, s.cassandra, s.keyspace, "mid", 1<<20)
		small = storeObject(t, s.cassandra, s.keyspace, "small", 100_000)
	})
	sum := crc32.ChecksumIEEE(want)

	all := func(what string) {
		t.Helper()
		began := time.Now()
		done := make(chan error, 10)
		for range 10 {
			c := s.slowClient(t)
			go func() {
				b, err := c.Get(t.Context(), "whole:big").Bytes()
				if err == nil && (len(b) != len(want) || crc32.ChecksumIEEE(b) != sum) {
					err = fmt.Errorf("%d bytes, not those stored", len(b))
				}
				done <- err
			}()
		}
		for range 10 {
			if err := <-done; err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
		t.Logf("%-40s %8v, peak %3d MB", what, time.Since(began).Round(time.Millisecond), s.peak(t)>>20)
	}
	all("ten clients, 47 MB, cold")
	all("ten clients, 47 MB, cached")
	if peak := s.peak(t); peak > 300<<20 {
		t.Errorf("the process has had %d MB, want at most 300", peak>>20)
	}
	c := s.slowClient(t)
	if b, err := c.Get(t.Context(), "whole:small").Bytes(); err != nil || !bytes.Equal(b, small) {
		t.Errorf("small object: %d bytes, %v", len(b), err)
	}
	if n, err := c.StrLen(t.Context(), "whole:big").Result(); n != int64(len(want)) || err != nil {
		t.Errorf("strlen %d, %v", n, err)
	}
	must(t, c.Del(t.Context(), "whole:big").Err())
	if b, err := c.GetRange(t.Context(), "whole:big", 1<<20, 1<<20+9).Result(); err != nil || b != string(want[1<<20:1<<20+10]) {
		t.Errorf("getrange of a cold object: %q, %v", b, err)
	}
	if n, err := c.Eval(t.Context(), "return redis.call('STRLEN',KEYS[1])", []string{"whole:mid"}).Int(); n != len(mid) || err != nil {
		t.Errorf("a script with a cold object: %d, %v", n, err)
	}
	must(t, c.Del(t.Context(), "whole:mid").Err())
	cmds, err := c.TxPipelined(t.Context(), func(p goredis.Pipeliner) error {
		p.Get(t.Context(), "whole:small")
		p.Get(t.Context(), "whole:mid")
		p.GetRange(t.Context(), "whole:mid", 5, 9)
		return nil
	})
	if err != nil || cmds[1].(*goredis.StringCmd).Val() != string(mid) || cmds[2].(*goredis.StringCmd).Val() != string(mid[5:10]) {
		t.Errorf("a transaction with a cold object: %v", err)
	}
	if err := c.Get(t.Context(), "whole:none").Err(); !errors.Is(err, goredis.Nil) {
		t.Errorf("an object that is not there: %v", err)
	}
	if left := s.redis.Do(t, "KEYS", "*stage*"); fmt.Sprint(left) != "[]" {
		t.Errorf("stages are left: %v", left)
	}
	s.slowReader(t)
	s.redis.Stop()
	eventually(t, "Redis is known to be down", func() bool { return strings.Contains(s.get(t, "/healthz").body, `{"name":"redis","ok":false`) })
	all("ten clients, 47 MB, Redis down")
}

// A Redis that gives no new connections while an object is being stored cannot be asked for it on one of the client's own: it is read from Cassandra, which
// holds the same.
func TestObjectsWithoutConnections(t *testing.T) {
	var network, source *testkit.FaultProxy
	var want []byte
	s := newStack(t, func(s *setup) {
		want = storeObject(t, s.cassandra, s.keyspace, "late", 24<<20)
		network, source = testkit.NewFaultProxy(t, "tcp", s.redis), testkit.NewFaultProxy(t, "tcp", s.cassandra)
		s.redis, s.cassandra, s.routes = network.Addr, source.Addr, objectRoutes
	})
	source.Delay(50 * time.Millisecond) // so that it is seen while it is stored
	c := s.slowClient(t)
	var cold sync.WaitGroup
	cold.Go(func() { wantWhole(t, c, "whole:late", want) })
	cold.Go(func() {
		if b, err := c.GetRange(t.Context(), "whole:late", 1<<20, 1<<20+9).Result(); err != nil || b != string(want[1<<20:1<<20+10]) {
			t.Errorf("a part: %d bytes (%v)", len(b), err)
		}
	})
	coming := regexp.MustCompile(`qbuf=\d{6}`) // the beginning of a value of which Redis has not seen the end
	eventually(t, "it is being stored", func() bool { return coming.MatchString(fmt.Sprint(s.redis.Do(t, "CLIENT", "LIST"))) })
	network.Refuse()
	cold.Wait()
	wantWhole(t, c, "whole:late", want)
	if n := s.redis.Do(t, "EXISTS", "whole:late"); n != int64(1) {
		t.Error("it is not stored")
	}
	network.Restore()
	wantWhole(t, c, "whole:late", want)
}

// wantWhole wants an object to be read.
func wantWhole(t testing.TB, c *goredis.Client, key string, want []byte) {
	t.Helper()
	if b, err := c.Get(t.Context(), key).Bytes(); err != nil || !bytes.Equal(b, want) {
		t.Errorf("%s: %d bytes, want %d (%v)", key, len(b), len(want), err)
	}
}

// slowClient is a client that waits for a large reply on a busy machine.
func (f *forebay) slowClient(t testing.TB) *goredis.Client {
	c := goredis.NewClient(&goredis.Options{Addr: f.resp, Protocol: 2, MaxRetries: -1, ReadTimeout: time.Minute})
	t.Cleanup(func() { c.Close() })
	return c
}

// slowReader takes the object a little at a time: others must not notice.
func (s *stack) slowReader(t *testing.T) {
	t.Helper()
	c := s.client(t)
	must(t, c.Set(t.Context(), "little", "x", 0).Err())
	must(t, c.Get(t.Context(), "whole:small").Err())
	quick := func() (worst time.Duration) {
		for range 200 {
			began := time.Now()
			must(t, c.Get(t.Context(), "little").Err())
			worst = max(worst, time.Since(began))
		}
		return worst
	}
	idle := quick()
	nc, err := net.Dial("tcp", s.resp)
	must(t, err)
	defer nc.Close()
	_, err = io.WriteString(nc, "*2\r\n$3\r\nGET\r\n$9\r\nwhole:big\r\n")
	must(t, err)
	must(t, nc.SetReadDeadline(time.Now().Add(30*time.Second)))
	_, err = io.ReadFull(nc, make([]byte, 1<<20))
	must(t, err)
	t.Logf("slowest of 200 small GETs: %v idle, %v beside a reader of 47 MB that has stopped taking", idle, quick())
}

// TestSessionsEnd reads by two named clients; what only the ended one used is given back.
func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	s := newStack(t, func(s *setup) { s.routes = keptRoutes })
	a, b := named(t, s.forebay, "run-a"), named(t, s.forebay, "run-b")
	for i := range 100 {
		must(t, a.Get(t.Context(), fmt.Sprint("kept:", i)).Err())
	}
	for i := range 20 {
		must(t, b.Get(t.Context(), fmt.Sprint("kept:", i)).Err())
	}
	must(t, a.Set(t.Context(), "kept:50", "mine", 0).Err())
	must(t, a.Set(t.Context(), "own", "x", 0).Err())
	r, err := b.Do(t.Context(), "FOREBAY", "SESSION", "END", "run-a").Slice()
	if err != nil || len(r) != 4 || r[1] != int64(79) {
		t.Errorf("the end gives %v, %v; want 79 keys", r, err)
	}
	count := func(list ...int) (n int) {
		for _, i := range list {
			if s.redis.Do(t, "EXISTS", fmt.Sprint("kept:", i)) == int64(1) {
				n++
			}
		}
		return n
	}
	if count(0, 19) != 2 || count(20, 49, 99) != 0 || count(50) != 1 || s.redis.Do(t, "EXISTS", "own") != int64(1) {
		t.Errorf("left: shared %d of 2, its own %d of 0, rewritten %d of 1", count(0, 19), count(20, 49, 99), count(50))
	}
	if err := b.Do(t.Context(), "FOREBAY", "SESSION", "INFO", "nobody").Err(); err == nil {
		t.Error("a session that is not there has information")
	}
	list, err := b.Do(t.Context(), "FOREBAY", "SESSION", "LIST").Slice()
	if err != nil || len(list) == 0 {
		t.Errorf("sessions: %v, %v", list, err)
	}
}

func named(t testing.TB, f *forebay, name string) *goredis.Client {
	c := goredis.NewClient(&goredis.Options{Addr: f.resp, Protocol: 2, MaxRetries: -1, ClientName: name, PoolSize: 1, ReadTimeout: 30 * time.Second})
	t.Cleanup(func() { c.Close() })
	return c
}
