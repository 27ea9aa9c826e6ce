package proxy_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"forebay/internal/testkit"
)

// inBudget is the budget of the proxy under test, and what a busy machine may add.
const inBudget = 3*time.Second + 400*time.Millisecond

// A slow Redis and a source that does not answer share one budget. Each end is timed from its command's arrival.
func TestOneBudgetForRedisAndSource(t *testing.T) {
	t.Parallel()
	network := testkit.NewFaultProxy(t, "tcp", testkit.Redis(t).Addr)
	f := start(t, options{upstream: network.Addr})
	never := make(chan struct{})
	f.source.hold(func([]any) error {
		<-never
		return nil
	})
	defer close(never)
	for _, test := range []struct {
		name, command string
		sick          func()
	}{
		{"redis does not answer", "GET t:1", network.HalfOpen},
		{"redis is slow, and the only one that can do it", "GETDEL t:5", func() { network.Delay(400 * time.Millisecond) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := dial(t, f.addr)
			c.do("+PONG\r\n", "PING")
			test.sick()
			defer func() {
				network.Restore()
				eventually(t, "redis is up again", f.store.Up)
			}()
			began := time.Now()
			c.send(frames(test.command))
			reply := c.reply()
			took := time.Since(began)
			t.Logf("%v: %q", took.Round(time.Millisecond), reply)
			if !strings.HasPrefix(reply, "-SOURCETIMEOUT ") || took > inBudget || took < 2800*time.Millisecond {
				t.Errorf("the reply is %q after %v", reply, took)
			}
		})
	}
}

// What a client's own connection makes it wait for takes nothing from the budget of what is behind it.
func TestBudgetBehindABlockingCommand(t *testing.T) {
	t.Parallel()
	f := start(t, options{})
	f.source.hold(func([]any) error {
		<-time.After(500 * time.Millisecond)
		return nil
	})
	c := dial(t, f.addr)
	c.send(frames("BLPOP list 3.2", "GET t:1", "BLPOP list 3.2", "APPEND t:2 x"))
	c.expect("*-1\r\n" + bulk("value-1") + "*-1\r\n:8\r\n")
}

// Commands that arrive together have their budgets together: those that need a value in Redis do not add theirs up, one behind the other.
func TestBudgetOfAPipelineThatLoads(t *testing.T) {
	t.Parallel()
	for name, commands := range map[string][]string{
		"parts of values": strings.Split("APPEND t:1 x,APPEND t:2 x,GETSET t:3 x,STRLEN t:4,APPEND t:5 x,INCR t:6,GETBIT t:7 1,APPEND t:8 x,APPEND t:9 x", ","),
		"scripts":         {"EVAL return{KEYS[1]} 1 t:1", "EVAL return{KEYS[1]} 1 t:2", "EVAL return{KEYS[1]} 1 t:3"},
		"transactions":    {"MULTI", "APPEND t:1 x", "EXEC", "MULTI", "APPEND t:2 x", "EXEC", "MULTI", "APPEND t:3 x", "EXEC"},
		"watched":         {"WATCH t:1", "WATCH t:2", "MULTI", "APPEND t:3 x", "EXEC"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := start(t, options{})
			never := make(chan struct{})
			f.source.hold(func([]any) error {
				<-never
				return nil
			})
			defer close(never)
			c := dial(t, f.addr)
			must(t, c.nc.SetDeadline(time.Now().Add(30*time.Second)))
			began := time.Now()
			c.send(frames(commands...))
			for range commands {
				c.reply()
			}
			// Behind the one that takes it all, others may try for a fifth of the budget whether the source is well.
			if took := time.Since(began); took > inBudget+600*time.Millisecond {
				t.Errorf("the last of %d replies came after %v", len(commands), took)
			}
		})
	}
}

// So has a transaction that only reads, however late Redis answers it.
func TestBudgetOfATransaction(t *testing.T) {
	t.Parallel()
	network := testkit.NewFaultProxy(t, "tcp", testkit.Redis(t).Addr)
	f := start(t, options{upstream: network.Addr})
	never := make(chan struct{})
	f.source.hold(func([]any) error {
		<-never
		return nil
	})
	defer close(never)
	c := dial(t, f.addr)
	c.do("+PONG\r\n", "PING")
	network.Delay(400 * time.Millisecond)
	began := time.Now()
	c.send(frames("MULTI", "GET t:1", "GET t:2", "EXEC"))
	for range 3 {
		c.reply()
	}
	reply := c.reply()
	if took := time.Since(began); !strings.Contains(reply, "SOURCETIMEOUT ") || took > inBudget || took < 2800*time.Millisecond {
		t.Errorf("the reply is %q after %v", reply, took)
	}
	network.Restore()
	eventually(t, "redis is up again", f.store.Up)
}

// Whether a client is blocked is looked for among what it still awaits. All may be answered, and the slots gone, as soon as it was sent.
func TestNothingIsAwaitedOnAnOwnConnection(t *testing.T) {
	f := start(t, options{})
	c := dial(t, f.addr)
	c.do(":1\r\n+OK\r\n:1\r\n+OK\r\n", "RPUSH list x", "SELECT 1", "RPUSH list x", "SELECT 0")
	for i := range 500 {
		c.send(strings.Repeat(frames("BLMOVE list list LEFT LEFT 0"), 20) + frames(fmt.Sprint("SELECT ", 1-i%2)))
		c.expect(strings.Repeat(bulk("x"), 20) + "+OK\r\n")
	}
}
