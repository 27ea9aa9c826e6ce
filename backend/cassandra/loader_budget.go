package cassandra

import (
	"context"
	"sync"
)

// budget bounds the bytes in flight. One taker at a time.
type budget struct {
	mu    sync.Mutex
	left  int
	most  int
	freed chan struct{} // holds one signal
}

func newBudget(most int) *budget {
	return &budget{left: most, most: most, freed: make(chan struct{}, 1)}
}

// take waits until there is room for n bytes. What is larger than the budget waits until nothing else is in flight.
func (b *budget) take(ctx context.Context, n int) error {
	n = min(n, b.most)
	for {
		b.mu.Lock()
		if b.left >= n {
			b.left -= n
			b.mu.Unlock()
			return nil
		}
		b.mu.Unlock()
		select {
		case <-b.freed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// give returns n bytes.
func (b *budget) give(n int) {
	b.mu.Lock()
	b.left += min(n, b.most)
	b.mu.Unlock()
	select {
	case b.freed <- struct{}{}:
	default: // a signal lies there already
	}
}
