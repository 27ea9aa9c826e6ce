package child

import (
	"context"
	"os"
	"time"
)

// parentEvery is how often the parent is looked for.
const parentEvery = time.Second

// WithParent returns a context that also ends when the process that started this one is gone: "go run" does not pass SIGTERM on. Its goroutine
// ends with the context.
func WithParent(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	parent := os.Getppid()
	go func() {
		tick := time.NewTicker(parentEvery)
		defer tick.Stop()
		for os.Getppid() == parent {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
		cancel()
	}()
	return ctx, cancel
}
