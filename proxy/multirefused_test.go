package proxy_test

import (
	"io"
	"testing"

	"forebay/internal/testkit"
)

// A MULTI that does not come in one piece with its EXEC, and is refused since Redis does not answer, takes its client's connection with it:
//
//  1. A client sends MULTI, INCR n and EXEC. MULTI is refused.
//  2. Redis answers again. INCR n would be done, by itself, and EXEC be an error: the client takes none of it for done.
func TestARefusedTransactionIsNotDoneInPieces(t *testing.T) {
	tests := map[string]func(c *client){
		"for want of a connection": func(*client) {},
		"for an invalidation that could not be done yet": func(c *client) {
			c.do("*6\r\n"+bulk("removed")+":0\r\n"+bulk("kept")+":1\r\n"+bulk("unrouted")+":0\r\n", "FOREBAY INVALIDATE t:1")
		},
	}
	for name, before := range tests {
		t.Run(name, func(t *testing.T) {
			redis := testkit.Redis(t)
			relay := testkit.NewFaultProxy(t, "tcp", redis.Addr)
			f := start(t, options{redis: redis, upstream: relay.Addr})
			c := dial(t, f.addr)
			c.do("+PONG\r\n", "PING")
			relay.Cut()
			before(c)
			c.send(frame("MULTI"))
			if got := c.reply(); got != "-REDISDOWN redis does not answer; routed keys are still read from the source, everything else: try again\r\n" {
				t.Errorf("MULTI: %q", got)
			}
			relay.Restore()
			eventually(t, "redis is up", f.store.Up)
			_, _ = io.WriteString(c.nc, frames("INCR n", "EXEC")) // or the connection has ended by now
			if rest, err := io.ReadAll(c.br); len(rest) > 0 {
				t.Errorf("got %q behind it (%v)", rest, err)
			}
			if got := redis.Do(t, "EXISTS", "n"); got != int64(0) {
				t.Error("a command of the transaction was done")
			}
		})
	}
}
