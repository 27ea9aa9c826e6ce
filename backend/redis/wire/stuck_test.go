package wire_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"forebay/backend/redis/wire"
	"forebay/internal/testkit"
)

// A Redis that takes no bytes and answers nobody does not keep a submitter for ever, on a connection of its own either.
func TestSubmitEndsWhenRedisIsStuck(t *testing.T) {
	for _, kind := range []string{"shared", "exclusive"} {
		t.Run(kind, func(t *testing.T) {
			server := testkit.Redis(t)
			pool := wire.NewPool(wire.Options{Addr: server.Addr, Stall: 50 * time.Millisecond, GiveUp: 200 * time.Millisecond, Down: func() bool { return true }})
			defer pool.Close()
			r := &receiver{}
			get := pool.Shared
			if kind == "exclusive" {
				get = func(ctx context.Context, t wire.Target) (*wire.Conn, error) { return pool.Exclusive(ctx, t, r) }
			}
			c, err := get(t.Context(), wire.Target{Proto: 2})
			must(t, err)
			server.Pause()
			defer server.Resume()
			b := command("SET", "k", string(make([]byte, 1<<20)))
			done := make(chan error, 2)
			for range 2 { // one writes, the other waits for room
				go func() {
					for {
						if err := c.Submit(r, b, 1, wire.Now()); err != nil {
							done <- err
							return
						}
					}
				}()
			}
			for range 2 {
				select {
				case err := <-done:
					if !errors.Is(err, wire.ErrClosed) {
						t.Errorf("got %v", err)
					}
				case <-time.After(10 * time.Second):
					t.Fatal("it still waits")
				}
			}
		})
	}
}
