package proxy_test

import (
	"fmt"
	"strings"
	"testing"

	"forebay/internal/testkit"
)

// twin is a Redis that holds every row from the beginning: what Forebay's clients are to see.
type twin struct {
	redis *testkit.RedisServer
	rows  int
}

// newTwin starts one with the rows 0 to rows−1 of both routes.
func newTwin(t testing.TB, rows int) *twin {
	return &twin{testkit.Redis(t), rows}
}

// refill puts in what is not there: by a script, in the client's own pipeline.
func (w *twin) refill() string {
	return frame("EVAL", `for i=0,ARGV[1]-1 do
	if redis.call('EXISTS','t:'..i)==0 then redis.call('SET','t:'..i,'value-'..i) end
	if redis.call('EXISTS','h:'..i)==0 then redis.call('HSET','h:'..i,'data','value-'..i,'n',i) end
end return 'refilled'`, "0", fmt.Sprint(w.rows))
}

// forget makes Forebay's Redis empty and the twin full.
func (w *twin) forget(t testing.TB, f *front) {
	t.Helper()
	f.redis.Do(t, "FLUSHALL")
	w.redis.Do(t, "FLUSHALL")
	c := dial(t, w.redis.Addr)
	c.send(w.refill())
	c.expect(bulk("refilled"))
	c.nc.Close()
}

// line splits a command at spaces, but for what stands in quotes.
func line(command string) string {
	var words []string
	for i, part := range strings.Split(command, "'") {
		if i%2 == 1 {
			words = append(words, part)
			continue
		}
		words = append(words, strings.Fields(part)...)
	}
	return frame(words...)
}

// compare sends commands, each one's frame, to Forebay and the twin and wants equal replies. A command that begins with "~" may be answered differently.
// one tells that each waits for its reply.
func (w *twin) compare(t *testing.T, f *front, commands []string, one bool) {
	t.Helper()
	a, b := dial(t, f.addr), dial(t, w.redis.Addr)
	defer a.nc.Close()
	defer b.nc.Close()
	if !one {
		for _, c := range commands {
			a.send(line(strings.TrimPrefix(c, "~")))
		}
	}
	for _, c := range commands {
		raw := line(strings.TrimPrefix(c, "~"))
		if one {
			a.send(raw)
		}
		b.send(raw)
		got, want := a.reply(), b.reply()
		if got != want && !strings.HasPrefix(c, "~") {
			t.Fatalf("%s: got %.300q, want %.300q", c, got, want)
		}
	}
}

// What Forebay gives for keys that it must load first is what a Redis gives that holds them.
func TestAsIfAllRowsWereThere(t *testing.T) {
	f := start(t, options{})
	w := newTwin(t, 4)
	const lib = "#!lua name=lib\nredis.register_function('peek',function(k) return redis.call('GET',k[1]) end)\n" +
		"redis.register_function{function_name='peek_ro',callback=function(k) return redis.call('GET',k[1]) end,flags={'no-writes'}}"
	f.redis.Do(t, "FUNCTION", "LOAD", lib)
	w.redis.Do(t, "FUNCTION", "LOAD", lib)
	sha := f.redis.Do(t, "SCRIPT", "LOAD", "return redis.call('GET',KEYS[1])").(string)
	w.redis.Do(t, "SCRIPT", "LOAD", "return redis.call('GET',KEYS[1])")
	after := []string{"GET t:1", "GET t:2", "GET t:3", "HGETALL h:1", "HLEN h:2", "GET dst", "STRLEN t:5000"}
	tests := []string{
		// parts of strings
		"APPEND t:1 x", "SETRANGE t:1 2 xx", "SETBIT t:1 3 1", "BITFIELD t:1 SET u8 0 65", "BITFIELD t:1 GET u8 0", "GETSET t:1 new", "SET t:1 new GET",
		"SET t:1 new EX 100 GET", "SET t:1 new NX GET", "SET t:1 new get xx", "INCR t:1", "INCRBY t:1 2", "DECR t:1", "DECRBY t:1 2", "INCRBYFLOAT t:1 1.5", "PFADD t:1 a",
		"PFMERGE dst t:1", "SET t:1 whole", "APPEND t:5000 x", "GETSET t:5000 x", "INCR t:5000",
		// reads within Redis
		"GETBIT t:1 1", "BITCOUNT t:1", "BITCOUNT t:1 0 1", "BITPOS t:1 1", "BITFIELD_RO t:1 GET u8 0", "LCS t:1 t:2", "LCS t:1 none LEN", "PFCOUNT t:1", "PFCOUNT none t:1",
		"BITOP AND dst t:1 t:2", "BITOP NOT dst t:3", "BITOP OR t:1 t:2 t:3", "BITCOUNT t:5000",
		// parts of hashes
		"HSET h:1 data x", "HSET h:1 f x g y", "HSETNX h:1 data x", "HSETNX h:1 f x", "HMSET h:1 f x", "HDEL h:1 n", "HDEL h:1 none", "HDEL h:1 n f", "HINCRBY h:1 n 5",
		"HINCRBYFLOAT h:1 n 0.5", "HINCRBY h:1 data 1", "HSCAN h:1 0", "HRANDFIELD h:1 -0", "HSCAN h:5000 0", "HSET h:5000 f x",
		// elsewhere
		"COPY t:1 dst", "COPY h:1 dst", "COPY t:1 t:2 REPLACE", "COPY t:1 dst DB 3", "RENAME t:1 dst", "RENAMENX t:1 dst", "RENAME h:1 dst", "MOVE t:1 5", "RENAME t:5000 dst",
		// scripts
		"EVAL 'return redis.call([[GET]],KEYS[1])' 1 t:1", "EVAL 'return {redis.call([[HGET]],KEYS[2],[[n]]),redis.call([[GET]],KEYS[1])}' 2 t:1 h:1",
		"EVAL 'return redis.call([[APPEND]],KEYS[1],ARGV[1])' 1 t:1 x", "EVAL_RO 'return redis.call([[STRLEN]],KEYS[1])' 1 t:1", "EVALSHA " + sha + " 1 t:2",
		"EVALSHA_RO " + sha + " 1 t:2", "FCALL peek 1 t:1", "FCALL_RO peek_ro 1 t:3", "EVAL 'return redis.call([[GET]],KEYS[1])' 1 t:5000", "EVAL 'return 1' 9 t:1", "EVAL 'return 1' x t:1",
		"EVAL 'return redis.call([[DEL]],KEYS[1])' 1 t:1", "EVALSHA ffffffffffffffffffffffffffffffffffffffff 1 t:1", "FCALL none 1 t:1",
		// reads
		"GETEX t:1", "GETEX t:1 EX 100", "GETEX t:1 PERSIST", "GETEX t:1 BAD", "GETDEL t:1", "GETRANGE t:1 3 1", "GETRANGE t:1 x 1", "HEXISTS h:1 none", "HMGET h:1 none x", "HSTRLEN h:1 none", "STRLEN t:1",
		"SUBSTR t:1 0 1", "HKEYS h:1", "HVALS h:1", "MGET t:1 h:1 t:5000",
		// words that Redis refuses
		"APPEND t:1", "SETRANGE t:1 x y", "LCS t:1", "BITOP AND dst", "BITCOUNT", "HSET h:1 f", "COPY t:1", "EVAL 'return 1'", "SET t:1",
	}
	for _, tt := range tests {
		for _, how := range []string{"alone", "in a transaction", "queued one by one", "while another key is watched", "while its key is watched"} {
			t.Run(tt+" "+how, func(t *testing.T) {
				w.forget(t, f)
				list := append([]string{tt}, after...)
				if removes(tt) {
					list = list[:1] // what is removed uncovers the row
				}
				switch how {
				case "alone":
				case "in a transaction", "queued one by one":
					list = append(append([]string{"MULTI"}, list...), "EXEC", "PING")
				case "while another key is watched":
					list = append(append([]string{"WATCH other t:3", "MULTI"}, list...), "EXEC", "PING")
				default:
					list = append(append([]string{"WATCH t:1 h:1", "GET t:1", "MULTI"}, list...), "EXEC", "PING")
				}
				w.compare(t, f, list, how != "alone" && how != "in a transaction")
			})
		}
	}
}

// removes tells of a command above whether it takes away what it was told to: a read behind it finds the row again.
func removes(command string) bool {
	for _, word := range []string{"RENAME", "MOVE", "GETDEL", "[[DEL]]"} {
		if strings.Contains(command, word) {
			return true
		}
	}
	return false
}

// Transactions in which reads stand behind what may have changed their keys, or not.
func TestTransactionsAsIfAllRowsWereThere(t *testing.T) {
	f := start(t, options{})
	w := newTwin(t, 6)
	tests := []struct {
		name string
		list []string
	}{
		{"a read behind an expiry", []string{"EXPIRE t:1 100", "GET t:1"}},
		{"a read behind an expiry in the past", []string{"EXPIRE t:1 -1", "GET t:1", "APPEND t:1 x"}},
		{"a read behind SET NX", []string{"SET t:1 x NX", "GET t:1", "STRLEN t:1"}},
		{"a read behind SETNX, MSETNX", []string{"GET t:1", "SETNX t:1 x", "MSETNX t:2 a new b", "MGET t:1 t:2 new"}},
		{"a read behind its own partial write", []string{"APPEND t:1 x", "GET t:1", "STRLEN t:1", "GETRANGE t:1 -2 -1"}},
		{"a partial write behind its own set", []string{"SET t:1 a", "APPEND t:1 b", "GET t:1"}},
		{"a partial write behind its own delete", []string{"SET t:1 a", "DEL t:1", "APPEND t:1 b", "GET t:1", "STRLEN t:1"}},
		{"a read behind a script that declares nothing", []string{"EVAL 'return 1' 0", "GET t:1", "HGET h:1 n", "STRLEN t:2"}},
		{"a read behind a script that removes its key", []string{"EVAL 'return redis.call([[SET]],[[t:1]],[[x]])' 0", "EVAL 'return redis.call([[DEL]],[[t:1]])' 0", "GET t:1", "STRLEN t:1"}},
		{"a read behind FLUSHDB", []string{"FLUSHDB", "GET t:1", "HGETALL h:1", "SET t:2 x", "MGET t:1 t:2"}},
		{"a read behind FLUSHALL", []string{"GET t:1", "FLUSHALL ASYNC", "GET t:1", "APPEND t:1 x"}},
		{"a read behind a FLUSHDB that is refused", []string{"FLUSHDB BAD", "GET t:1"}},
		{"a read behind RENAME", []string{"RENAME t:1 t:2", "GET t:1", "GET t:2"}},
		{"a read behind RENAME of nothing", []string{"RENAME none t:2", "GET t:2"}},
		{"a read behind GETDEL", []string{"GETDEL t:1", "GET t:1", "GETDEL t:1"}},
		{"a read behind GETEX in the past", []string{"GETEX t:1 EXAT 1", "GET t:1"}},
		{"an expiry by GETEX", []string{"GETEX t:1 EX 100", "TTL t:1"}},
		{"a read behind a SET that is refused", []string{"SET t:1 x BAD", "GET t:1", "STRLEN t:1"}},
		{"a read behind MSET", []string{"MGET t:1 t:2", "MSET t:1 a t:2 b", "MGET t:1 t:2"}},
		{"vague replies", []string{"GETRANGE t:1 20 30", "STRLEN t:5000", "HGET h:1 none", "HEXISTS h:1 none", "HMGET h:1 none no", "HSTRLEN h:1 none", "HGET h:5000 n"}},
		{"vague replies of what is empty", []string{"SET t:1 ''", "STRLEN t:1", "GETRANGE t:1 0 -1", "GET t:1"}},
		{"vague replies and a write behind them", []string{"GETRANGE t:1 20 30", "STRLEN t:1", "HGET h:1 none", "SET t:1 x", "HSET h:1 none y"}},
		{"hash reads behind hash writes", []string{"HDEL h:1 n", "HGET h:1 n", "HDEL h:1 data", "HGETALL h:1", "HLEN h:1", "HINCRBY h:1 n 1", "HGETALL h:1"}},
		{"wrong types", []string{"LPUSH list a", "GET list", "HGET t:1 f", "GET h:1", "APPEND h:2 x", "HSET t:2 f x", "STRLEN list"}},
		{"another database", []string{"GET t:1", "SELECT 3", "GET t:2", "SET t:2 x", "GET t:2", "SELECT 0", "GET t:2", "APPEND t:3 y", "STRLEN t:4"}},
		{"only reads", []string{"GET t:1", "MGET t:2 none t:3 t:5000", "HGETALL h:1", "HKEYS h:2", "HVALS h:3", "HLEN h:4", "GET t:5000", "HGETALL h:5000"}},
		{"a command that is refused", []string{"GET t:1", "GET", "SET t:1 x"}},
		{"nothing", nil},
	}
	for _, tt := range tests {
		for _, how := range []string{"at once", "one by one", "watching", "in RESP3", "in RESP3 one by one"} {
			t.Run(tt.name+" "+how, func(t *testing.T) {
				w.forget(t, f)
				if tt.name == "wrong types" { // a read of another type finds what is cached: here, all of it
					c := dial(t, f.redis.Addr)
					c.send(w.refill())
					c.expect(bulk("refilled"))
				}
				list := append([]string{"MULTI"}, tt.list...)
				list = append(list, "EXEC", "GET none")
				switch {
				case how == "watching":
					list = append([]string{"WATCH t:1 h:1 none"}, list...)
				case strings.HasPrefix(how, "in RESP3"):
					list = append([]string{"~HELLO 3"}, list...)
				}
				w.compare(t, f, list, how != "at once" && how != "in RESP3")
			})
		}
	}
}
