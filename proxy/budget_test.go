package proxy_test

import (
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
	c.send(frames("BLPOP list 3.2", "GET t:1"))
	c.expect("*-1\r\n" + bulk("value-1"))
}
