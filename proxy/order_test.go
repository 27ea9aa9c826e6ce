package proxy_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"forebay/backend"
)

// gate holds queries of the source until it is opened.
type gate struct {
	entered chan []any
	open    chan error // closed: rows are given; an error received: the query fails
}

func (f *front) gate(t testing.TB) *gate {
	g := &gate{entered: make(chan []any, 1000), open: make(chan error, 1000)}
	var once sync.Once
	f.source.hold(func(ids []any) error {
		g.entered <- ids
		return <-g.open
	})
	t.Cleanup(func() { once.Do(func() { f.source.hold(nil) }) })
	return g
}

// wait returns when a query has reached the source.
func (g *gate) wait() { <-g.entered }

// pass lets one query go on.
func (g *gate) pass() { g.open <- nil }

// nothingFrom tells that the proxy has answered a later command of another client and nothing has come to c meanwhile.
func (f *front) nothingFrom(t testing.TB, c *client) {
	t.Helper()
	other := dial(t, f.addr)
	for range 3 {
		other.do("+PONG\r\n", "PING")
	}
	if n := c.br.Buffered(); n > 0 {
		t.Fatalf("%d bytes came early", n)
	}
}

func TestOwnWriteWaitsForTheLoad(t *testing.T) {
	writes := []struct{ name, send, reply, after string }{
		{"set", frames("SET t:1 mine"), "+OK\r\n", bulk("mine")},
		{"del", frames("DEL t:1"), ":1\r\n", bulk("value-1")},
		{"append", frames("APPEND t:1 x"), ":8\r\n", bulk("value-1x")},
		{"rename onto it", frames("SET o mine", "RENAME o t:1"), "+OK\r\n+OK\r\n", bulk("mine")},
		{"flushall", frames("FLUSHALL"), "+OK\r\n", bulk("value-1")},
		{"flushdb", frames("FLUSHDB"), "+OK\r\n", bulk("value-1")},
		{"script", frame("EVAL", "return redis.call('SET', 't:1', 'mine')", "0"), "+OK\r\n", bulk("mine")},
		{"script with the key", frame("EVAL", "return redis.call('SET', KEYS[1], 'mine')", "1", "t:1"), "+OK\r\n", bulk("mine")},
		{"transaction", frames("MULTI", "SET t:1 mine", "EXEC"), "+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n", bulk("mine")},
		{"mset", frames("MSET a 1 t:1 mine"), "+OK\r\n", bulk("mine")},
		{"expire at once", frames("EXPIRE t:1 -1"), ":1\r\n", bulk("value-1")},
		{"sort with store", frames("RPUSH l 1", "SORT l STORE t:1"), ":1\r\n:1\r\n", "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"},
	}
	for _, tt := range writes {
		t.Run(tt.name, func(t *testing.T) {
			f := start(t, options{})
			g := f.gate(t)
			c := dial(t, f.addr)
			c.send(frames("GET t:1") + tt.send + frames("GET t:1"))
			g.wait()
			f.nothingFrom(t, c)
			g.open <- nil
			close(g.open)
			c.expect(bulk("value-1") + tt.reply + tt.after)
		})
	}
}

// Reads of other keys and local commands do not wait, but their replies keep their places.
func TestRepliesKeepTheirOrderWhateverIsLoaded(t *testing.T) {
	f := start(t, options{})
	f.redis.Do(t, "SET", "t:2", "two")
	g := f.gate(t)
	c := dial(t, f.addr)
	c.send(frames("PING", "GET t:1", "GET t:2", "MGET t:2 t:3", "SET other 1", "CLIENT GETNAME", "GET t:2", "STRLEN t:2", "SELECT 0", "ECHO x", "NOSUCH", "GET t:4") + "PING\r\n")
	g.wait()
	eventually(t, "the SET behind the held read is done", func() bool { return f.redis.Do(t, "GET", "other") == "1" })
	close(g.open)
	c.expect("+PONG\r\n" + bulk("value-1") + bulk("two") + "*2\r\n" + bulk("two") + bulk("value-3") + "+OK\r\n$-1\r\n" + bulk("two") + ":3\r\n+OK\r\n" + bulk("x") +
		"-ERR unknown command 'NOSUCH', with args beginning with: \r\n" + bulk("value-4") + "+PONG\r\n")
}

// 1. R: GET t:1 misses, its load reads the old row and is held. 2. W changes the row and then removes the key from the cache, by whatever command.
// 3. The load ends. It must not store the old value; and whoever reads after W's command was answered sees the new row.
func TestNoStaleFillAfterAWrite(t *testing.T) {
	removals := []struct {
		name, before, send, reply string
	}{
		{"del", "", frames("DEL t:1"), ":0\r\n"},
		{"unlink of several", "", frames("UNLINK a t:1"), ":0\r\n"},
		{"expire", "", frames("EXPIRE t:1 0"), ":0\r\n"},
		{"flushall", "", frames("FLUSHALL"), "+OK\r\n"},
		{"script", "", frame("EVAL", "return redis.call('DEL', 't:1')", "0"), ":0\r\n"},
		{"transaction in one packet", "", frames("MULTI", "DEL t:1", "EXEC"), "+OK\r\n+QUEUED\r\n*1\r\n:0\r\n"},
		{"transaction queued before the load", frames("MULTI", "DEL t:1"), frames("EXEC"), "*1\r\n:0\r\n"},
		{"script queued before the load", frames("MULTI") + frame("EVAL", "return redis.call('DEL', 't:1')", "0"), frames("EXEC"), "*1\r\n:0\r\n"},
		{"replies off", "", frames("CLIENT REPLY OFF", "DEL t:1"), ""},
		{"getdel", "", frames("GETDEL t:1"), bulk("new")},
		{"inline", "", "DEL t:1\r\n", ":0\r\n"},
	}
	for _, tt := range removals {
		t.Run(tt.name, func(t *testing.T) {
			f := start(t, options{})
			r, w := dial(t, f.addr), dial(t, f.addr)
			w.do("+PONG\r\n", "PING")
			if tt.before != "" {
				w.send(tt.before)
				w.expect("+OK\r\n+QUEUED\r\n")
			}
			g := f.gate(t)
			f.source.set(1, "old")
			held := f.heldWith(t, g, r)
			f.source.set(1, "new")
			w.send(tt.send)
			if tt.reply == "" {
				eventually(t, "the command is done", func() bool {
					return strings.Contains(fmt.Sprint(f.redis.Do(t, "INFO", "commandstats")), "cmdstat_del:")
				})
			} else if tt.name == "getdel" {
				g.wait() // its own load: it did not join the one that began before it
			} else {
				w.expect(tt.reply)
			}
			held()
			if tt.name == "getdel" {
				w.expect(tt.reply)
			}
			r.reply() // either row is right: it was asked for before the write
			r.do(bulk("new"), "GET t:1")
			if v := f.redis.Do(t, "GET", "t:1"); v != "new" {
				t.Fatalf("redis holds %q", v)
			}
		})
	}
}

// heldWith makes r miss t:1 with the row as it is now read by the source but not given yet. Call the result to let it be given, and all later
// queries pass.
func (f *front) heldWith(t testing.TB, g *gate, r *client) (release func()) {
	t.Helper()
	f.source.mu.Lock()
	f.source.late = true
	f.source.mu.Unlock()
	r.send(frames("GET t:1"))
	g.wait()
	return func() {
		f.source.mu.Lock()
		f.source.late = false
		f.source.mu.Unlock()
		close(g.open)
	}
}

func TestAnotherClientsSetWins(t *testing.T) {
	f := start(t, options{})
	g := f.gate(t)
	r, w := dial(t, f.addr), dial(t, f.addr)
	r.send(frames("GET t:1"))
	g.wait()
	w.do("+OK\r\n", "SET t:1 mine")
	close(g.open)
	r.expect(bulk("mine"))
	w.do(bulk("mine"), "GET t:1")
}

func TestOneQueryForAllClients(t *testing.T) {
	f := start(t, options{})
	g := f.gate(t)
	clients := make([]*client, 300)
	for i := range clients {
		clients[i] = dial(t, f.addr)
		clients[i].send(frames("GET t:1"))
	}
	g.wait()
	eventually(t, "all have missed", func() bool { return clientsWaiting(f, t) })
	close(g.open)
	for _, c := range clients {
		c.expect(bulk("value-1"))
	}
	if q, n := f.source.queries.Load(), f.source.asked.Load(); q != 1 || n != 1 {
		t.Fatalf("%d queries for %d rows", q, n)
	}
}

// clientsWaiting tells that Redis has answered every GET.
func clientsWaiting(f *front, t testing.TB) bool {
	return strings.Contains(fmt.Sprint(f.redis.Do(t, "INFO", "commandstats")), "cmdstat_get:calls=30")
}

func TestFailedLoadIsAnErrorForAll(t *testing.T) {
	f := start(t, options{})
	g := f.gate(t)
	var clients []*client
	for i := range 20 {
		c := dial(t, f.addr)
		switch i % 5 {
		case 0:
			c.send(frames("GET t:1"))
		case 1:
			c.send(frames("MGET x t:1"))
		case 2:
			c.send(frames("STRLEN t:1"))
		case 3:
			c.send(frames("GETRANGE t:1 0 -1"))
		case 4:
			c.send(frames("GETEX t:1"))
		}
		clients = append(clients, c)
	}
	for range 20 {
		g.open <- fmt.Errorf("%w: no host", backend.ErrSourceDown)
	}
	for _, c := range clients {
		if got := c.reply(); !strings.HasPrefix(got, "-SOURCEDOWN ") {
			t.Fatalf("got %q", got)
		}
	}
	c := dial(t, f.addr)
	for range 20 {
		g.open <- errors.New("odd")
	}
	c.send(frames("MULTI", "GET t:1", "EXEC"))
	c.expect("+OK\r\n+QUEUED\r\n")
	if got := c.reply(); !strings.HasPrefix(got, "-EXECABORT ") {
		t.Fatalf("got %q", got)
	}
}

func TestClientGoneDuringALoad(t *testing.T) {
	f := start(t, options{})
	g := f.gate(t)
	a, b := dial(t, f.addr), dial(t, f.addr)
	a.send(frames("GET t:1", "MGET t:2 t:3", "GETEX t:4"))
	g.wait()
	a.nc.Close()
	b.send(frames("GET t:1"))
	close(g.open)
	b.expect(bulk("value-1"))
	eventually(t, "the client has left", func() bool { return f.server.Clients() == 1 })
}
