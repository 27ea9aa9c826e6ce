package guard_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"forebay/backend"
	"forebay/internal/guard"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a source of one row, which takes its time.
type fake struct {
	backend.Source

	mu    sync.Mutex
	takes func(underWay int) time.Duration // nil: no time
	err   error
	// begins: a row comes at once, and takes is how long the others do
	begins bool
	now    int // queries under way
	most   int
	asked  int
}

// Load implements backend.Source as a driver does: it returns when its context ends.
func (f *fake) Load(ctx context.Context, _ *backend.Select, _, _ []any, each func(int, backend.Row) error) error {
	f.mu.Lock()
	f.now++
	f.asked++
	f.most = max(f.most, f.now)
	takes, err := time.Duration(0), f.err
	if f.takes != nil {
		takes = f.takes(f.now)
	}
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		f.now--
		f.mu.Unlock()
	}()
	if f.begins {
		if err := each(0, backend.Row{int64(0)}); err != nil {
			return err
		}
	}
	select {
	case <-time.After(takes):
	case <-ctx.Done():
		return fmt.Errorf("load: %w: %w", backend.ErrSourceTimeout, ctx.Err())
	}
	if err != nil {
		return err
	}
	return each(0, backend.Row{int64(1)})
}

// set changes what it does from now on.
func (f *fake) set(err error, takes time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err, f.takes = err, func(int) time.Duration { return takes }
}

func (f *fake) queries() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked
}

// usual are the options of a configuration that says nothing.
func usual() guard.Options {
	return guard.Options{Limit: 64, Least: 8, Failures: 0.5, Pause: time.Second, Retries: guard.NewRetries(0.1)}
}

// row is the query of one row.
func row() *backend.Select {
	return &backend.Select{Columns: []string{"data"}, Where: []string{"id"}, MaxRows: 1}
}

func take(int, backend.Row) error { return nil }

// load asks once, within the budget.
func load(t *testing.T, s *guard.Source, budget time.Duration) (took time.Duration, err error) {
	ctx, cancel := context.WithTimeout(t.Context(), budget)
	defer cancel()
	began := time.Now()
	err = s.Load(ctx, row(), []any{int64(1)}, nil, take)
	return time.Since(began), err
}

// ended is how one of many loads ended.
type ended struct {
	took time.Duration
	err  error
}

// loads asks n times at once.
func loads(t *testing.T, s *guard.Source, n int, budget time.Duration) []ended {
	all := make([]ended, n)
	var wg sync.WaitGroup
	for i := range all {
		wg.Go(func() { all[i].took, all[i].err = load(t, s, budget) })
	}
	wg.Wait()
	return all
}
