package proxy_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"forebay/backend"
	"forebay/proxy"
)

// What cannot be loaded first is not run, and the client gets the load's error; its connection goes on.
func TestWhatCannotBeLoadedIsNotRun(t *testing.T) {
	f := start(t, options{})
	f.source.hold(func([]any) error { return fmt.Errorf("%w: no host", backend.ErrSourceDown) })
	needing := []string{
		"EVAL 'redis.call([[SET]],[[ran]],1) return redis.call([[GET]],KEYS[1])' 1 t:1", "EVAL_RO 'return redis.call([[GET]],KEYS[1])' 1 t:1", "APPEND t:1 x", "SETRANGE t:1 0 x", "SETBIT t:1 1 1", "GETSET t:1 x",
		"SET t:1 x GET", "INCR t:1", "BITCOUNT t:1", "LCS none t:1", "BITOP AND ran none t:1", "COPY t:1 ran", "RENAME t:1 ran", "HSET h:1 f x", "HDEL h:1 f", "HINCRBY h:1 f 1", "HSCAN h:1 0",
	}
	for _, tt := range needing {
		t.Run(tt, func(t *testing.T) {
			c := dial(t, f.addr)
			c.send(frames("PING") + line(tt) + frames("PING"))
			c.expect("+PONG\r\n")
			if got := c.reply(); !strings.HasPrefix(got, "-SOURCEDOWN ") {
				t.Errorf("got %q", got)
			}
			c.expect("+PONG\r\n")
			for _, before := range []string{"", frames("WATCH other")} {
				for _, one := range []bool{false, true} {
					want := ""
					if before != "" {
						want = "+OK\r\n"
					}
					all := []string{before + frames("MULTI"), frames("SET ran 1"), line(tt), frames("EXEC"), frames("GET ran")}
					want += "+OK\r\n+QUEUED\r\n+QUEUED\r\n"
					if !one {
						all = []string{strings.Join(all, "")}
					}
					for i, raw := range all {
						c.send(raw)
						if one && i < 3 {
							n := len("+OK\r\n")
							if i > 0 {
								n = len("+QUEUED\r\n")
							} else if before != "" {
								n *= 2
							}
							c.expect(want[:n])
							want = want[n:]
						}
					}
					c.expect(want)
					if got := c.reply(); !strings.HasPrefix(got, "-EXECABORT Transaction discarded because what it reads could not be loaded: SOURCEDOWN ") {
						t.Errorf("got %q", got)
					}
					c.expect("$-1\r\n")
				}
			}
		})
	}
	for _, read := range []string{"GET t:1", "STRLEN t:1", "GETDEL t:1", "GETEX t:1", "GETRANGE t:1 0 1", "MGET none t:1", "HGET h:1 n", "HGETALL h:1"} {
		t.Run("a transaction that writes and has "+read, func(t *testing.T) {
			c := dial(t, f.addr)
			c.send(frames("MULTI", "SET ran 1", read, "EXEC", "GET ran"))
			c.expect("+OK\r\n+QUEUED\r\n+QUEUED\r\n")
			if got := c.reply(); !strings.HasPrefix(got, "-EXECABORT Transaction discarded ") {
				t.Errorf("got %q", got)
			}
			c.expect("$-1\r\n")
		})
	}
	t.Run("watch", func(t *testing.T) {
		c := dial(t, f.addr)
		c.send(frames("WATCH other t:1", "MULTI", "SET mine 1", "EXEC"))
		if got := c.reply(); !strings.HasPrefix(got, "-SOURCEDOWN ") {
			t.Errorf("got %q", got)
		}
		c.expect("+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n")
	})
	t.Run("what the transaction says itself is not asked for", func(t *testing.T) {
		c := dial(t, f.addr)
		c.do("+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n+OK\r\n:2\r\n"+bulk("ab"), "MULTI", "SET t:1 a", "APPEND t:1 b", "GET t:1", "EXEC")
		f.redis.Do(t, "DEL", "t:1")
	})
	f.source.hold(nil)
	c := dial(t, f.addr)
	c.do(":9\r\n", "APPEND t:1 xx")
	if v := f.redis.Do(t, "EXISTS", "ran"); v != int64(0) {
		t.Error("something ran")
	}
}

// A Redis that does not keep what is loaded: the command that needs it there gets an error, never nil. A read is served.
func TestFullRedisIsAnErrorForWhatNeedsTheValueThere(t *testing.T) {
	f := start(t, options{})
	f.redis.Do(t, "CONFIG", "SET", "maxmemory", "1")
	c := dial(t, f.addr)
	c.do(bulk("value-1"), "GET t:1")
	for _, tt := range []string{"EVAL_RO 'return redis.call([[GET]],KEYS[1])' 1 t:1", "EVAL 'return redis.call([[GET]],KEYS[1])' 1 t:1", "BITCOUNT t:1", "HSCAN h:1 0", "WATCH t:1"} {
		c.send(line(tt))
		if got := c.reply(); !strings.HasPrefix(got, "-OOM ") {
			t.Errorf("%s: got %q", tt, got)
		}
	}
	c.send(frames("MULTI", "GETDEL t:1", "EXEC"))
	c.expect("+OK\r\n+QUEUED\r\n")
	if got := c.reply(); !strings.HasPrefix(got, "-EXECABORT Transaction discarded because what it reads could not be loaded: OOM ") {
		t.Errorf("got %q", got)
	}
	f.redis.Do(t, "CONFIG", "SET", "maxmemory", "0")
	c.send(line("EVAL 'return redis.call([[GET]],KEYS[1])' 1 t:1"))
	c.expect(bulk("value-1"))
}

// Nothing is loaded for a command that its user may not run.
func TestNothingIsLoadedForWhoMayNot(t *testing.T) {
	f := start(t, options{mayRead: func(string, string) bool { return false }})
	f.redis.Do(t, "ACL", "SETUSER", "writer", "on", ">pw", "~t:*", "+append", "+multi", "+exec", "+strlen", "+set")
	f.redis.Do(t, "ACL", "SETUSER", "other", "on", ">pw", "~o:*", "+@all")
	const noperm = "-NOPERM "
	refused := func(c *client, what string) {
		t.Helper()
		for {
			got := c.reply()
			if got == "+OK\r\n" || got == "+QUEUED\r\n" {
				continue
			}
			if !strings.HasPrefix(got, noperm) && !strings.HasPrefix(got, "-EXECABORT Transaction discarded because of previous errors") && !strings.HasPrefix(got, "-NOAUTH") {
				t.Errorf("%s: got %q", what, got)
			}
			return
		}
	}
	for _, tt := range []string{"APPEND t:1 x", "COPY t:1 o:1", "WATCH t:1", "BITCOUNT t:1", "EVAL 'return 1' 1 t:1"} {
		c := dial(t, f.addr)
		c.do("+OK\r\n", "AUTH other pw")
		c.send(line(tt))
		refused(c, tt)
		if tt[0] != 'W' {
			c.send(frames("MULTI") + line(tt) + frames("EXEC", "PING"))
			c.expect("+OK\r\n")
			refused(c, tt)
			refused(c, tt)
			c.expect("+PONG\r\n")
		}
	}
	if n := f.source.queries.Load(); n != 0 {
		t.Errorf("%d queries for who may not read", n)
	}
	c := dial(t, f.addr)
	c.do("+OK\r\n"+":8\r\n"+"+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:8\r\n:7\r\n", "AUTH writer pw", "APPEND t:1 x", "MULTI", "APPEND t:2 y", "STRLEN t:3", "EXEC")
	f.redis.Do(t, "ACL", "SETUSER", "default", "resetpass", ">secret")
	defer func() {
		d := dial(t, f.redis.Addr)
		d.do("+OK\r\n+OK\r\n", "AUTH secret", "ACL SETUSER default nopass")
	}()
	asked := f.source.queries.Load()
	d := dial(t, f.addr)
	d.send(frames("APPEND t:4 x"))
	refused(d, "not authenticated")
	if n := f.source.queries.Load(); n != asked {
		t.Errorf("%d queries for who has not authenticated", n-asked)
	}
}

// evictor removes keys of its Redis right after they were seen to be there.
type evictor struct {
	backend.Store
	remove atomic.Pointer[func()]
}

func (e *evictor) Exists(ctx context.Context, db int, keys [][]byte) ([]bool, error) {
	there, err := e.Store.Exists(ctx, db, keys)
	if remove := e.remove.Load(); remove != nil && err == nil {
		for _, ok := range there {
			if !ok {
				return there, nil
			}
		}
		e.remove.Store(nil)
		(*remove)()
	}
	return there, err
}

// 1. What a transaction reads is loaded. 2. Redis evicts it. 3. EXEC is forwarded. The reads are patched, but for those that the transaction wrote before.
func TestEvictedBetweenLoadAndExec(t *testing.T) {
	var e *evictor
	f := start(t, options{wrap: func(f *front) backend.Store {
		e = &evictor{Store: f.store}
		return e
	}})
	tests := []struct{ name, send, want string }{
		{"nulls", frames("MULTI", "SET a 1", "GET t:1", "MGET t:2 none", "HGETALL h:1", "HGET h:1 n", "EXEC"), "*5\r\n+OK\r\n" + bulk("value-1") + "*2\r\n" + bulk("value-2") + "$-1\r\n*4\r\n" +
			bulk("data") + bulk("value-1") + bulk("n") + bulk("1") + bulk("1")},
		{"vague", frames("MULTI", "STRLEN t:1", "GETRANGE t:2 0 1", "HGET h:1 none", "HEXISTS h:1 n", "EXEC"), "*4\r\n:7\r\n" + bulk("va") + "$-1\r\n:1\r\n"},
		{"getdel, getex", frames("MULTI", "GETDEL t:1", "GETEX t:2 EX 10", "EXEC"), "*2\r\n" + bulk("value-1") + bulk("value-2")},
		{"behind its own delete", frames("MULTI", "DEL t:1", "GET t:1", "GET t:2", "EXEC"), "*3\r\n:0\r\n$-1\r\n" + bulk("value-2")},
		{"read before it is written", frames("MULTI", "GET t:1", "SET t:1 mine", "GET t:1", "EXEC"), "*3\r\n" + bulk("value-1") + "+OK\r\n" + bulk("mine")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f.redis.Do(t, "FLUSHALL")
			remove := func() { f.redis.Do(t, "FLUSHALL") }
			e.remove.Store(&remove)
			c := dial(t, f.addr)
			c.send(tt.send)
			c.expect("+OK\r\n" + strings.Repeat("+QUEUED\r\n", strings.Count(tt.send, "*")-2))
			if got := c.reply(); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if e.remove.Load() != nil {
				t.Error("nothing was evicted")
			}
		})
	}
}

// A script joins the load of a client that must not store what it reads:
//
//  1. R watches a key and reads t:1: its load is held, and will not be stored.
//  2. S sends a script that declares t:1: it joins that load.
//  3. The load ends. S must not go to Redis with nothing there.
func TestScriptBehindALoadThatIsNotStored(t *testing.T) {
	f := start(t, options{})
	g := f.gate(t)
	r, c := dial(t, f.addr), dial(t, f.addr)
	r.do("+OK\r\n", "WATCH other")
	r.send(frames("GET t:1"))
	g.wait()
	c.send(line("EVAL 'return redis.call([[GET]],KEYS[1])' 1 t:1"))
	f.nothingFrom(t, c)
	close(g.open)
	r.expect(bulk("value-1"))
	c.expect(bulk("value-1"))
}

// Commands too large to be gathered by default are, where they need a routed key.
func TestLargeCommandsLoadFirst(t *testing.T) {
	limits := proxy.DefaultLimits()
	f := start(t, options{limits: &limits})
	c := dial(t, f.addr)
	big := strings.Repeat("x", 300_000)
	tests := []struct{ name, send, want string }{
		{"append", frame("APPEND", "t:1", big), ":300007\r\n"},
		{"script", frame("EVAL", "return redis.call('STRLEN',KEYS[1])+#ARGV[1]", "1", "t:2", big), ":300007\r\n"},
		{"long script", frame("EVAL", "--"+big+"\nreturn redis.call('STRLEN',KEYS[1])", "1", "t:3"), ":7\r\n"},
		{"hash", frame("HSET", "h:1", "f", big), ":1\r\n"},
		{"set get", frame("SET", "t:4", big, "GET"), bulk("value-4")},
		{"in a transaction", frames("MULTI") + frame("APPEND", "t:5", big) + frames("GETRANGE t:5 0 6", "EXEC"), "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:300007\r\n" + bulk("value-5")},
		{"what needs nothing is streamed", frame("SET", "t:6", big) + frame("APPEND", "other", big), "+OK\r\n:300000\r\n"},
		{"behind what is streamed in a transaction", frames("MULTI") + frame("SET", "t:7", big) + frames("STRLEN t:7", "GET t:8", "EXEC"), "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n+OK\r\n:300000\r\n" + bulk("value-8")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			go c.nc.Write([]byte(tt.send)) //nolint:errcheck // the replies tell
			c.expect(tt.want)
		})
	}
}

// GETEX on a miss stores the value and is done once: its expiry is set.
func TestGetExOfAMissSetsTheExpiry(t *testing.T) {
	f := start(t, options{})
	for i, tt := range []struct {
		option     string
		least, top int64 // of PTTL
	}{
		{"", 3_000_000, 3_600_000},
		{"EX 100", 99_000, 100_000},
		{"PX 50000", 49_000, 50_000},
		{"EXAT 4000000000", 3_600_001, 1 << 50},
		{"PXAT 4000000000000", 3_600_001, 1 << 50},
		{"PERSIST", -1, -1},
		{"EXAT 1", -2, -2},
	} {
		for _, how := range []string{"%s", "MULTI\n%s\nEXEC"} {
			key := fmt.Sprintf("t:%d", 2*i+len(how)%2)
			t.Run(tt.option+how, func(t *testing.T) {
				c := dial(t, f.addr)
				c.send(frames(strings.Split(fmt.Sprintf(how, "GETEX "+key+" "+tt.option), "\n")...))
				want := bulk("value-" + key[2:])
				if how != "%s" {
					want = "+OK\r\n+QUEUED\r\n*1\r\n" + want
				}
				c.expect(want)
				if ttl := f.redis.Do(t, "PTTL", key).(int64); ttl < tt.least || ttl > tt.top {
					t.Errorf("PTTL %d, want %d to %d", ttl, tt.least, tt.top)
				}
			})
		}
	}
}

// Reads of a transaction that were loaded before EXEC are the misses that they were, once.
func TestEventsOfATransactionThatLoadsFirst(t *testing.T) {
	f := start(t, options{})
	f.redis.Do(t, "SET", "t:3", "x")
	c := dial(t, f.addr)
	c.send(frames("MULTI", "SET a 1", "GET t:1", "GET t:1", "STRLEN t:2", "GET t:3", "GET t:5000", "GET none", "APPEND t:4 x", "EXEC"))
	for range 10 {
		c.reply()
	}
	got := strings.Join(f.reads(t), ", ")
	if want := "miss loaded t:1, hit redis t:1, miss loaded t:2, hit redis t:3, miss absent t:5000, miss unrouted none"; got != want {
		t.Errorf("got %s", got)
	}
	if n := f.source.asked.Load(); n != 4 {
		t.Errorf("%d rows were asked for, want 4", n)
	}
}
