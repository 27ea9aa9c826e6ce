package proxy_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// CLIENT REPLY silences what it silences on Redis, wherever the replies come from.
func TestClientReply(t *testing.T) {
	big := "SETRANGE big 400000 x"
	tests := []struct {
		name     string
		commands []string // the last but PING is replied to
	}{
		{"off", []string{"CLIENT REPLY OFF", "SET a 1", "NOPE", "GET", "CLIENT ID", "SELECT 0", "INCR a", "CLIENT REPLY ON", "GET a"}},
		{"skip", []string{"CLIENT REPLY SKIP", "INCR a", "GET a"}},
		{"skip an error", []string{"CLIENT REPLY SKIP", "NOPE", "GET a"}},
		{"skip what is answered here", []string{"CLIENT REPLY SKIP", "CLIENT GETNAME", "CLIENT GETNAME"}},
		{"skip once more", []string{"CLIENT REPLY SKIP", "CLIENT REPLY SKIP", "INCR a", "GET a"}},
		{"skip while off", []string{"CLIENT REPLY OFF", "CLIENT REPLY SKIP", "INCR a", "GET a", "CLIENT REPLY ON"}},
		{"skip on", []string{"CLIENT REPLY SKIP", "CLIENT REPLY ON", "GET a"}},
		{"skip MULTI", []string{"CLIENT REPLY SKIP", "MULTI", "INCR a", "EXEC"}},
		{"skip EXEC", []string{"MULTI", "INCR a", "CLIENT REPLY ON", "EXEC"}},
		{"a transaction while off", []string{"CLIENT REPLY OFF", "MULTI", "INCR a", "EXEC", "CLIENT REPLY ON", "GET a"}},
		{"large replies while off", []string{big, "CLIENT REPLY OFF", "GET big", "GET big", "CLIENT REPLY ON", "STRLEN big"}},
		{"a blocked one while off", []string{"CLIENT REPLY OFF", "BLPOP none 0.01", "CLIENT REPLY ON", "GET a"}},
		{"reset while off", []string{"CLIENT REPLY OFF", "INCR a", "RESET", "GET a"}},
		{"wrong", []string{"CLIENT REPLY MAYBE", "CLIENT REPLY", "GET a"}},
		{"a confirmation while off", []string{"CLIENT REPLY OFF", "SSUBSCRIBE a", "SUNSUBSCRIBE a", "CLIENT REPLY ON", "GET a"}},
		{"a dataset's keys", []string{"CLIENT REPLY OFF", "GET t:1", "APPEND t:2 x", "MGET t:1 t:3", "HGETALL h:1", "GETRANGE t:2 0 1", "CLIENT REPLY ON", "GET t:1", "GET t:2", "MGET t:1 t:3"}},
		{"a dataset's keys, skipped", []string{"CLIENT REPLY SKIP", "GET t:1", "GET t:1", "CLIENT REPLY SKIP", "APPEND t:1 x", "GET t:1"}},
	}
	for _, tt := range tests {
		for _, proto := range []string{"2", "3"} {
			t.Run(tt.name+", "+proto, func(t *testing.T) {
				f := start(t, options{})
				w := newTwin(t, 4)
				w.forget(t, f)
				var replies [2]string
				for i, c := range []*client{dial(t, f.addr), dial(t, w.redis.Addr)} {
					c.send(frames("HELLO " + proto))
					c.reply()
					c.send(frames(append(tt.commands, "ECHO the-end")...))
					for !strings.HasSuffix(replies[i], bulk("the-end")) {
						replies[i] += c.reply()
					}
				}
				if replies[0] != replies[1] {
					t.Errorf("got %.400q, want %.400q", replies[0], replies[1])
				}
			})
		}
	}
}

// A client that is silent is not closed, its messages arrive, and QUIT is not answered.
func TestMessagesWhileRepliesAreOff(t *testing.T) {
	f := start(t, options{})
	c, pub := dial(t, f.addr), dial(t, f.addr)
	c.send(frames("HELLO 3"))
	c.reply()
	c.send(frames("SUBSCRIBE news"))
	c.reply()
	c.send(frames("CLIENT REPLY OFF", "SET done 1"))
	eventually(t, "it is done", func() bool { return f.redis.Do(t, "EXISTS", "done") == int64(1) })
	pub.do(":1\r\n", "PUBLISH news now")
	c.expect(message(">", "message", "news", "now"))
	c.send(frames("QUIT"))
	c.closed()
}

// After MONITOR, commands are followed still, and RESET ends it.
func TestMonitorGoesOn(t *testing.T) {
	f := start(t, options{})
	m, c := dial(t, f.addr), dial(t, f.addr)
	m.do("+OK\r\n", "MONITOR")
	next := func() string { // the next reply that is no line
		for {
			if got := m.reply(); !strings.HasPrefix(got, "+1") {
				return got
			}
		}
	}
	c.do("+OK\r\n", "SET seen 1")
	for !strings.Contains(m.reply(), `"SET" "seen" "1"`) {
	}
	m.send(frames("GET t:1", "ECHO e", "CLIENT GETNAME", "SELECT 0", "NOPE"))
	for _, want := range []string{"-ERR Replica can't interact with the keyspace\r\n", bulk("e"), "$-1\r\n", "+OK\r\n"} {
		if got := next(); got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
	if got := next(); !strings.HasPrefix(got, "-ERR unknown command") {
		t.Errorf("got %q", got)
	}
	m.send(frames("RESET"))
	if got := next(); got != "+RESET\r\n" {
		t.Errorf("got %q", got)
	}
	c.do("+OK\r\n", "SET later 1")
	m.do(bulk("f")+bulk("1")+bulk("value-1"), "ECHO f", "GET later", "GET t:1")
}

// While writes are paused, reads go on, of every client, and UNPAUSE overtakes what waits.
func TestPausedWritesHoldUpNoReads(t *testing.T) {
	f := start(t, options{})
	a, b, c := dial(t, f.addr), dial(t, f.addr), dial(t, f.addr)
	a.do("+OK\r\n", "CLIENT PAUSE 60000 WRITE")
	a.send(frames("SET x 1", "GET x"))
	c.send(frames("MULTI", "SET y 1", "EXEC"))
	c.expect("+OK\r\n")
	eventually(t, "both wait", func() bool {
		return strings.Contains(fmt.Sprint(f.redis.Do(t, "INFO", "clients")), "blocked_clients:2\r\n")
	})
	began := time.Now()
	for i := range 20 {
		b.do(bulk(fmt.Sprint(i))+"$-1\r\n", fmt.Sprint("ECHO ", i), "GET x")
	}
	b.send(frames("PUBLISH c x"))
	d := dial(t, f.addr)
	d.do("+OK\r\n", "CLIENT UNPAUSE")
	b.expect(":0\r\n")
	a.expect("+OK\r\n" + bulk("1"))
	c.expect("+QUEUED\r\n*1\r\n+OK\r\n")
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	a.do("+OK\r\n"+bulk("2"), "SET x 2", "GET x")
}
