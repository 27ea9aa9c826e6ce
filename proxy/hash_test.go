package proxy_test

import (
	"slices"
	"testing"
)

func TestHashRoutes(t *testing.T) {
	f := start(t, options{})
	all := func(n string) string { return bulk("data") + bulk("value-"+n) + bulk("n") + bulk(n) }
	const wrong = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"
	tests := []struct {
		name, want string
		commands   []string
	}{
		{"hget of a miss, then of a hit", bulk("value-1") + bulk("1"), []string{"HGET h:1 data", "HGET h:1 n"}},
		{"a null column and an unknown field are absent", "$-1\r\n$-1\r\n", []string{"HGET h:2 none", "HGET h:2 other"}},
		{"hmget", "*3\r\n" + bulk("3") + "$-1\r\n" + bulk("value-3"), []string{"HMGET h:3 n none data"}},
		{"hgetall", "*4\r\n" + all("4"), []string{"HGETALL h:4"}},
		{"hexists", ":1\r\n:0\r\n", []string{"HEXISTS h:5 n", "HEXISTS h:5 none"}},
		{"hlen", ":2\r\n", []string{"HLEN h:6"}},
		{"hkeys", "*2\r\n" + bulk("data") + bulk("n"), []string{"HKEYS h:7"}},
		{"hvals", "*2\r\n" + bulk("value-8") + bulk("8"), []string{"HVALS h:8"}},
		{"hstrlen", ":7\r\n", []string{"HSTRLEN h:9 data"}},
		{"an absent row", "$-1\r\n*0\r\n:0\r\n:0\r\n*1\r\n$-1\r\n", []string{"HGET h:5000 n", "HGETALL h:5000", "HLEN h:5000", "HEXISTS h:5000 n", "HMGET h:5000 n"}},
		{"the hash has a ttl", bulk("10") + ":1\r\n", []string{"HGET h:10 n", "EXPIRE h:10 100 LT"}},
		{"a partial write loads first", ":11\r\n" + ":12\r\n" + bulk("value-11"), []string{"HINCRBY h:11 n 0", "HINCRBY h:11 n 1", "HGET h:11 data"}},
		{"hset of a field leaves the others", ":1\r\n:3\r\n", []string{"HSET h:12 mine x", "HLEN h:12"}},
		{"a partial write sees the delete before it", ":0\r\n:1\r\n" + bulk("value-13"), []string{"DEL h:13", "HDEL h:13 n", "HGET h:13 data"}},
		{"get on a hash route is Redis's", "$-1\r\n", []string{"GET h:14"}},
		{"hget on a string is an error", "+OK\r\n" + wrong, []string{"SET h:15 x", "HGET h:15 n"}},
		{"in a transaction", "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n" + bulk("16") + "*4\r\n" + all("17"), []string{"MULTI", "HGET h:16 n", "HGETALL h:17", "EXEC"}},
		{"a part of a string loads first too", ":12\r\n" + bulk("value-20-end"), []string{"APPEND t:20 -end", "GET t:20"}},
		{"an unrouted hash", ":1\r\n" + bulk("v") + "*0\r\n", []string{"HSET own f v", "HGET own f", "HGETALL nothing"}},
		{"wrong arity", "-ERR wrong number of arguments for 'hget' command\r\n", []string{"HGET h:1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := dial(t, f.addr)
			c.do(tt.want, tt.commands...)
			c.do("+PONG\r\n", "PING")
		})
	}
	t.Run("resp3 has maps and nulls", func(t *testing.T) {
		c := dial(t, f.addr)
		c.send(frames("HELLO 3"))
		c.reply()
		c.do("%2\r\n"+all("30")+"_\r\n%0\r\n", "HGETALL h:30", "HGET h:31 none", "HGETALL h:5000")
	})
	got := f.reads(t)
	for _, want := range []string{"miss loaded h:1", "hit redis h:11", "miss loaded h:2", "miss absent h:5000", "miss loaded h:16"} {
		if !slices.Contains(got, want) {
			t.Errorf("no event %q in %q", want, got)
		}
	}
}
