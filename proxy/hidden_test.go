package proxy_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"forebay/internal/testkit"
)

// keysOf are the elements of an array of bulks, sorted.
func keysOf(t testing.TB, reply string) []string {
	t.Helper()
	var n int
	if _, err := fmt.Sscanf(reply, "*%d\r\n", &n); err != nil {
		t.Fatalf("%.100q is no array: %v", reply, err)
	}
	_, rest, _ := strings.Cut(reply, "\r\n")
	list := []string{}
	for rest != "" {
		var size int
		if _, err := fmt.Sscanf(rest, "$%d\r\n", &size); err != nil {
			t.Fatalf("%.100q is no bulk: %v", rest, err)
		}
		_, rest, _ = strings.Cut(rest, "\r\n")
		list = append(list, rest[:size])
		rest = rest[size+2:]
	}
	if len(list) != n {
		t.Fatalf("%d elements are announced, %d came", n, len(list))
	}
	slices.Sort(list)
	return list
}

// scanned are the keys of a SCAN's reply, and its cursor.
func scanned(t testing.TB, reply string) (cursor string, keys []string) {
	t.Helper()
	rest, ok := strings.CutPrefix(reply, "*2\r\n$")
	if !ok {
		t.Fatalf("%.100q is no page", reply)
	}
	_, rest, _ = strings.Cut(rest, "\r\n")
	cursor, rest, _ = strings.Cut(rest, "\r\n")
	return cursor, keysOf(t, rest)
}

func listed(t testing.TB, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %.300q, want %.300q", what, got, want)
	}
}

// ownKeys are some of those that Forebays make, and one that only looks like one of them is not.
func ownKeys(t testing.TB, r *testkit.RedisServer, of ...string) {
	t.Helper()
	for _, k := range append([]string{"generation", "lease:{t:1}", "session:live", "stage:{x}"}, of...) {
		r.Do(t, "SET", "__forebay:"+k, "v")
	}
}

// What lists keys shows those of clients, whatever state the client is in, and nothing else is changed.
func TestOwnKeysAreHidden(t *testing.T) {
	for _, proto := range []string{"2", "3"} {
		states := map[string][]string{
			"shared":             nil,
			"a connection apart": {"WATCH a"},
			"a subscriber":       {"SUBSCRIBE news"},
			"no keys watched":    {"CLIENT NO-EVICT ON"},
		}
		if proto == "2" {
			delete(states, "a subscriber") // Redis refuses what lists keys
		}
		for name, before := range states {
			t.Run(name+", "+proto, func(t *testing.T) {
				f := start(t, options{})
				ownKeys(t, f.redis)
				f.redis.Do(t, "MSET", "a", "1", "b:__forebay:", "2", "__forebay", "3")
				f.redis.Do(t, "SADD", "s", "x")
				c := dial(t, f.addr)
				for _, command := range append([]string{"HELLO " + proto}, before...) {
					c.send(frames(command))
					c.reply()
				}
				c.send(frames("KEYS *", "SCAN 0 COUNT 1000", "KEYS __forebay:*", "scan 0 match __forebay* count 1000", "SCAN 0 COUNT 1000 TYPE set", "KEYS a", "PING"))
				listed(t, "KEYS *", keysOf(t, c.reply()), "__forebay", "a", "b:__forebay:", "s")
				cursor, keys := scanned(t, c.reply())
				listed(t, "SCAN", keys, "__forebay", "a", "b:__forebay:", "s")
				if cursor != "0" {
					t.Errorf("the cursor is %s", cursor)
				}
				c.expect("*0\r\n")
				_, keys = scanned(t, c.reply())
				listed(t, "SCAN MATCH", keys, "__forebay")
				_, keys = scanned(t, c.reply())
				listed(t, "SCAN TYPE", keys, "s")
				c.expect("*1\r\n$1\r\na\r\n+PONG\r\n")
				// By its name, and in numbers, a key does show.
				c.send(frames("DBSIZE", "GET __forebay:generation", "EXISTS __forebay:generation"))
				c.expect(":8\r\n$1\r\nv\r\n:1\r\n")
				// What is wrong is said by Redis.
				for _, wrong := range []string{"KEYS", "KEYS a b", "SCAN", "SCAN x", "SCAN 0 COUNT 0", "SCAN 0 NOPE", "RANDOMKEY x"} {
					c.send(frames(wrong))
					if got := c.reply(); got[0] != '-' || strings.Contains(got, "unknown command") {
						t.Errorf("%s: %q", wrong, got)
					}
				}
				c.send("KEYS a*\r\nPING\r\n") // inline
				c.expect("*1\r\n$1\r\na\r\n+PONG\r\n")
			})
		}
	}
}

// A scan is Redis's: its cursors, and pages with nothing in them.
func TestScanGoesOnOverHiddenKeys(t *testing.T) {
	f := start(t, options{})
	var want []string
	for i := range 500 {
		f.redis.Do(t, "SET", fmt.Sprint("__forebay:lease:{", i, "}"), "x")
		if i%10 == 0 {
			want = append(want, fmt.Sprint("k", i))
			f.redis.Do(t, "SET", want[len(want)-1], "x")
		}
	}
	slices.Sort(want)
	c, straight := dial(t, f.addr), dial(t, f.redis.Addr)
	var got []string
	empty := 0
	for cursor := "0"; ; {
		for _, c := range []*client{c, straight} {
			c.send(frames("SCAN " + cursor + " COUNT 5"))
		}
		next, keys := scanned(t, c.reply())
		theirs, _ := scanned(t, straight.reply())
		if next != theirs {
			t.Fatalf("the cursor is %s, Redis's %s", next, theirs)
		}
		if len(keys) == 0 {
			empty++
		}
		got = append(got, keys...)
		if cursor = next; cursor == "0" {
			break
		}
	}
	slices.Sort(got)
	listed(t, "all pages", slices.Compact(got), want...)
	if empty == 0 {
		t.Error("no page was empty")
	}
}

// Inside a transaction the parts of EXEC's reply are filtered, sent whole or in pieces; a list of its own keys, quoted in a value, stands.
func TestOwnKeysAreHiddenInTransactions(t *testing.T) {
	for _, proto := range []string{"2", "3"} {
		for _, whole := range []bool{true, false} {
			t.Run(fmt.Sprintf("resp%s, whole %v", proto, whole), func(t *testing.T) {
				f := start(t, options{})
				ownKeys(t, f.redis)
				f.redis.Do(t, "SET", "a", "*1\r\n$10\r\n__forebay:\r\n")
				c := dial(t, f.addr)
				c.send(frames("HELLO " + proto))
				c.reply()
				transaction := []string{"MULTI", "KEYS *", "GET a", "SCAN 0 COUNT 100", "GET t:7", "KEYS __forebay:l*", "EXEC"}
				if whole {
					c.send(frames(transaction...))
					c.expect("+OK\r\n" + strings.Repeat("+QUEUED\r\n", 5))
				} else {
					for i, command := range transaction {
						c.send(frames(command))
						if i < 6 {
							c.reply()
						}
					}
				}
				c.expect("*5\r\n*1\r\n$1\r\na\r\n$21\r\n*1\r\n$10\r\n__forebay:\r\n\r\n*2\r\n$1\r\n0\r\n*1\r\n$1\r\na\r\n" + bulk("value-7") + "*0\r\n")
				c.do("+PONG\r\n", "PING")
			})
		}
	}
}

// A silent client is told nothing of lists either, small or large, and what follows is right.
func TestListsWhileRepliesAreOff(t *testing.T) {
	f := start(t, options{})
	ownKeys(t, f.redis)
	long := strings.Repeat("k", 600<<10)
	f.redis.Do(t, "SET", long, "1")
	for _, commands := range [][]string{
		{"CLIENT REPLY OFF", "KEYS *", "SCAN 0 COUNT 100", "RANDOMKEY", "KEYS none", "CLIENT REPLY ON"},
		{"CLIENT REPLY SKIP", "KEYS *", "CLIENT REPLY SKIP", "RANDOMKEY", "CLIENT REPLY ON"},
	} {
		c := dial(t, f.addr)
		c.do("+OK\r\n", commands...)
		c.do("*0\r\n+PONG\r\n", "KEYS __forebay:*", "PING")
	}
}

// Large lists are filtered whole, and leave other clients' replies alone.
func TestLargeListsAreFiltered(t *testing.T) {
	f := start(t, options{})
	var want []string
	pad := strings.Repeat("x", 1000)
	for i := range 600 {
		name := fmt.Sprintf("k%04d%s", i, pad)
		want = append(want, name)
		f.redis.Do(t, "SET", name, "1")
		if i%100 == 0 {
			ownKeys(t, f.redis, fmt.Sprintf("lease:{%d}%s", i, pad))
		}
	}
	c, other := dial(t, f.addr), dial(t, f.addr)
	for range 3 {
		c.send(frames("PING", "KEYS *", "SCAN 0 COUNT 100000", "MULTI", "KEYS *", "EXEC", "KEYS __forebay:*", "ECHO end"))
		other.do("+PONG\r\n", "PING")
		c.expect("+PONG\r\n")
		listed(t, "KEYS", keysOf(t, c.reply()), want...)
		_, keys := scanned(t, c.reply())
		listed(t, "SCAN", keys, want...)
		c.expect("+OK\r\n+QUEUED\r\n")
		listed(t, "EXEC", keysOf(t, strings.TrimPrefix(c.reply(), "*1\r\n")), want...)
		c.expect("*0\r\n" + bulk("end"))
	}
}

// A list of over 64 MiB is not held: it is passed on as it is.
func TestHugeListsPass(t *testing.T) {
	f := start(t, options{})
	ownKeys(t, f.redis)
	want := []string{"__forebay:generation", "__forebay:lease:{t:1}", "__forebay:session:live", "__forebay:stage:{x}"}
	pad := strings.Repeat("x", 4<<20)
	for i := range 17 {
		name := fmt.Sprintf("k%02d%s", i, pad)
		want = append(want, name)
		f.redis.Do(t, "SET", name, "1")
	}
	c := dial(t, f.addr)
	must(t, c.nc.SetDeadline(time.Now().Add(time.Minute))) // 68 MB on cores that others use too
	c.send(frames("KEYS *", "PING"))
	got := keysOf(t, c.reply())
	if !slices.Equal(got, want) {
		t.Errorf("%d keys of %d", len(got), len(want))
	}
	c.expect("+PONG\r\n")
}

// A list that breaks off while it is gathered is an error, and no part of it: nothing was passed on yet.
func TestListThatBreaksOff(t *testing.T) {
	r := testkit.Redis(t)
	ownKeys(t, r)
	for i := range 12 {
		r.Do(t, "SET", fmt.Sprintf("k%d%s", i, strings.Repeat("x", 100_000)), "1")
	}
	var armed atomic.Bool
	tap := newTap(t, r.Addr, func(b []byte) bool { return armed.Load() && bytes.Contains(b, []byte("*16\r\n")) })
	f := start(t, options{redis: r, upstream: tap.addr})
	c := dial(t, f.addr)
	c.do("+PONG\r\n", "PING")
	for _, command := range []string{"KEYS *", "SCAN 0 COUNT 100"} {
		armed.Store(true)
		c.send(frames(command))
		if got := c.reply(); !strings.HasPrefix(got, "-REDISDOWN connection to redis was lost") {
			t.Errorf("%s: %.100q", command, got)
		}
		armed.Store(false)
		eventually(t, "the connection is back", func() bool {
			c.send(frames("PING"))
			return c.reply() == "+PONG\r\n"
		})
		c.send(frames(command))
		if got := c.reply(); strings.Contains(got, "__forebay") || strings.Count(got, "\r\n") < 24 {
			t.Errorf("%s, once more: %d bytes", command, len(got))
		}
	}
}
