package proxy_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"forebay/backend"
	"forebay/backend/redis/wire"
)

// deafTracker says that Redis tells every change, and tells none: what keeps the near copy right are the front's own fences alone.
type deafTracker struct{ f backend.Follower }

func (d *deafTracker) Track(f backend.Follower) {
	d.f = f
	f.Tracking(wire.Now())
	f.Alive(wire.Now() + int64(time.Hour))
}

func (d *deafTracker) AskTTL(_ int, _ []byte, ticket uint64) bool {
	d.f.TTL(ticket, wire.Now(), backend.NoExpiry)
	return true
}

func (d *deafTracker) Close() {}

// warm reads a key until it is answered from the near copy.
func (f *front) warm(t testing.TB, c *client, keys ...string) {
	t.Helper()
	for _, key := range keys {
		before := f.near.Stats().Hits
		eventually(t, key+" is near", func() bool {
			c.send(frame("GET", key))
			c.reply()
			return f.near.Stats().Hits > before
		})
	}
}

func TestNearHitsAreAnsweredInTheirTurn(t *testing.T) {
	f := start(t, options{tracker: &deafTracker{}})
	c := dial(t, f.addr)
	f.warm(t, c, "t:1", "t:2")
	// What a hit is shows when Redis has something else: nothing has told the copy.
	f.redis.Do(t, "SET", "t:1", "changed")
	near, now := bulk("value-1"), bulk("changed")
	c.do(near, "GET t:1")
	c.do("+PONG\r\n"+near+"+OK\r\n"+near+bulk("x")+near+"$-1\r\n", "PING", "GET t:1", "SET a x", "GET t:1", "GET a", "GET t:1", "GET none")
	c.do("*2\r\n"+near+bulk("value-2"), "MGET t:1 t:2")
	c.do("*3\r\n"+bulk("value-2")+now+bulk("x"), "MGET t:2 t:1 a") // one is not near: Redis is asked for all
	c.do(":7\r\n"+bulk("an"), "STRLEN t:1", "GETRANGE t:1 2 3")

	own := dial(t, f.addr) // Redis must see what it reads: it tracks
	own.send(frames("HELLO 3", "CLIENT TRACKING ON"))
	own.reply()
	own.expect("+OK\r\n")
	own.do(now, "GET t:1")

	eventually(t, "events of near hits", func() bool {
		n := 0
		f.lines.mu.Lock()
		defer f.lines.mu.Unlock()
		for _, m := range f.lines.all {
			if m["kind"] == "hit" && m["origin"] == "near" && m["key"] == "t:1" && m["bytes"] == 7.0 && m["route"] == "t" {
				n++
			}
		}
		return n >= 5
	})
}

// A client sees its own writes, and those that others have been told are done, though Redis's word of them has not come.
func TestNearCopySeesWritesAtOnce(t *testing.T) {
	big := strings.Repeat("b", 300<<10)
	tests := []struct {
		name  string
		write string
		want  string // of GET t:1 afterwards
		reply string // "" takes any
	}{
		{"SET", frame("SET", "t:1", "new"), bulk("new"), "+OK\r\n"},
		{"SET of a large value", frame("SET", "t:1", big), bulk(big), "+OK\r\n"},
		{"MSET", frame("MSET", "a", "1", "t:1", "new"), bulk("new"), "+OK\r\n"},
		{"APPEND", frame("APPEND", "t:1", "+"), bulk("value-1+"), ":8\r\n"},
		{"SETRANGE", frame("SETRANGE", "t:1", "0", "V"), bulk("Value-1"), ":7\r\n"},
		{"DEL", frame("DEL", "t:1"), bulk("row"), ":1\r\n"},
		{"GETDEL", frame("GETDEL", "t:1"), bulk("row"), bulk("value-1")},
		{"RENAME", frame("SET", "a", "other") + frame("RENAME", "a", "t:1"), bulk("other"), "+OK\r\n+OK\r\n"},
		{"FLUSHALL", frame("FLUSHALL"), bulk("row"), "+OK\r\n"},
		{"SWAPDB", frame("SWAPDB", "0", "5"), bulk("row"), "+OK\r\n"},
		{"a script that declares it", frame("EVAL", "return redis.call('SET',KEYS[1],'s')", "1", "t:1"), bulk("s"), "+OK\r\n"},
		{"a script that declares nothing", frame("EVAL", "return redis.call('SET','t:1','s')", "0"), bulk("s"), "+OK\r\n"},
		{"an unknown command's error", frame("NEWER", "t:1"), bulk("value-1"), ""},
		{
			"a transaction", frames("MULTI", "SET t:1 tx", "EXEC"), bulk("tx"),
			"+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n",
		},
		{
			"a transaction on a connection of its own", frames("WATCH t:1", "MULTI", "SET t:1 tx", "EXEC"), bulk("tx"),
			"+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := start(t, options{tracker: &deafTracker{}})
			writer, other := dial(t, f.addr), dial(t, f.addr)
			f.warm(t, other, "t:1")
			f.source.set(1, "row")
			if tt.reply != "" {
				writer.send(tt.write + frame("GET", "t:1")) // in one pipeline
				writer.expect(tt.reply + tt.want)
			} else {
				writer.send(tt.write)
				writer.reply()
			}
			other.do(tt.want, "GET t:1")
			if s := f.near.Stats(); !s.Valid {
				t.Errorf("the near copy is not valid: %+v", s)
			}
			f.warm(t, other, "t:1", "t:2") // no fence is left
		})
	}
}

// leaseless is a store where the leases of what is written are gone at once: a write may be forwarded though Redis takes none.
type leaseless struct{ backend.Store }

func (leaseless) Drop(context.Context, int, [][]byte, []string) error { return nil }

// While a write is under way, nobody is answered from the near copy; whoever leaves before its reply leaves no fence behind.
func TestNearCopyWhileAWriteIsUnderWay(t *testing.T) {
	f := start(t, options{tracker: &deafTracker{}, wrap: func(f *front) backend.Store { return leaseless{f.store} }})
	writer, other := dial(t, f.addr), dial(t, f.addr)
	f.warm(t, other, "t:1")
	f.redis.Do(t, "CLIENT", "PAUSE", "60000", "WRITE")
	writer.send(frame("SET", "t:1", "new"))
	misses := f.near.Stats().Misses
	eventually(t, "the key is fenced", func() bool {
		other.do(bulk("value-1"), "GET t:1") // of Redis: the write is not done
		return f.near.Stats().Misses > misses
	})
	hits := f.near.Stats().Hits
	other.do(bulk("value-1"), "GET t:1")
	if n := f.near.Stats().Hits; n != hits {
		t.Errorf("%d hits of a key that is being written", n-hits)
	}
	writer.nc.Close()
	f.redis.Do(t, "CLIENT", "UNPAUSE")
	eventually(t, "the write is done", func() bool {
		other.send(frame("GET", "t:1"))
		return other.reply() == bulk("new")
	})
	f.warm(t, other, "t:1")
	other.do(bulk("new"), "GET t:1")
}

// A user that may not read every key is never answered from memory.
func TestNearCopyAsksForRights(t *testing.T) {
	f := start(t, options{tracker: &deafTracker{}})
	f.redis.Do(t, "ACL", "SETUSER", "u", "on", ">p", "+@all", "~other:*")
	c := dial(t, f.addr)
	f.warm(t, c, "t:1")
	c.do("+OK\r\n", "AUTH u p")
	c.send(frame("GET", "t:1"))
	if got := c.reply(); !strings.HasPrefix(got, "-NOPERM") {
		t.Errorf("got %q", got)
	}
}

// Databases are told apart.
func TestNearCopyOfADatabase(t *testing.T) {
	f := start(t, options{tracker: &deafTracker{}})
	c := dial(t, f.addr)
	f.warm(t, c, "t:1")
	c.do("+OK\r\n$-1\r\n", "SELECT 1", "GET t:1")
	c.do("+OK\r\n"+bulk("one")+"+OK\r\n"+bulk("value-1"), "SET t:1 one", "GET t:1", "SELECT 0", "GET t:1")
}

// An MGET of many near values is bounded, and whole.
func TestNearMGet(t *testing.T) {
	f := start(t, options{tracker: &deafTracker{}})
	c := dial(t, f.addr)
	var keys []string
	want := "*64\r\n"
	for i := range 64 {
		keys = append(keys, fmt.Sprintf("t:%d", i))
		want += bulk(fmt.Sprintf("value-%d", i))
	}
	f.warm(t, c, keys...)
	f.redis.Do(t, "FLUSHALL")
	queries := f.source.queries.Load()
	c.do(want, "MGET "+strings.Join(keys, " "))
	if n := f.source.queries.Load(); n != queries {
		t.Errorf("%d queries", n-queries)
	}
}

// What a user may read is asked anew as soon as a client has changed it.
func TestRightsThatAClientChanges(t *testing.T) {
	var changed atomic.Int64
	f := start(t, options{rightsChanged: func() { changed.Add(1) }})
	c := dial(t, f.addr)
	c.do("+OK\r\n", "ACL SETUSER u on nopass")
	c.send(frames("ACL DELUSER u", "ACL WHOAMI"))
	c.expect(":1\r\n" + bulk("default"))
	if changed.Load() != 2 {
		t.Errorf("told %d times", changed.Load())
	}
}

// A user that may read the keys of a route has near hits of them.
func TestNearCopyOfAPrefix(t *testing.T) {
	f := start(t, options{tracker: &deafTracker{}, mayRead: func(_, prefix string) bool { return strings.HasPrefix(prefix, "t:") }})
	c := dial(t, f.addr)
	f.warm(t, c, "t:1")
	hits := f.near.Stats().Hits
	c.do("*1\r\n"+bulk("value-1"), "MGET t:1")
	if f.near.Stats().Hits != hits+1 {
		t.Error("MGET is not answered from the near copy")
	}
}

// A large value is gathered for the near copy while it is passed on, and given out piece by piece.
func TestLargeNearCopy(t *testing.T) {
	f := start(t, options{tracker: &deafTracker{}})
	c := dial(t, f.addr)
	big := strings.Repeat("0123456789abcdef", 3<<20/16)
	f.redis.Do(t, "SET", "t:1", big)
	f.warm(t, c, "t:1")
	f.redis.Do(t, "SET", "t:1", "changed")
	c.do(bulk(big)+"+PONG\r\n"+bulk(big)+bulk("value-2"), "GET t:1", "PING", "GET t:1", "GET t:2")
	if held := f.near.Stats().Bytes; held < int64(len(big)) || held > int64(len(big))+10_000 {
		t.Errorf("the near copy holds %d bytes", held)
	}
}
