package proxy_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"forebay/backend"
	"forebay/internal/testkit"
)

// The connection that clients share goes dead without a word, while new ones reach Redis: nobody waits for longer than the budget, and what comes next goes over a
// new one. A routed read has its value, an unrouted one an error, and a client whose write may have been done is closed.
func TestSharedConnectionGoesDead(t *testing.T) {
	t.Parallel()
	r := testkit.Redis(t)
	network := testkit.NewFaultProxy(t, "tcp", r.Addr)
	f := start(t, options{redis: r, upstream: network.Addr})
	read, write, routed := dial(t, f.addr), dial(t, f.addr), dial(t, f.addr)
	for _, c := range []*client{read, write, routed} {
		c.do("$-1\r\n", "GET other")
	}
	network.Strand()
	began := time.Now()
	read.send(frames("GET mine"))
	write.send(frames("SET mine 1"))
	routed.send(frames("GET t:1"))
	routed.expect(bulk("value-1"))
	read.expect(lost)
	write.closed()
	if took := time.Since(began); took > 3200*time.Millisecond {
		t.Errorf("told after %v", took)
	} else {
		t.Logf("told after %v", took)
	}
	read.do("+OK\r\n"+bulk("2")+bulk("value-1"), "SET mine 2", "GET mine", "GET t:1")
	again := dial(t, f.addr)
	again.do(bulk("2"), "GET mine")
}

// A pause of writes that was asked of Redis itself, and is longer than any budget, loses nobody's write, nor the reads behind it.
func TestPausedWritesAreNotTakenForADeadConnection(t *testing.T) {
	t.Parallel()
	f := start(t, options{})
	c := dial(t, f.addr)
	f.redis.Do(t, "CLIENT", "PAUSE", "60000", "WRITE")
	began := time.Now()
	c.send(frames("SET mine 1", "GET mine"))
	eventually(t, "a pause of 5 s is over", func() bool { return time.Since(began) > 5*time.Second })
	f.redis.Do(t, "CLIENT", "UNPAUSE")
	c.expect("+OK\r\n" + bulk("1"))
}

// So it is with a script that runs on the shared connection for longer, so long that Redis tells all others that it is busy.
func TestALongScriptIsNotTakenForADeadConnection(t *testing.T) {
	t.Parallel()
	f := start(t, options{redisArgs: []string{"--lua-time-limit", "50"}})
	c, other := dial(t, f.addr), dial(t, f.addr)
	c.send(frame("EVAL", "local t = redis.call('TIME')[1] + 5; while redis.call('TIME')[1] - t < 0 do end; return 'done'", "0"))
	other.send(frames("GET mine"))
	c.expect(bulk("done"))
	other.expect("$-1\r\n")
}

// ungenerated is a store whose generations are raised at once, though Redis takes no write.
type ungenerated struct{ backend.Store }

func (ungenerated) DropAll(context.Context, []int) error { return nil }

// A flush may block its client while Redis goes on (from 7.4 on, until the memory is free; here, while writes are paused): it is on a connection of its own, and
// holds up nobody.
func TestAFlushHoldsUpNobody(t *testing.T) {
	f := start(t, options{wrap: func(f *front) backend.Store { return ungenerated{f.store} }})
	for _, flush := range []string{"FLUSHALL", "FLUSHDB"} {
		a, b := dial(t, f.addr), dial(t, f.addr)
		f.redis.Do(t, "CLIENT", "PAUSE", "60000", "WRITE")
		a.send(frames(flush))
		eventually(t, "it waits", func() bool {
			return strings.Contains(fmt.Sprint(f.redis.Do(t, "INFO", "clients")), "blocked_clients:1\r\n")
		})
		b.do("$-1\r\n+PONG\r\n", "GET x", "PING")
		f.redis.Do(t, "CLIENT", "UNPAUSE")
		a.expect("+OK\r\n")
	}
}
