package proxy_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"forebay/backend"
	"forebay/internal/route"
)

// aged are routes of an hour whose values have ages: a:<id> of strings, ah:<id> of hashes. A test makes a value as old as it wants (grow).
func aged() []route.Spec {
	where := []route.Bind{{Column: "part", Expr: "{id / 100}"}, {Column: "id", Expr: "{id}"}}
	s := route.Spec{Name: "a", Key: "a:{id:int}", Table: "t", Value: "data", TTL: time.Hour, Where: where, AbsentTTL: time.Minute}
	s.RefreshAhead, s.StaleWhileRevalidate, s.StaleIfError = 10*time.Minute, 20*time.Minute, 40*time.Minute
	h := s
	h.Name, h.Key, h.Value, h.Hash = "ah", "ah:{id:int}", "", []string{"data", "n"}
	return []route.Spec{s, h}
}

// What a value has left at each age, in milliseconds.
const (
	aging   = "2700000"
	stale   = "1800000"
	overdue = "600000"
)

// grow makes values as old as if time had passed: their ends, and those of their stamps, come nearer.
func (f *front) grow(t testing.TB, left string, keys ...string) {
	t.Helper()
	words := []any{"EVAL", "for i = 1, #KEYS do redis.call('PEXPIRE', KEYS[i], ARGV[1]); redis.call('PEXPIRE', '__forebay:stamp:{' .. KEYS[i] .. '}', ARGV[1]) end", len(keys)}
	for _, k := range keys {
		words = append(words, k)
	}
	f.redis.Do(t, append(words, left)...)
}

// hits are the events of hits and misses: "hit redis stale a:1", with the error where there is one.
func (f *front) hits(t testing.TB) (list []string) {
	t.Helper()
	must(t, f.events.Flush(t.Context()))
	f.lines.mu.Lock()
	defer f.lines.mu.Unlock()
	for _, m := range f.lines.all {
		if m["kind"] == "hit" || m["kind"] == "miss" {
			words := fmt.Sprint(m["kind"], " ", m["origin"], " ", m["result"], " ", m["key"])
			if m["error"] != nil {
				words += " error"
			}
			list = append(list, strings.ReplaceAll(words, "<nil> ", ""))
		}
	}
	f.lines.all = nil
	return list
}

func (f *front) saw(t testing.TB, want ...string) {
	t.Helper()
	if got := f.hits(t); !slices.Equal(got, want) {
		t.Errorf("events %q, want %q", got, want)
	}
}

func TestAgesOfAValue(t *testing.T) {
	f := start(t, options{routes: aged()})
	c := dial(t, f.addr)
	c.do(bulk("value-1")+bulk("value-2")+"*1\r\n"+bulk("value-3"), "GET a:1", "GET a:2", "HMGET ah:3 data")
	if left := f.left(t, "a:1"); left < 99*time.Minute || left > 100*time.Minute {
		t.Errorf("it is kept for %v, want its TTL and 40 minutes", left)
	}
	c.do(bulk("value-1")+bulk("value-3"), "GET a:1", "HGET ah:3 data")
	f.saw(t, "miss source loaded a:1", "miss source loaded a:2", "miss source loaded ah:3", "hit redis a:1", "hit redis ah:3")
	for id := range int64(4) {
		f.source.set(id, fmt.Sprint("new-", id))
	}

	f.grow(t, aging, "a:1")
	c.do(bulk("value-1"), "GET a:1")
	f.saw(t, "hit redis a:1")
	eventually(t, "an aging value is refreshed", func() bool { return f.redis.Do(t, "GET", "a:1") == "new-1" && f.left(t, "a:1") > 99*time.Minute })

	f.grow(t, stale, "ah:3")
	c.do("*2\r\n"+bulk("value-3")+bulk("3"), "HMGET ah:3 data n")
	f.saw(t, "hit redis stale ah:3")
	eventually(t, "a stale hash is refreshed", func() bool { return f.redis.Do(t, "HGET", "ah:3", "data") == "new-3" })
	c.do(bulk("new-3"), "HGET ah:3 data")
	f.saw(t, "hit redis ah:3")

	f.grow(t, overdue, "a:2")
	c.do("*3\r\n"+bulk("new-1")+bulk("new-2")+"$-1\r\n", "MGET a:1 a:2 none")
	f.saw(t, "hit redis a:1", "miss unrouted none", "miss source loaded a:2")
	if got := f.redis.Do(t, "GET", "a:2"); got != "new-2" {
		t.Errorf("an overdue value is left as %v", got)
	}
}

func TestOverdueWhileTheSourceFails(t *testing.T) {
	f := start(t, options{routes: aged()})
	c := dial(t, f.addr)
	c.do(bulk("value-1")+bulk("value-2")+bulk("value-3"), "GET a:1", "GET a:2", "HGET ah:3 data")
	f.hits(t)
	f.grow(t, overdue, "a:1", "a:2", "ah:3")
	f.source.hold(func([]any) error { return fmt.Errorf("%w: cut", backend.ErrSourceDown) })
	c.do(bulk("value-1")+"*2\r\n"+bulk("value-1")+bulk("value-2")+":7\r\n", "GET a:1", "MGET a:1 a:2", "HSTRLEN ah:3 data")
	f.saw(t, "hit redis stale a:1 error", "hit redis stale a:1 error", "hit redis stale a:2 error", "hit redis stale ah:3 error")
	c.send(frames("GET a:4"))
	if got := c.reply(); !strings.HasPrefix(got, "-SOURCEDOWN") {
		t.Errorf("of a key that is not there: %q", got)
	}
	f.source.hold(nil)
	f.source.set(1, "new-1")
	c.do(bulk("new-1"), "GET a:1")
}

func TestARowThatIsGoneTakesItsValueAlong(t *testing.T) {
	f := start(t, options{routes: aged()})
	c := dial(t, f.addr)
	f.source.set(1000, "v")
	c.do(bulk("v"), "GET a:1000")
	f.grow(t, overdue, "a:1000")
	f.source.remove(1000)
	c.do("$-1\r\n$-1\r\n", "GET a:1000", "GET a:1000")
	if n := f.redis.Do(t, "EXISTS", "a:1000", "__forebay:stamp:{a:1000}"); n != int64(0) {
		t.Errorf("%v keys are left", n)
	}
	f.saw(t, "miss source loaded a:1000", "miss absent a:1000", "miss absent a:1000")
}

// Whatever a client sets has no age, however short it lives, through Forebay or straight at Redis, and even where it sets what was there.
func TestClientsValuesHaveNoAge(t *testing.T) {
	f := start(t, options{routes: aged()})
	c := dial(t, f.addr)
	for i, write := range [][]string{
		{"SET", "a:1", "theirs", "PX", overdue},
		{"SET", "a:1", "value-1", "PX", overdue},
		{"PEXPIRE", "a:1", overdue},
		{"SET", "a:1", "theirs"},
		{"GETEX", "a:1", "PX", stale},
		{"GETEX", "a:1", "PERSIST"},
		{"SET", "a:1", "theirs", "PX", aging},
		{"EVAL", "redis.call('SET', KEYS[1], 'theirs', 'PX', ARGV[1])", "1", "a:1", overdue},
	} {
		for _, direct := range []bool{false, true} {
			c.send(frame("DEL", "a:1") + frames("GET a:1"))
			c.reply()
			c.reply()
			if direct {
				words := make([]any, len(write))
				for i, w := range write {
					words[i] = w
				}
				f.redis.Do(t, words...)
			} else {
				c.send(frame(write...))
				c.reply()
			}
			f.hits(t)
			before, queries := f.redis.Do(t, "GET", "a:1"), f.source.queries.Load()
			c.do(strings.Repeat(bulk(fmt.Sprint(before)), 2), "GET a:1", "GET a:1")
			f.saw(t, "hit redis a:1", "hit redis a:1")
			if after := f.redis.Do(t, "GET", "a:1"); after != before || f.source.queries.Load() != queries {
				t.Errorf("write %d, direct %v: %v became %v, %d queries", i, direct, before, after, f.source.queries.Load()-queries)
			}
		}
	}
}

func TestAgesInPipelinesAndOnOtherConnections(t *testing.T) {
	f := start(t, options{routes: aged()})
	c := dial(t, f.addr)
	c.do(bulk("value-1")+bulk("value-2"), "GET a:1", "GET a:2")
	f.grow(t, stale, "a:2")
	f.hits(t)
	c.do("+OK\r\n"+bulk("value-1")+bulk("v")+"*2\r\n"+bulk("value-2")+bulk("value-1")+"+PONG\r\n"+bulk("value-2"),
		"SET k v", "GET a:1", "GET k", "MGET a:2 a:1", "PING", "GET a:2")
	f.grow(t, overdue, "a:2")
	f.hits(t)
	c.do("+OK\r\n+QUEUED\r\n*1\r\n"+bulk("value-2"), "MULTI", "GET a:2", "EXEC")
	c.do("+OK\r\n"+bulk("value-2")+":7\r\n"+bulk("value-2")+"+OK\r\n", "WATCH a:2", "GET a:2", "STRLEN a:2", "GETRANGE a:2 0 -1", "UNWATCH")
	f.saw(t, "hit redis a:2", "hit redis a:2", "hit redis a:2", "hit redis a:2")
}

// Large values are looked at before a byte of them is passed on.
func TestAgesOfLargeValues(t *testing.T) {
	f := start(t, options{routes: aged()})
	old, next := strings.Repeat("old", 100_000), strings.Repeat("new", 120_000)
	f.source.set(1, old)
	c := dial(t, f.addr)
	c.do(bulk(old)+bulk(old), "GET a:1", "GET a:1")
	f.source.set(1, next)
	f.grow(t, overdue, "a:1")
	f.hits(t)
	c.do(bulk(next)+"+PONG\r\n", "GET a:1", "PING")
	c.do(bulk(next), "GET a:1")
	f.saw(t, "miss source loaded a:1", "hit redis a:1")
	f.grow(t, stale, "a:1")
	f.source.set(1, "small")
	c.do(bulk(next), "GET a:1")
	eventually(t, "it is refreshed", func() bool { return f.redis.Do(t, "GET", "a:1") == "small" })
}

// A user who may not ask for the age has it asked by the engine.
func TestAgesThatAUserMayNotAsk(t *testing.T) {
	f := start(t, options{routes: aged(), mayRead: func(string, string) bool { return true }})
	f.redis.Do(t, "ACL", "SETUSER", "reader", "on", ">pw", "~*", "+get", "+mget", "+auth")
	c := dial(t, f.addr)
	c.do("+OK\r\n"+bulk("value-1"), "AUTH reader pw", "GET a:1")
	f.grow(t, stale, "a:1")
	f.hits(t)
	c.do(bulk("value-1")+"*1\r\n"+bulk("value-1"), "GET a:1", "MGET a:1")
	if got := f.hits(t); len(got) != 2 || got[0] != "hit redis stale a:1" {
		t.Errorf("events %q", got)
	}
}

// Near copies end when their value ages.
func TestNearCopiesAreFresh(t *testing.T) {
	f := start(t, options{routes: aged(), follow: true})
	c := dial(t, f.addr)
	near := func(key, value string) {
		eventually(t, "a near copy", func() bool {
			c.do(bulk(value), "GET "+key)
			return slices.Contains(f.hits(t), "hit near "+key)
		})
	}
	near("a:1", "value-1")
	f.source.set(1, "new-1")
	f.grow(t, aging, "a:1")
	eventually(t, "the copy is dropped, and the value refreshed", func() bool {
		c.send(frames("GET a:1"))
		return c.reply() == bulk("new-1")
	})
	near("a:1", "new-1")
}

// Redis may leave before it has answered what was asked with an age.
func TestAgesWhenRedisLeaves(t *testing.T) {
	f := start(t, options{routes: aged()})
	c := dial(t, f.addr)
	c.do(bulk("value-1"), "GET a:1")
	f.redis.Stop()
	c.do(bulk("value-1")+"*2\r\n"+bulk("value-1")+bulk("value-2"), "GET a:1", "MGET a:1 a:2")
	f.source.hold(func([]any) error { return errors.New("no") })
	c.send(frames("GET a:1"))
	if got := c.reply(); got[0] != '-' {
		t.Errorf("with neither: %q", got)
	}
	f.source.hold(nil)
}
