package proxy_test

import (
	"net"
	"strings"
	"sync"
	"testing"
)

// slow makes every query of the source take as long as three commands of another client on the shared connection: what was sent there before, wrongly,
// is done by then.
func (f *front) slow(t testing.TB) {
	nc, err := net.Dial("tcp", f.addr)
	must(t, err)
	t.Cleanup(func() { nc.Close() })
	r := newReader(nc)
	var mu sync.Mutex
	f.source.hold(func([]any) error {
		mu.Lock()
		defer mu.Unlock()
		for range 3 {
			if _, err := nc.Write([]byte("PING\r\n")); err != nil {
				return err
			}
			if _, err := r.reply(); err != nil {
				return err
			}
		}
		return nil
	})
	t.Cleanup(func() { f.source.hold(nil) })
}

// A read before a write of the same key, in one pipeline, does not see it; a read behind it does: for every read that loads and every kind of write, while
// the loads are slow. What the twin is told is the same, but that what it removes comes back: a delete uncovers the row.
func TestReadsAndWritesOfOnePipeline(t *testing.T) {
	f := start(t, options{})
	f.slow(t)
	w := newTwin(t, 3)
	tests := []struct {
		of            string
		reads, writes []string
	}{
		{
			"strings",
			[]string{"GET t:1", "GETEX t:1", "GETEX t:1 EX 100", "GETDEL t:1", "GETRANGE t:1 0 -1", "STRLEN t:1", "MGET t:1 none t:2", "SUBSTR t:1 2 3"},
			[]string{
				"SET t:1 mine", "SET t:1 mine EX 100 GET", "SETEX t:1 100 mine", "MSET t:2 a t:1 mine", "~DEL t:1", "~UNLINK none t:1", "APPEND t:1 end", "SETRANGE t:1 1 xx", "SETBIT t:1 1 1",
				"GETSET t:1 mine", "SET o x|RENAME o t:1", "RENAME t:1 o", "COPY t:2 t:1 REPLACE", "~EXPIRE t:1 -1", "FLUSHDB", "FLUSHALL", "BITOP NOT t:1 t:2",
				"EVAL 'return redis.call([[SET]],KEYS[1],[[mine]])' 1 t:1", "EVAL 'return redis.call([[SET]],[[t:1]],[[mine]])' 0", "EVAL 'return redis.call([[APPEND]],KEYS[1],[[x]])' 1 t:1",
				"~EVAL 'return redis.call([[DEL]],[[t:1]])' 0", "MULTI|SET t:1 mine|EXEC", "MULTI|APPEND t:1 x|GET t:1|EXEC", "MULTI|~DEL t:1|~EXEC", "WATCH none|MULTI|SET t:1 mine|EXEC",
			},
		},
		{
			"hashes",
			[]string{"HGET h:1 n", "HMGET h:1 f n", "HGETALL h:1", "HEXISTS h:1 f", "HLEN h:1", "HKEYS h:1", "HVALS h:1", "HSTRLEN h:1 n"},
			[]string{
				"HSET h:1 f x", "HSET h:1 n 70", "HSETNX h:1 f x", "HMSET h:1 f x", "HDEL h:1 n", "HDEL h:1 n data", "HINCRBY h:1 n 5", "HINCRBYFLOAT h:1 n 0.5", "~DEL h:1", "RENAME h:2 h:1", "FLUSHDB",
				"EVAL 'return redis.call([[HSET]],KEYS[1],[[f]],[[x]])' 1 h:1", "~EVAL 'return redis.call([[HDEL]],[[h:1]],[[n]],[[data]])' 0", "MULTI|HSET h:1 f x|EXEC", "MULTI|HINCRBY h:1 n 1|HGETALL h:1|EXEC",
			},
		},
	}
	for _, tt := range tests {
		for _, read := range tt.reads {
			for _, write := range tt.writes {
				writes := strings.Split(write, "|")
				t.Run(read+" and "+write, func(t *testing.T) {
					w.forget(t, f)
					w.piped(t, f, append([]string{read}, append(writes, read)...))
					w.forget(t, f)
					w.piped(t, f, append(append([]string{}, writes...), read, read))
				})
			}
		}
	}
}

// piped sends commands in one piece to Forebay, and one by one to the twin, which is filled up again behind each that stands alone.
func (w *twin) piped(t *testing.T, f *front, commands []string) {
	t.Helper()
	var raw strings.Builder
	for _, c := range commands {
		raw.WriteString(line(strings.TrimPrefix(c, "~")))
	}
	a, b := dial(t, f.addr), dial(t, w.redis.Addr)
	defer a.nc.Close()
	defer b.nc.Close()
	a.send(raw.String())
	open := false
	for i, c := range commands {
		b.send(line(strings.TrimPrefix(c, "~")))
		got, want := a.reply(), b.reply()
		if got != want && !strings.HasPrefix(c, "~") {
			t.Fatalf("%q, number %d: got %.300q, want %.300q", commands, i, got, want)
		}
		if open = (open || c == "MULTI") && !strings.HasSuffix(c, "EXEC"); !open && !strings.HasPrefix(c, "WATCH") {
			b.send(w.refill())
			b.reply()
		}
	}
}
