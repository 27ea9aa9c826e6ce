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
		{"replies off", "", frames("CLIENT REPLY OFF", "DEL t:1", "SET done 1"), ""},
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
				eventually(t, "the command is done", func() bool { return f.redis.Do(t, "GET", "done") == "1" })
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

func TestReadsOfATransaction(t *testing.T) {
	tests := []struct{ name, send, want string }{
		{
			"every kind of read", frames("MULTI", "GET t:1", "MGET t:2 x t:3", "GETRANGE t:4 0 1", "STRLEN t:5", "GETDEL t:6", "GETEX t:7", "GET t:5000", "EXEC"),
			"+OK\r\n" + strings.Repeat("+QUEUED\r\n", 7) + "*7\r\n" + bulk("value-1") + "*3\r\n" + bulk("value-2") + "$-1\r\n" + bulk("value-3") + bulk("va") + ":7\r\n" +
				bulk("value-6") + bulk("value-7") + "$-1\r\n",
		},
		{
			"does not see its own later write", frames("MULTI", "GET t:11", "SET t:11 mine", "GET t:11", "EXEC"),
			"+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n" + bulk("value-11") + "+OK\r\n" + bulk("mine"),
		},
		{
			"does not see its own script", frames("MULTI", "GET t:12") + frame("EVAL", "return redis.call('SET', 't:12', 'mine')", "0") + frames("EXEC", "GET t:12"),
			"+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n" + bulk("value-12") + "+OK\r\n" + bulk("mine"),
		},
		{"sees its own earlier delete", frames("SET t:13 x", "MULTI", "DEL t:13", "GET t:13", "EXEC"), "+OK\r\n+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:1\r\n$-1\r\n"},
		{"in another database", frames("MULTI", "SELECT 4", "GET t:14", "EXEC", "SELECT 0"), "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n$-1\r\n+OK\r\n"},
		{
			"before another database", frames("MULTI", "GET t:21", "SELECT 4", "EXEC", "EXISTS t:21", "SELECT 0", "EXISTS t:21"),
			"+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n" + bulk("value-21") + "+OK\r\n:0\r\n+OK\r\n:1\r\n",
		},
		{"a database that there is not", frames("MULTI", "SELECT 99", "EXEC", "GET t:22"), "+OK\r\n+QUEUED\r\n*1\r\n-ERR DB index is out of range\r\n" + bulk("value-22")},
		{
			"behind a script with other keys", frames("MULTI") + frame("EVAL", "return 1", "1", "t:23") + frames("GET t:23", "GET t:24", "EXEC"),
			"+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n:1\r\n" + bulk("value-23") + bulk("value-24"),
		},
		{"pinned", frames("WATCH x", "GET t:15", "MULTI", "GET t:16", "EXEC"), "+OK\r\n" + bulk("value-15") + "+OK\r\n+QUEUED\r\n*1\r\n" + bulk("value-16")},
		{
			"watching what is being loaded", frames("GET t:17", "WATCH t:17", "GET t:17", "MULTI", "SET a 1", "EXEC"),
			bulk("value-17") + "+OK\r\n" + bulk("value-17") + "+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n",
		},
		{"watching what is loaded under the watch", frames("WATCH t:18", "GET t:18", "MULTI", "SET a 1", "EXEC"), "+OK\r\n" + bulk("value-18") + "+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n"},
		{"behind a getex", frames("GETEX t:19 EX 100", "MULTI", "TTL t:19", "EXEC"), bulk("value-19") + "+OK\r\n+QUEUED\r\n*1\r\n:100\r\n"},
		{"nulls of resp3", frames("HELLO 3", "MULTI", "GET t:5000", "MGET t:5001 x", "EXEC", "GET t:5000"), "*2\r\n_\r\n*2\r\n_\r\n_\r\n_\r\n"},
	}
	f := start(t, options{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := dial(t, f.addr)
			c.send(tt.send)
			if strings.HasPrefix(tt.name, "nulls") {
				c.reply()
				c.expect("+OK\r\n+QUEUED\r\n+QUEUED\r\n")
			}
			c.expect(tt.want)
		})
	}
}

// The reply of a read is in the protocol that the client spoke when it asked.
func TestChangeOfProtocolBehindALoad(t *testing.T) {
	f := start(t, options{})
	g := f.gate(t)
	c := dial(t, f.addr)
	c.send(frames("GET t:5000", "HELLO 3", "GET t:5001"))
	g.wait()
	f.nothingFrom(t, c)
	close(g.open)
	c.expect("$-1\r\n")
	if got := c.reply(); got[0] != '%' {
		t.Fatalf("got %q", got)
	}
	c.expect("_\r\n")
}

// A complete transaction rides the shared connection, also in two packets; one with WATCH does not.
func TestTransactionsOnTheSharedConnection(t *testing.T) {
	f := start(t, options{})
	c := dial(t, f.addr)
	c.do("+PONG\r\n", "PING")
	connections := func() int { return strings.Count(fmt.Sprint(f.redis.Do(t, "CLIENT", "LIST")), "\n") }
	before := connections()
	c.do("+OK\r\n+QUEUED\r\n*1\r\n:1\r\n", "MULTI", "INCR a", "EXEC")
	if n := connections(); n != before {
		t.Errorf("%d connections, before %d", n, before)
	}
	c.send(frames("MULTI"))
	c.expect("+OK\r\n")
	c.do("+QUEUED\r\n*1\r\n:2\r\n", "INCR a", "EXEC")
	if n := connections(); n != before+1 {
		t.Errorf("%d connections, before %d", n, before)
	}
	c.do(bulk("2"), "GET a") // back again
	d := dial(t, f.addr)
	d.do("+OK\r\n+OK\r\n", "WATCH a", "SET a 5")
	d.do("+OK\r\n+QUEUED\r\n*-1\r\n", "MULTI", "INCR a", "EXEC")
	d.do(bulk("5"), "GET a")
	if n := connections(); n != before+1 {
		t.Errorf("%d connections, before %d: it was not reused", n, before)
	}
}
