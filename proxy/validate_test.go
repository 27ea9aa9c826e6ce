package proxy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"forebay/internal/route"
)

const (
	goodPickle = "\x80\x04K\x01."
	cutPickle  = "\x80\x04K"
	evilPickle = "cos\nsystem\n(S'true'\ntR."
)

// ruled are routes with rules: v: for lengths, and one of pickles for each policy. The rows' own values ("value-7") meet those of v:.
func ruled() []route.Spec {
	of := func(name string, v route.Validate) route.Spec {
		return route.Spec{
			Name: name, Key: name + ":{id:int}", Table: "t", Value: "data", TTL: time.Hour, Validate: &v,
			Where: []route.Bind{{Column: "part", Expr: "{id / 100}"}, {Column: "id", Expr: "{id}"}},
		}
	}
	return []route.Spec{
		of("v", route.Validate{MinBytes: 3, MaxBytes: 100}),
		of("off", route.Validate{Format: "pickle"}),
		of("log", route.Validate{Format: "pickle", Pickle: "log"}),
		of("reject", route.Validate{Format: "pickle", Pickle: "reject", MaxBytes: 100 << 20}),
	}
}

// found lists the findings so far: origin, reason and key of each.
func (f *front) found(t testing.TB) (list []string) {
	t.Helper()
	must(t, f.events.Flush(t.Context()))
	f.lines.mu.Lock()
	defer f.lines.mu.Unlock()
	for _, m := range f.lines.all {
		if m["kind"] == "invalid" {
			list = append(list, fmt.Sprint(m["origin"], " ", m["reason"], " ", m["key"]))
		}
	}
	return list
}

func same(t testing.TB, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

// Whatever reads a value that breaks the rules of its route gets another, and Redis has that one then.
func TestReadsOfABadValue(t *testing.T) {
	f := start(t, options{routes: ruled()})
	loaded := bulk("value-1")
	queued := func(n int) string { return "+OK\r\n" + strings.Repeat("+QUEUED\r\n", n) }
	for name, tt := range map[string]struct {
		commands []string
		want     string
		left     string // in Redis
		reads    []string
		found    int
	}{
		"get":                   {[]string{"GET v:1"}, loaded, "value-1", []string{"miss loaded v:1"}, 1},
		"gets in a pipeline":    {[]string{"GET v:1", "GET v:1"}, loaded + loaded, "value-1", nil, 1},
		"getex":                 {[]string{"GETEX v:1 EX 7"}, loaded, "value-1", []string{"miss loaded v:1"}, 1},
		"getdel":                {[]string{"GETDEL v:1"}, loaded, "", []string{"miss loaded v:1"}, 1},
		"strlen":                {[]string{"STRLEN v:1"}, ":7\r\n", "value-1", []string{"miss loaded v:1"}, 1},
		"getrange, all of it":   {[]string{"GETRANGE v:1 0 -1"}, loaded, "value-1", []string{"miss loaded v:1"}, 1},
		"getrange, a part":      {[]string{"GETRANGE v:1 0 0"}, bulk("x"), "x", []string{"hit redis v:1"}, 0},
		"append":                {[]string{"APPEND v:1 z"}, ":8\r\n", "value-1z", nil, 1},
		"a script":              {[]string{"EVAL return(redis.call('GET',KEYS[1])) 1 v:1"}, loaded, "value-1", nil, 1},
		"a key of another type": {[]string{"DEL v:1", "RPUSH v:1 a", "COPY v:1 b", "GET v:1"}, ":1\r\n:1\r\n:1\r\n-WRONGTYPE Operation against a key holding the wrong kind of value\r\n", "-", nil, 0},
		"a look":                {[]string{"EXISTS v:1"}, ":1\r\n", "x", nil, 0},
		"mget":                  {[]string{"MGET v:2 v:1 t:1 none"}, "*4\r\n" + bulk("fine") + loaded + loaded + "$-1\r\n", "value-1", nil, 1},
		"a transaction":         {[]string{"MULTI", "GET v:1", "MGET v:1 v:2", "EXEC"}, queued(2) + "*2\r\n" + loaded + "*2\r\n" + loaded + bulk("fine"), "value-1", nil, 1},
		"and one that deletes":  {[]string{"MULTI", "GET v:1", "DEL v:1", "EXEC"}, queued(2) + "*2\r\n" + loaded + ":1\r\n", "", []string{"miss loaded v:1"}, 1},
		"and one that sets":     {[]string{"MULTI", "SET v:1 y", "GET v:1", "EXEC"}, queued(2) + "*2\r\n+OK\r\n" + bulk("y"), "y", nil, 0},
		"a read of its own":     {[]string{"SET v:1 y", "GET v:1"}, "+OK\r\n" + loaded, "value-1", []string{"miss loaded v:1"}, 1},
		"a good one":            {[]string{"SET v:1 long-enough", "GET v:1"}, "+OK\r\n" + bulk("long-enough"), "long-enough", []string{"hit redis v:1"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			f.redis.Do(t, "FLUSHALL")
			f.redis.Do(t, "SET", "v:1", "x")
			f.redis.Do(t, "SET", "v:2", "fine")
			before, events := len(f.reads(t)), len(f.found(t))
			c := dial(t, f.addr)
			c.do(tt.want, tt.commands...)
			if tt.left == "-" {
				return
			}
			if got := fmt.Sprint(f.redis.Do(t, "GET", "v:1")); got != tt.left && !(tt.left == "" && (got == "<nil>" || got == "")) {
				t.Errorf("redis is left with %q, want %q", got, tt.left)
			}
			if tt.reads != nil {
				same(t, "reads", f.reads(t)[before:], tt.reads)
			}
			found := f.found(t)[events:]
			if len(found) != tt.found || tt.found == 1 && found[0] != "redis length v:1" {
				t.Errorf("found %q, want %d", found, tt.found)
			}
			c.do("+PONG\r\n", "PING")
		})
	}
	// What a client watches is judged before: its transaction is not aborted by Forebay's removing the bad one.
	f.redis.Do(t, "SET", "v:1", "x")
	c := dial(t, f.addr)
	c.do("+OK\r\n"+loaded, "WATCH v:1", "GET v:1")
	c.do("+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n", "MULTI", "SET a 1", "EXEC")
	if got := fmt.Sprint(f.redis.Do(t, "GET", "v:1")); got != "value-1" {
		t.Errorf("the watched key holds %q", got)
	}
	dial(t, f.addr).do(loaded, "GETEX v:1 EX 7")
	if ttl := fmt.Sprint(f.redis.Do(t, "TTL", "v:1")); ttl != "7" && ttl != "6" {
		t.Errorf("the expiry that GETEX asked for is %s", ttl)
	}
}

// What becomes of pickles, by policy, in Redis and in the source.
func TestPicklesByPolicy(t *testing.T) {
	f := start(t, options{routes: ruled()})
	f.source.set(1, goodPickle)
	f.source.set(2, cutPickle)
	f.source.set(3, evilPickle)
	invalid := func(route, what string) string {
		return "-SOURCEINVALID check value of route \"" + route + "\": " + what
	}
	for name, tt := range map[string]struct {
		key, redis string // what a client past Forebay has stored
		want       string
		found      []string
	}{
		"off, good":             {"off:1", goodPickle, bulk(goodPickle), nil},
		"off, truncated":        {"off:1", cutPickle, bulk(goodPickle), []string{"redis format off:1"}},
		"off, hostile":          {"off:1", evilPickle, bulk(evilPickle), nil},
		"off, truncated row":    {"off:2", "", invalid("off", "value of 3 bytes at byte 2: no whole pickle"), []string{"source format off:2"}},
		"log, truncated":        {"log:1", cutPickle, bulk(goodPickle), []string{"redis format log:1"}},
		"log, hostile":          {"log:1", evilPickle, bulk(evilPickle), []string{"redis pickle log:1"}},
		"log, hostile row":      {"log:3", "", bulk(evilPickle), []string{"source pickle log:3"}},
		"reject, good":          {"reject:1", goodPickle, bulk(goodPickle), nil},
		"reject, hostile":       {"reject:1", evilPickle, bulk(goodPickle), []string{"redis pickle reject:1"}},
		"reject, hostile row":   {"reject:3", "", invalid("reject", "value of 23 bytes at byte 0: pickle policy: asks for \"system\" of module \"os\""), []string{"source pickle reject:3"}},
		"reject, both":          {"reject:3", evilPickle, invalid("reject", "value of 23 bytes"), []string{"redis pickle reject:3", "source pickle reject:3"}},
		"reject, no row either": {"reject:1001", evilPickle, "$-1\r\n", []string{"redis pickle reject:1001"}},
	} {
		t.Run(name, func(t *testing.T) {
			f.redis.Do(t, "FLUSHALL")
			if tt.redis != "" {
				f.redis.Do(t, "SET", tt.key, tt.redis)
			}
			events := len(f.found(t))
			c := dial(t, f.addr)
			c.send(frame("GET", tt.key))
			if got := c.reply(); !strings.HasPrefix(got, tt.want) || got[0] == '-' && !strings.HasSuffix(got, "; ask the owner of the dataset\r\n") {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			same(t, "found", f.found(t)[events:], tt.found)
			if tt.want[0] == '-' && fmt.Sprint(f.redis.Do(t, "EXISTS", tt.key)) != "0" {
				t.Error("redis is left with it")
			}
		})
	}
	c := dial(t, f.addr)
	c.send(frame("MGET", "reject:1", "reject:3"))
	if got := c.reply(); !strings.HasPrefix(got, "-SOURCEINVALID") {
		t.Errorf("an MGET with a bad row: %q", got)
	}
}

// A client's good SET between the finding of a bad value and the load that follows survives, and is what the reader gets:
//
//  1. R's GET finds x, which is discarded. Its load is held.
//  2. W sets a good value.
//  3. The load ends: it stores nothing, and R gets W's.
func TestASetWhileABadValueIsLoadedAnew(t *testing.T) {
	for name, past := range map[string]bool{"through forebay": false, "past it": true} {
		t.Run(name, func(t *testing.T) {
			f := start(t, options{routes: ruled()})
			f.redis.Do(t, "SET", "v:1", "x")
			g := f.gate(t)
			r := dial(t, f.addr)
			r.send(frame("GET", "v:1"))
			g.wait()
			if got := fmt.Sprint(f.redis.Do(t, "EXISTS", "v:1")); got != "0" {
				t.Errorf("the bad value is there while another is loaded")
			}
			if past {
				f.redis.Do(t, "SET", "v:1", "theirs")
			} else {
				dial(t, f.addr).do("+OK\r\n", "SET v:1 theirs")
			}
			close(g.open)
			r.expect(bulk("theirs"))
			if got := fmt.Sprint(f.redis.Do(t, "GET", "v:1")); got != "theirs" {
				t.Errorf("redis is left with %q", got)
			}
		})
	}
}

// Size is no way around a policy: a value that would be streamed is gathered and judged first.
func TestLargeBadValues(t *testing.T) {
	f := start(t, options{routes: ruled()})
	large := strings.Repeat("x", 300_000)
	good := string([]byte{0x80, 4, 'B', byte(len(large)), byte(len(large) >> 8), byte(len(large) >> 16), 0}) + large + "."
	evil := "(" + strings.Repeat("K\x01", 150_000) + "tcos\nsystem\n(S'true'\ntR."
	f.source.set(1, goodPickle)
	f.redis.Do(t, "SET", "reject:2", good)
	for range 2 { // once on the shared connection, once as a key known to be large
		f.redis.Do(t, "SET", "reject:1", evil)
		f.redis.Do(t, "SET", "v:3", large)
		c := dial(t, f.addr)
		c.do(bulk(goodPickle)+bulk(good)+":7\r\n"+"+PONG\r\n", "GET reject:1", "GET reject:2", "STRLEN v:3", "PING")
	}
}
