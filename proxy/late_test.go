package proxy_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"forebay/backend"
	"forebay/internal/testkit"
)

// What Redis does not answer takes the budget of its command once, however many questions it is asked for it, and however many commands came with it.
func TestWhatWaitsForRedisEndsInItsBudget(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, before, command, want string
		replies                     int
	}{
		{"writes in a pipeline", "", strings.Repeat(frames("SET t:1 x", "DEL t:2"), 4), "-REDISDOWN ", 8},
		{"a transaction", "", frames("MULTI", "SET t:1 x", "DEL t:2", "EXEC"), "-EXECABORT ", 4},
		{"reads behind an invalidation that is not done", "FOREBAY INVALIDATE t:1", strings.Repeat(frames("GET t:3"), 8), bulk("value-3"), 8},
		{"writes behind it", "FOREBAY INVALIDATE t:1", strings.Repeat(frames("SET t:3 x"), 8), "-REDISDOWN ", 8},
		{"an invalidation", "", frames("FOREBAY INVALIDATE t:1"), dropped(0, 1, 0), 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			network := testkit.NewFaultProxy(t, "tcp", testkit.Redis(t).Addr)
			f := start(t, options{upstream: network.Addr})
			c := dial(t, f.addr)
			c.do("+PONG\r\n", "PING")
			network.HalfOpen()
			if tt.before != "" {
				c.send(frames(tt.before))
				c.reply()
			}
			began := time.Now()
			c.send(tt.command)
			var last string
			for range tt.replies {
				last = c.reply()
			}
			took := time.Since(began)
			t.Logf("%v: %q", took.Round(time.Millisecond), last)
			if took > inBudget || !strings.HasPrefix(last, tt.want) {
				t.Errorf("the last reply is %q after %v", last, took)
			}
			network.Restore()
		})
	}
}

// goesDeaf is a store behind a network that ends when a key has been loaded, and is known to be there.
type goesDeaf struct {
	backend.Store
	looks *atomic.Int64
	end   func()
}

func (g goesDeaf) Exists(ctx context.Context, db int, keys [][]byte) ([]bool, error) {
	there, err := g.Store.Exists(ctx, db, keys)
	if g.looks.Add(1) == 2 {
		g.end()
	}
	return there, err
}

// What a command needs is loaded, and its leases dropped, within one budget.
func TestLoadAndLeasesShareOneBudget(t *testing.T) {
	t.Parallel()
	network := testkit.NewFaultProxy(t, "tcp", testkit.Redis(t).Addr)
	f := start(t, options{upstream: network.Addr, wrap: func(f *front) backend.Store { return goesDeaf{f.store, &atomic.Int64{}, network.HalfOpen} }})
	f.source.hold(func([]any) error {
		<-time.After(2500 * time.Millisecond)
		return nil
	})
	c := dial(t, f.addr)
	c.do("+PONG\r\n", "PING")
	began := time.Now()
	c.send(frames("APPEND t:1 x"))
	reply := c.reply()
	if took := time.Since(began); took > inBudget || !strings.HasPrefix(reply, "-REDISDOWN ") {
		t.Errorf("the reply is %q after %v", reply, took)
	}
	network.Restore()
}
