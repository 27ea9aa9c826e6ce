package cassandra

import (
	"context"
	"sync"
)

// pipe has workers work on what feed sends. Reading waits for writing: nothing lies between the two, so that at most one item beyond those in
// work is in memory. The first error of a worker ends the feed, and is returned. It returns when no worker is left.
func pipe[T any](ctx context.Context, workers int, feed func(ctx context.Context, send func(T) error) error,
	work func(ctx context.Context, item T) error,
) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	items := make(chan T)
	var running sync.WaitGroup
	for range workers {
		running.Go(func() {
			for item := range items {
				if err := work(ctx, item); err != nil {
					cancel(err)
				}
			}
		})
	}
	err := feed(ctx, func(item T) error {
		select {
		case items <- item:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	})
	close(items)
	running.Wait()
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// workersFor is how many items of this size may be in work at once.
func (l *Loader) workersFor(itemBytes int64) int {
	return int(min(max(inFlightBytes/max(itemBytes, 1), 1), int64(l.options.InFlight)))
}

// tally counts what is done, and tells.
type tally struct {
	mu       sync.Mutex
	progress Progress
	tell     func(Progress)
}

func (t *tally) add(bytes int, skipped bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.progress.Done++
	t.progress.Bytes += int64(bytes)
	if skipped {
		t.progress.Skipped++
	}
	if t.tell != nil {
		t.tell(t.progress)
	}
}

// all counts everything as done, since it was stored already.
func (t *tally) all(bytes int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.progress.Done, t.progress.Skipped, t.progress.Bytes = t.progress.Total, t.progress.Total, bytes
	if t.tell != nil {
		t.tell(t.progress)
	}
}
