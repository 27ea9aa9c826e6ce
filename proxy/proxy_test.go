package proxy_test

import (
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestReadThrough(t *testing.T) {
	f := start(t, options{})
	tests := []struct {
		name, want string
		commands   []string
	}{
		{"a miss is loaded, then a hit", bulk("value-1") + bulk("value-1"), []string{"GET t:1", "GET t:1"}},
		{"an absent row is nil", "$-1\r\n", []string{"GET t:5000"}},
		{"an unrouted key is nil", "$-1\r\n", []string{"GET other"}},
		{"a key that is not canonical is unrouted", "$-1\r\n$-1\r\n", []string{"GET t:007", "GET t:abc"}},
		{"mget loads what is missing", "*4\r\n" + bulk("value-1") + bulk("value-2") + "$-1\r\n" + bulk("value-3"), []string{"MGET t:1 t:2 nokey t:3"}},
		{"strlen of a miss", ":7\r\n", []string{"STRLEN t:7"}},
		{"strlen of an absent row", ":0\r\n", []string{"STRLEN t:5000"}},
		{"getrange of a miss", bulk("val"), []string{"GETRANGE t:8 0 2"}},
		{"getrange from the end", bulk("-9"), []string{"GETRANGE t:9 -2 -1"}},
		{"getdel of a miss is not stored", bulk("value-10") + ":0\r\n", []string{"GETDEL t:10", "EXISTS t:10"}},
		{"getdel of a hit removes", "+OK\r\n" + bulk("x") + ":0\r\n", []string{"SET t:11 x", "GETDEL t:11", "EXISTS t:11"}},
		{"getex fills and sets the expiry", bulk("value-12") + ":100\r\n", []string{"GETEX t:12 EX 100", "TTL t:12"}},
		{"a look does not load", ":0\r\n:-2\r\n+none\r\n", []string{"EXISTS t:13", "TTL t:13", "TYPE t:13"}},
		{"a write is seen by the read behind it", "+OK\r\n" + bulk("mine"), []string{"SET t:14 mine", "GET t:14"}},
		{"a read does not see the write behind it", bulk("value-15") + "+OK\r\n" + bulk("mine"), []string{"GET t:15", "SET t:15 mine", "GET t:15"}},
		{"a delete uncovers the row", "+OK\r\n:1\r\n" + bulk("value-16"), []string{"SET t:16 mine", "DEL t:16", "GET t:16"}},
		{"another type is an error", ":1\r\n-WRONGTYPE Operation against a key holding the wrong kind of value\r\n", []string{"LPUSH t:17 a", "GET t:17"}},
		{"mget of another type is nil", "*2\r\n$-1\r\n" + bulk("value-18"), []string{"MGET t:17 t:18"}},
		{"wrong arity", "-ERR wrong number of arguments for 'get' command\r\n", []string{"GET a b"}},
		{
			"replies of a pipeline keep their order", "+PONG\r\n" + bulk("value-20") + "+PONG\r\n*2\r\n" + bulk("value-21") + bulk("value-20") + ":1\r\n",
			[]string{"PING", "GET t:20", "PING", "MGET t:21 t:20", "INCR n"},
		},
		{
			"in a transaction", "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n" + bulk("value-30") + ":1\r\n*2\r\n" + bulk("value-31") + "$-1\r\n",
			[]string{"MULTI", "GET t:30", "INCR m", "MGET t:31 none", "EXEC"},
		},
		{
			"a transaction's own delete is not undone", "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n+OK\r\n:1\r\n$-1\r\n",
			[]string{"MULTI", "SET t:32 a", "DEL t:32", "GET t:32", "EXEC"},
		},
		{
			"an aborted transaction", "+OK\r\n-ERR wrong number of arguments for 'get' command\r\n-EXECABORT Transaction discarded because of previous errors.\r\n",
			[]string{"MULTI", "GET", "EXEC"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := dial(t, f.addr)
			c.do(tt.want, tt.commands...)
			c.do("+PONG\r\n", "PING")
		})
	}
}

func TestOneEventARead(t *testing.T) {
	f := start(t, options{})
	c := dial(t, f.addr)
	c.send(frames("GET t:1", "GET t:1", "MGET t:1 t:2 x", "STRLEN t:2", "GETRANGE t:3 0 0", "GETDEL t:4", "GETEX t:5", "GET x", "GET t:5000", "EXISTS t:1", "SET y 1"))
	for range 11 {
		c.reply()
	}
	got := f.reads(t)
	// The two GETs of t:1 may both be forwarded before the first is answered: each is one event, a miss or a hit.
	want := []string{
		"miss loaded t:1", "* t:1", "* t:1", "* t:2", "miss unrouted x", "* t:2", "miss loaded t:3", "miss loaded t:4", "miss loaded t:5", "miss unrouted x", "miss absent t:5000",
	}
	keys := func(list []string) (k []string) {
		for _, s := range list {
			k = append(k, s[strings.LastIndexByte(s, ' ')+1:])
		}
		slices.Sort(k)
		return k
	}
	if !slices.Equal(keys(got), keys(want)) {
		t.Fatalf("got %q", got)
	}
}

func TestPipelineOfMissesIsOneQueryAPartition(t *testing.T) {
	f := start(t, options{})
	c := dial(t, f.addr)
	c.do("+PONG\r\n", "PING")
	keys := []string{"MGET"}
	for i := range 64 {
		keys = append(keys, "t:"+string(rune('0'+i/10))+string(rune('0'+i%10)))
	}
	for i := 1; i <= 10; i++ {
		keys[i] = "t:" + string(rune('0'+i-1))
	}
	c.send(frame(keys...))
	c.reply()
	if q, n := f.source.queries.Load(), f.source.asked.Load(); q != 1 || n != 64 {
		t.Fatalf("%d queries for %d rows, want 1 for 64", q, n)
	}
}
