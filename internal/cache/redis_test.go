package cache_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"forebay/backend"
	"forebay/backend/redis"
	"forebay/internal/cache"
	"forebay/internal/event"
	"forebay/internal/testkit"
)

// openStore is a client of a Redis that answers; it is closed after the test.
func openStore(t *testing.T, server *testkit.RedisServer) *redis.Client {
	t.Helper()
	client := redis.Open(redis.Options{Network: server.Network, Addr: server.Addr, Timeout: storeBudget})
	t.Cleanup(client.Close)
	testkit.Soon(t, "redis is up", client.Up)
	return client
}

// onRedis is an engine between a real Redis and the fake source.
func onRedis(t *testing.T, change ...func(*cache.Options)) (*fixture, *testkit.RedisServer) {
	t.Helper()
	server := testkit.Redis(t)
	client := openStore(t, server)
	f := newFixture(t, append([]func(*cache.Options){func(o *cache.Options) { o.Store = client }}, change...)...)
	f.store = nil
	return f, server
}

// meanwhile reads keys and does something while their rows are on their way.
func (f *fixture) meanwhile(t *testing.T, do func(), keys ...string) []cache.Result {
	t.Helper()
	g := newGate("query")
	f.source.after = every(g)
	results := make(chan []cache.Result, 1)
	go func() { results <- f.read(keys...) }()
	testkit.Soon(t, "the query is under way", g.reached)
	do()
	close(g.open)
	return <-results
}

func TestRedisHoldsWhatWasLoaded(t *testing.T) {
	f, server := onRedis(t)
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	values := map[int]string{1: string(all), 2: "", 3: strings.Repeat("x", 300<<10)}
	var keys []string
	for id := range 4 {
		keys = append(keys, fmt.Sprint("t:1:", id))
		if v, ok := values[id]; ok {
			f.source.set(1, id, v)
		}
	}
	for _, cached := range []bool{false, true} {
		for id, r := range f.read(keys...) {
			want, ok := values[id]
			if r.Err != nil || (r.Value != nil) != ok || !bytes.Equal(r.Value, []byte(want)) || ok && r.Cached != cached {
				t.Errorf("key %d: %d bytes, nil is %t, cached is %t, error %v", id, len(r.Value), r.Value == nil, r.Cached, r.Err)
			}
		}
	}
	for id, v := range values {
		if got := server.Do(t, "get", fmt.Sprint("t:1:", id)); got != v {
			t.Errorf("redis holds something else for key %d", id)
		}
		left := time.Duration(server.Do(t, "pttl", fmt.Sprint("t:1:", id)).(int64)) * time.Millisecond
		if left < ttl-ttl/10-time.Minute || left > ttl {
			t.Errorf("key %d lives %v", id, left)
		}
	}
	if got := server.Do(t, "exists", "t:1:0"); got != int64(0) {
		t.Error("an absent row was stored")
	}
}

func TestRedisKeepsDatabasesApart(t *testing.T) {
	f, server := onRedis(t)
	f.source.set(1, 1, "v1")
	server.Do(t, "set", "t:1:1", "of database 0")
	wantResults(t, f.engine.Read(t.Context(), 3, f.wants(3, "t:1:1"), cache.Mode{}), "v1")
	wantResults(t, f.read("t:1:1"), "of database 0*")
	if got := server.Do(t, "get", "t:1:1"); got != "of database 0" {
		t.Errorf("database 0 holds %v", got)
	}
}

func TestRedisRefuses(t *testing.T) {
	t.Run("because the key was written meanwhile", func(t *testing.T) {
		f, server := onRedis(t)
		f.source.set(1, 1, "v1")
		got := f.meanwhile(t, func() { server.Do(t, "set", "t:1:1", "written") }, "t:1:1")
		wantResults(t, got, "written*")
		if got := server.Do(t, "pttl", "t:1:1"); got != int64(-1) {
			t.Errorf("the written value has the TTL %v, want none", got)
		}
	})
	t.Run("because the key is a list by now", func(t *testing.T) {
		f, server := onRedis(t)
		f.source.set(1, 1, "v1")
		f.source.set(1, 2, "v2")
		got := f.meanwhile(t, func() { server.Do(t, "rpush", "t:1:1", "written") }, "t:1:1", "t:1:2")
		if got[0].Err == nil || !strings.Contains(got[0].Err.Error(), "WRONGTYPE") {
			t.Errorf("got %s, want WRONGTYPE", show(got[0]))
		}
		wantResults(t, got[1:], "v2")
	})
	t.Run("because memory is full", func(t *testing.T) {
		f, server := onRedis(t)
		f.source.set(1, 1, "v1")
		server.Do(t, "config", "set", "maxmemory", "1")
		wantResults(t, f.read("t:1:1"), "v1")
		fills := f.events.of(event.Fill)
		if len(fills) != 1 || !strings.Contains(fills[0].Error, "OOM") {
			t.Errorf("fill events: %+v, want one with OOM", fills)
		}
		server.Do(t, "config", "set", "maxmemory", "0")
		wantResults(t, f.read("t:1:1"), "v1")
		wantResults(t, f.read("t:1:1"), "v1*")
	})
}

func TestRedisGoesAndComesBack(t *testing.T) {
	var store interface{ Up() bool }
	f, server := onRedis(t, func(o *cache.Options) { store = o.Store })
	f.source.set(1, 1, "v1")
	f.source.set(1, 2, "v2")
	wantResults(t, f.read("t:1:1"), "v1")
	server.Kill()
	wantResults(t, f.read("t:1:1", "t:1:2", "t:1:3"), "v1", "v2", "nil")
	testkit.Soon(t, "redis is known to be down", func() bool { return !store.Up() })
	wantResults(t, f.read("t:1:1", "t:1:2", "t:1:3"), "v1", "v2", "nil")
	server.Start()
	testkit.Soon(t, "redis is up again", store.Up)
	wantResults(t, f.read("t:1:1"), "v1")
	wantResults(t, f.read("t:1:1"), "v1*")
}

// A Redis that hangs costs its share of the budget, once for the look; a fence waits no longer than for one fill.
func TestRedisHangs(t *testing.T) {
	f, server := onRedis(t)
	f.source.set(1, 1, "v1")
	begun := time.Now()
	server.Pause()
	wantResults(t, f.read("t:1:1"), "v1")
	if d := time.Since(begun); d > budget {
		t.Errorf("the read took %v", d)
	}
	server.Resume()

	f, server = onRedis(t)
	f.source.set(1, 1, "v1")
	g := newGate("query")
	f.source.after = every(g)
	done := make(chan []cache.Result, 1)
	go func() { done <- f.read("t:1:1") }()
	testkit.Soon(t, "the query is under way", g.reached)
	server.Pause()
	close(g.open)
	testkit.Soon(t, "the value is loaded", func() bool { return len(f.events.of(event.Load)) > 0 })
	begun = time.Now()
	err := f.engine.Fence(0, []byte("t:1:1"))
	if d := time.Since(begun); !errors.Is(err, backend.ErrStoreDown) || d > budget+storeBudget {
		t.Errorf("the fence took %v: %v", d, err)
	}
	server.Resume()
	wantResults(t, <-done, "v1")
}

// Readers and a writer that updates the source, fences and deletes: in the end everybody sees the last version, and on the way nobody one that
// was over when he began.
func TestRedisReadersAndAWriter(t *testing.T) {
	f, server := onRedis(t)
	client := server.Client()
	defer client.Close()
	const writes, readers = 200, 6
	var mu sync.Mutex
	done := 0 // the last version that is written to the end
	f.source.set(1, 1, "0")
	floor := func() int {
		mu.Lock()
		defer mu.Unlock()
		return done
	}
	over := make(chan struct{})
	var wg sync.WaitGroup
	for range readers {
		wg.Go(func() {
			for !closed(over) {
				least, version := floor(), -1
				v, err := client.Get(t.Context(), "t:1:1").Result()
				if err != nil { // absent
					r := f.read("t:1:1")[0]
					if r.Err != nil && cause(r.Err) != "contended" {
						t.Errorf("read: %v", r.Err)
					}
					if r.Err != nil {
						continue
					}
					v = string(r.Value)
				}
				if _, err := fmt.Sscan(v, &version); err != nil || version < least {
					t.Errorf("read version %q, %d was written", v, least)
				}
			}
		})
	}
	for n := 1; n <= writes; n++ {
		f.source.set(1, 1, fmt.Sprint(n))
		f.engine.Fence(0, []byte("t:1:1"))
		if err := client.Del(t.Context(), "t:1:1").Err(); err != nil {
			t.Error(err)
		}
		mu.Lock()
		done = n
		mu.Unlock()
	}
	close(over)
	wg.Wait()
	if got := strings.TrimSuffix(show(f.read("t:1:1")[0]), "*"); got != fmt.Sprint(writes) {
		t.Errorf("the last version is %s, want %d", got, writes)
	}
}

// A thousand readers of one cold key are one query.
func TestRedisOneColdKey(t *testing.T) {
	f, _ := onRedis(t)
	f.source.set(1, 1, "v1")
	g := newGate("query")
	f.source.before = every(g)
	const readers = 1000
	var wg sync.WaitGroup
	for range readers {
		wg.Go(func() {
			if r := f.read("t:1:1")[0]; string(r.Value) != "v1" {
				t.Errorf("got %s", show(r))
			}
		})
	}
	testkit.Soon(t, "all readers wait", func() bool { return f.engine.Coalesced() == readers-1 })
	close(g.open)
	wg.Wait()
	if n := len(f.source.asked()); n != 1 {
		t.Errorf("%d queries, want 1", n)
	}
}
