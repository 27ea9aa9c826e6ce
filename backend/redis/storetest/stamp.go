package storetest

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"forebay/backend"
)

// stampedEntry stores a value with a stamp, under the lease of a grant.
func stampedEntry(key string, g backend.Grant, value []byte, hash bool) backend.Entry {
	return backend.Entry{Key: []byte(key), Lease: g.Lease, Value: value, Hash: hash, TTL: time.Minute, Stamp: true}
}

func age(key string, hash bool) backend.Ask {
	a := backend.Ask{Key: []byte(key), Age: true}
	if hash {
		a.As = backend.AsHash
	}
	return a
}

// stampValues are one of each kind, by how they are digested.
func stampValues() map[string][]byte {
	field := func(n int) (hash []byte) {
		for i := range n {
			hash = backend.AppendField(hash, fmt.Appendf(nil, "f%d", i), fmt.Appendf(nil, "\r\n%d\xff", i))
		}
		return hash
	}
	return map[string][]byte{
		"string": []byte("value"), "empty": {}, "most": bytes.Repeat([]byte("m"), backend.MaxInline),
		"large": bytes.Repeat([]byte("l"), backend.MaxInline+1), "hash": field(3), "hash most": field(512), "hash large": field(513),
	}
}

func isHash(name string) bool { return strings.HasPrefix(name, "hash") }

// fillStamped stores stampValues, and whatever else.
func (s *suite) fillStamped(t *testing.T, values map[string][]byte) {
	t.Helper()
	var entries []backend.Entry
	for k, v := range values {
		entries = append(entries, stampedEntry(k, s.ask(t, 0, life, age(k, isHash(k)))[0], v, isHash(k)))
	}
	if got := s.settle(t, 0, entries...); strings.Contains(got, "false") {
		t.Fatalf("settled: %s", got)
	}
}

func own(g backend.Grant) string { return fmt.Sprint(show([]backend.Grant{g})[:7], " ", g.Own) }

// stampOwn: what Forebay has stored is its own until anybody writes it, in whichever way.
func stampOwn(t *testing.T, s *suite) {
	values := stampValues()
	s.fillStamped(t, values)
	for k := range values {
		g := s.ask(t, 0, 0, age(k, isHash(k)))[0]
		if own(g) != "present true" || g.TTL <= 50*time.Second || g.TTL > time.Minute {
			t.Errorf("%s: %s, %v left", k, own(g), g.TTL)
		}
	}
	if g := s.ask(t, 0, 0, age("none", false))[0]; g.State != backend.Free || g.Own || g.TTL >= 0 {
		t.Errorf("of nothing: %+v", g)
	}
	for name, write := range map[string]func(k string){
		"other bytes, another end":  func(k string) { s.do(t, 0, "set", k, "theirs", "px", 30_000) },
		"the same, another end":     func(k string) { s.do(t, 0, "set", k, "value", "px", 30_000) },
		"the same, for ever":        func(k string) { s.do(t, 0, "set", k, "value") },
		"other bytes, the same end": func(k string) { s.do(t, 0, "append", k, "x") },
		"another end":               func(k string) { s.do(t, 0, "pexpire", k, 59_000) },
		"no end":                    func(k string) { s.do(t, 0, "persist", k) },
		"through a Forebay":         func(k string) { s.drop(t, 0, k) },
	} {
		s.fillStamped(t, map[string][]byte{name: []byte("value")})
		write(name)
		if g := s.ask(t, 0, 0, age(name, false))[0]; own(g) != "present false" {
			t.Errorf("%s: %s", name, own(g))
		}
	}
	s.do(t, 0, "hset", "hash", "f1", "theirs")
	if g := s.ask(t, 0, 0, age("hash", true))[0]; own(g) != "present false" {
		t.Errorf("a field that was changed: %s", own(g))
	}
	plain := end("plain", s.acquire(t, 0, "plain")[0], backend.StoreValue)
	s.settle(t, 0, plain)
	if g := s.ask(t, 0, 0, age("plain", false))[0]; own(g) != "present false" {
		t.Errorf("stored without a stamp: %s", own(g))
	}
	both := s.ask(t, 0, 0, age("most", false), backend.Ask{Key: []byte("plain")}, age("hash most", true))
	if !both[0].Own || string(both[1].Value) != "loaded" || !both[2].Own {
		t.Errorf("asks of both kinds: %v, %.100q, %v", both[0].Own, both[1].Value, both[2].Own)
	}
}

// stampRefresh: a value of any kind is refreshed if it is Forebay's own and due, and if it is then still what was seen.
func stampRefresh(t *testing.T, s *suite) {
	values := stampValues()
	s.fillStamped(t, values)
	for k, v := range values {
		ask := age(k, isHash(k))
		ask.Refresh, ask.Due = true, time.Second
		if g := s.ask(t, 0, life, ask)[0]; own(g) != "present true" {
			t.Errorf("%s: not due: %s", k, own(g))
		}
		ask.Due = time.Minute
		g := s.ask(t, 0, life, ask)[0]
		if g.State != backend.Taken || !g.Own {
			t.Fatalf("%s: due: %s", k, own(g))
		}
		if busy := s.ask(t, 0, life, ask)[0]; busy.State != backend.Busy || !busy.Own {
			t.Errorf("%s: meanwhile: %+v", k, busy)
		}
		next := append([]byte("new"), v...)
		if isHash(k) {
			next = backend.AppendField(nil, []byte("only"), []byte("one"))
		}
		e := stampedEntry(k, g, next, isHash(k))
		e.Do, e.Seen = backend.RefreshValue, v
		if got := s.settle(t, 0, e); got != "[true]" {
			t.Errorf("%s: refresh: %s", k, got)
		}
		after := s.ask(t, 0, 0, age(k, isHash(k)))[0]
		if own(after) != "present true" || after.Value != nil && !bytes.Equal(after.Value, next) {
			t.Errorf("%s: refreshed: %s, %.100q", k, own(after), after.Value)
		}
	}
	if keys, _ := s.do(t, 0, "keys", "__forebay:stage:*").([]any); len(keys) != 0 {
		t.Errorf("stages are left: %v", keys)
	}
	short := age("short", false)
	short.Refresh, short.Due = true, time.Hour
	s.do(t, 0, "set", "short", "theirs", "px", 30_000)
	if g := s.ask(t, 0, life, short)[0]; own(g) != "present false" {
		t.Errorf("a client's, with a short TTL: %s", own(g))
	}
}

// stampMeanwhile: whatever happens between Acquire and Settle, nothing is replaced, removed or left behind.
func stampMeanwhile(t *testing.T, s *suite) {
	for name, meanwhile := range map[string]func(k string){
		"other bytes, the same end": func(k string) {
			if isHash(k) {
				s.do(t, 0, "hset", k, "f", "theirs")
				return
			}
			s.do(t, 0, "append", k, "x")
		},
		"set":         func(k string) { s.do(t, 0, "set", k, "theirs") },
		"another end": func(k string) { s.do(t, 0, "pexpire", k, 59_000) },
		"removed":     func(k string) { s.do(t, 0, "del", k) },
		"dropped":     func(k string) { s.drop(t, 0, k) },
		"raised":      func(string) { s.dropAll(t, 0) },
		"a field set": func(k string) { s.do(t, 0, "del", k); s.do(t, 0, "hset", k, "f", "theirs") },
		"flushed":     func(string) { s.do(t, 0, "flushall") },
	} {
		for _, hash := range []bool{false, true} {
			for _, do := range []backend.Ending{backend.RefreshValue, backend.MarkAbsent, backend.CheckOnly} {
				k := fmt.Sprint(name, hash, do)
				v := []byte("value")
				if hash {
					k, v = "hash "+k, backend.AppendField(nil, []byte("f"), []byte("value"))
				}
				s.fillStamped(t, map[string][]byte{k: v})
				ask := age(k, hash)
				ask.Refresh, ask.Due = true, time.Hour
				e := stampedEntry(k, s.ask(t, 0, life, ask)[0], v, hash)
				e.Do, e.Seen = do, v
				meanwhile(k)
				before := s.do(t, 0, "type", k)
				if got := s.settle(t, 0, e); got != "[false]" {
					t.Errorf("%s: ending %d fits", k, do)
				}
				if after := s.do(t, 0, "type", k); after != before {
					t.Errorf("%s: ending %d made %v of %v", k, do, after, before)
				}
			}
		}
	}
}

// stampGone: a row that is gone takes its value along; a check leaves it.
func stampGone(t *testing.T, s *suite) {
	s.fillStamped(t, map[string][]byte{"gone": []byte("v"), "checked": []byte("v")})
	refresh := func(k string) backend.Ask {
		return backend.Ask{Key: []byte(k), Age: true, Refresh: true, Due: time.Hour}
	}
	g := s.ask(t, 0, life, refresh("gone"), refresh("checked"))
	gone, checked := end("gone", g[0], backend.MarkAbsent), end("checked", g[1], backend.CheckOnly)
	gone.Seen, checked.Seen, gone.Stamp, checked.Stamp = []byte("v"), []byte("v"), true, true
	if got := s.settle(t, 0, gone, checked); got != "[true true]" {
		t.Errorf("settled: %s", got)
	}
	if got := show(s.ask(t, 0, life, age("gone", false), age("checked", false))); got != "absent present=v" {
		t.Errorf("afterwards: %s", got)
	}
	if n := s.do(t, 0, "exists", "__forebay:stamp:{gone}", "__forebay:lease:{checked}"); n != int64(0) {
		t.Errorf("%v hidden keys are left", n)
	}
}

// stampTracked: what is refreshed is as much to be given back as it was.
func stampTracked(t *testing.T, s *suite) {
	const filled = "__forebay:session:filled"
	for _, track := range []bool{false, true} {
		k := fmt.Sprint("k", track)
		e := stampedEntry(k, s.ask(t, 0, life, age(k, false))[0], []byte("old"), false)
		e.Track = track
		s.settle(t, 0, e)
		before := s.do(t, 0, "hget", filled, k)
		g := s.ask(t, 0, life, backend.Ask{Key: []byte(k), Age: true, Refresh: true, Due: time.Hour})[0]
		e = stampedEntry(k, g, []byte("new"), false)
		e.Do, e.Seen = backend.RefreshValue, []byte("old")
		s.settle(t, 0, e)
		after := s.do(t, 0, "hget", filled, k)
		if (before == nil) == track || (after == nil) == track || track && before == after {
			t.Errorf("tracked %v: the mark was %q and is %q", track, before, after)
		}
	}
}
