package proxy_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"forebay/backend"
	"forebay/internal/testkit"
)

// unheard is a store on whose connection nothing is heard of what is to be dropped, while clients' own connections are up.
type unheard struct {
	backend.Store
	off *atomic.Bool
}

func (u unheard) Drop(ctx context.Context, db int, keys [][]byte, areas []string) error {
	if u.off.Load() {
		return fmt.Errorf("drop leases: %w: EOF", backend.ErrStoreDown)
	}
	return u.Store.Drop(ctx, db, keys, areas)
}

func (u unheard) DropAll(ctx context.Context, dbs []int) error {
	if u.off.Load() {
		return fmt.Errorf("drop leases: %w: EOF", backend.ErrStoreDown)
	}
	return u.Store.DropAll(ctx, dbs)
}

// A write is not done when Redis has not said that the leases of its keys are gone (cache.Engine.Fence).
func TestAWriteIsNotForwardedBeforeItsLeasesAreGone(t *testing.T) {
	var off atomic.Bool
	f := start(t, options{wrap: func(f *front) backend.Store { return unheard{f.store, &off} }})
	f.source.set(1, "row")
	const queued = "+OK\r\n+QUEUED\r\n"
	tests := []struct{ name, command, want string }{
		{"SET", frame("SET", "t:1", "new"), "-REDISDOWN "},
		{"DEL", frame("DEL", "t:1"), "-REDISDOWN "},
		{"a value that is streamed", frame("SET", "t:1", strings.Repeat("x", 300<<10)), "-REDISDOWN "},
		{"a script that declares nothing", frame("EVAL", "return redis.call('DEL','t:1')", "0"), "-REDISDOWN "},
		{"GETDEL, which is a read", frame("GETDEL", "t:1"), bulk("row")},
		{"a transaction", frames("MULTI", "DEL t:1", "EXEC"), queued + "-EXECABORT Transaction discarded: REDISDOWN "},
		{"a transaction that watches", frames("WATCH t:2", "MULTI", "DEL t:1", "EXEC"), "+OK\r\n" + queued + "-EXECABORT Transaction discarded: REDISDOWN "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f.redis.Do(t, "SET", "t:1", "old")
			c := dial(t, f.addr)
			off.Store(true)
			c.send(tt.command)
			got := ""
			for len(got) < len(tt.want) {
				got += c.reply()
			}
			if !strings.HasPrefix(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			c.do("+OK\r\n"+bulk("old")+bulk("value-5"), "SET plain x", "GET t:1", "GETDEL t:5") // which is answered by the source
			off.Store(false)
			c.do("+OK\r\n:1\r\n", "SET t:1 new", "DEL t:1")
		})
	}
}

// A large value is only queued in a transaction: it is done with the others, or none of them is.
func TestALargeWriteIsQueuedWhoeverHoldsItsLease(t *testing.T) {
	var off atomic.Bool
	f := start(t, options{wrap: func(f *front) backend.Store { return unheard{f.store, &off} }})
	for _, heard := range []bool{true, false} {
		t.Run(fmt.Sprintf("redis is heard again: %t", heard), func(t *testing.T) {
			f.redis.Do(t, "DEL", "t:1", "t:2")
			c := dial(t, f.addr)
			c.do("+OK\r\n", "MULTI")
			c.do("+QUEUED\r\n", "SET t:2 x")
			off.Store(true)
			c.send(frame("SET", "t:1", strings.Repeat("x", 300<<10)))
			c.expect("+QUEUED\r\n")
			off.Store(!heard)
			c.send(frames("EXEC"))
			want, done := "-EXECABORT Transaction discarded: REDISDOWN ", int64(0)
			if heard {
				want, done = "*2\r\n+OK\r\n+OK\r\n", 2
			}
			if got := c.reply(); !strings.HasPrefix(got, want) {
				t.Errorf("EXEC: %.200q, want %q", got, want)
			}
			if n := f.redis.Do(t, "EXISTS", "t:1", "t:2"); n != done {
				t.Errorf("%v of 2 writes are done, want %d", n, done)
			}
			off.Store(false)
		})
	}
}

// refuses is a store that takes no writes while leases are to be dropped, and does again when the client's write comes.
type refuses struct {
	backend.Store
	redis *testkit.RedisServer
	t     *testing.T
}

func (r refuses) Drop(ctx context.Context, db int, keys [][]byte, areas []string) error {
	r.redis.Do(r.t, "CONFIG", "SET", "min-replicas-to-write", "1")
	defer r.redis.Do(r.t, "CONFIG", "SET", "min-replicas-to-write", "0")
	return r.Store.Drop(ctx, db, keys, areas)
}

// A write is not done either when Redis has refused to drop its leases: it may refuse no more when the write comes, and another's fill after it fits its lease.
func TestAWriteWhoseLeasesCannotBeDroppedIsRefused(t *testing.T) {
	f := start(t, options{wrap: func(f *front) backend.Store { return refuses{f.store, f.redis, t} }})
	key := []byte("t:1")
	grants, err := f.store.Acquire(t.Context(), 0, time.Minute, []backend.Ask{{Key: key}})
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, f.addr)
	const refusal = "NOREPLICAS Not enough good replicas to write.\r\n"
	for name, tt := range map[string]struct{ send, want string }{
		"DEL":           {frames("DEL t:1"), "-" + refusal},
		"GETDEL":        {frames("GETDEL t:1"), "-" + refusal},
		"a transaction": {frames("MULTI", "DEL t:1", "EXEC"), "+OK\r\n+QUEUED\r\n-EXECABORT Transaction discarded: " + refusal},
	} {
		t.Run(name, func(t *testing.T) {
			c.send(tt.send)
			c.expect(tt.want)
		})
	}
	_, _, err = f.store.Settle(t.Context(), 0, []backend.Entry{{Key: key, Lease: grants[0].Lease, Value: []byte("old"), TTL: time.Hour}})
	if err != nil || f.redis.Do(t, "GET", "t:1") != "old" {
		t.Errorf("what no write has come to is not stored: %v", err)
	}
}
