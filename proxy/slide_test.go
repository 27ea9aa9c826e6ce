package proxy_test

import (
	"testing"
	"time"

	"forebay/internal/route"
)

// sliding are routes of an hour that slide: s:<id> of strings and sh:<id> of hashes.
func sliding() []route.Spec {
	where := []route.Bind{{Column: "part", Expr: "{id / 100}"}, {Column: "id", Expr: "{id}"}}
	return []route.Spec{
		{Name: "s", Key: "s:{id:int}", Table: "t", Value: "data", TTL: time.Hour, Where: where, Sliding: true},
		{Name: "sh", Key: "sh:{id:int}", Table: "t", Hash: []string{"data"}, TTL: time.Hour, Where: where, Sliding: true},
	}
}

// left is a key's TTL in Redis.
func (f *front) left(t testing.TB, key string) time.Duration {
	t.Helper()
	return time.Duration(f.redis.Do(t, "PTTL", key).(int64)) * time.Millisecond
}

const (
	old   = "2400000" // ms: 40 of 60 minutes, less than three quarters
	young = "3000000"
)

func TestReadsExtendSlidingTTLs(t *testing.T) {
	f := start(t, options{routes: sliding()})
	c := dial(t, f.addr)
	c.send(frames("GET s:1", "HLEN sh:1"))
	c.reply()
	c.reply()
	for i, read := range [][]string{
		{"GET s:2"}, {"MGET s:3 t:1"}, {"STRLEN s:4"}, {"GETRANGE s:5 0 1"}, {"HGET sh:6 data"}, {"HGETALL sh:7"}, {"MULTI", "GET s:8", "EXEC"},
	} {
		key := []string{"s:2", "s:3", "s:4", "s:5", "sh:6", "sh:7", "s:8"}[i]
		fill := "GET " + key
		if key[1] == 'h' {
			fill = "HLEN " + key
		}
		c.send(frames(fill)) // a load: no hit yet
		c.reply()
		f.redis.Do(t, "PEXPIRE", key, old)
		c.send(frames(read...))
		for range read {
			c.reply()
		}
		eventually(t, read[0]+" extends it", func() bool { return f.left(t, key) > 59*time.Minute })
	}
}

func TestWhatDoesNotSlide(t *testing.T) {
	f := start(t, options{routes: sliding()})
	c := dial(t, f.addr)
	c.do(bulk("value-1")+bulk("value-2")+bulk("value-3"), "GET s:1", "GET s:2", "GET t:3")
	f.redis.Do(t, "PEXPIRE", "s:1", young)    // too early
	f.redis.Do(t, "PEXPIRE", "t:3", old)      // its TTL is fixed
	f.redis.Do(t, "SET", "s:4", "a client's") // for ever
	f.redis.Do(t, "PEXPIRE", "s:2", old)
	read := func() {
		c.do(bulk("value-1")+bulk("value-3")+bulk("a client's")+bulk("value-2"), "GET s:1", "GET t:3", "GET s:4", "GET s:2")
	}
	read()
	eventually(t, "s:2, asked for last, is extended", func() bool { return f.left(t, "s:2") > 59*time.Minute })
	f.redis.Do(t, "PEXPIRE", "s:2", old) // but that was just now
	read()
	c.do(bulk("value-5"), "GET s:5")
	f.redis.Do(t, "PEXPIRE", "s:5", old)
	c.do(bulk("value-5"), "GET s:5")
	eventually(t, "s:5, asked for still later, is extended", func() bool { return f.left(t, "s:5") > 59*time.Minute })
	for key, most := range map[string]time.Duration{"s:1": 50 * time.Minute, "t:3": 40 * time.Minute, "s:2": 40 * time.Minute} {
		if got := f.left(t, key); got > most || got < most-time.Minute {
			t.Errorf("%s has %v left, want %v", key, got, most)
		}
	}
	if got := f.redis.Do(t, "PTTL", "s:4"); got != int64(-1) {
		t.Errorf("a client's value got a TTL: %v", got)
	}
}
