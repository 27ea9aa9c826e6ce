package cache_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"forebay/backend"
	"forebay/internal/cache"
	"forebay/internal/route"
)

// sizes are how many rows the queries so far asked for, in the order in which they came.
func (s *source) sizes() (list []int) {
	for _, q := range s.asked() {
		list = append(list, len(q.in))
	}
	return list
}

// turns makes a hook that holds each query, in the order in which they come, at a gate of its own. Those after the last go through.
func turns(gates ...*gate) func(context.Context, asked) error {
	next := make(chan *gate, len(gates))
	for _, g := range gates {
		next <- g
	}
	return func(ctx context.Context, _ asked) error {
		select {
		case g := <-next:
			return stopped(g.pass(ctx))
		default:
			return nil
		}
	}
}

func TestMissesOfAPartitionGather(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		for i := range 300 {
			f.source.set(1, i, fmt.Sprint("v", i))
			f.source.set(2, i, fmt.Sprint("w", i))
		}
		first := newGate("first")
		f.source.before = turns(first)
		begun := time.Now()
		all := []*reading{f.start("t:1:0")}
		first.held(t, 1) // at once, and alone: it waits for nobody
		for i := 1; i <= 100; i++ {
			all = append(all, f.start(fmt.Sprint("t:1:", i)))
		}
		other := f.start("t:2:0", "t:2:1") // knows nothing of the first partition
		wantResults(t, other.wait(), "w0", "w1")
		if got := f.source.sizes(); !slices.Equal(got, []int{1, 2}) {
			t.Errorf("queries of %v rows while the first is under way, want 1 and 2", got)
		}
		first.release()
		for i, r := range all {
			wantResults(t, r.wait(), fmt.Sprint("v", i))
		}
		if got := f.source.sizes(); !slices.Equal(got, []int{1, 2, 100}) {
			t.Errorf("queries of %v rows, want 1, 2 and all 100 that gathered", got)
		}
		if d := time.Since(begun); d != 0 {
			t.Errorf("somebody waited %v for nothing", d)
		}
		f.idle()
	})
}

// A reader is never given a row that was read before it came: what gathers does not join the query under way.
func TestAGatheredMissSeesWhatWasWrittenBefore(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		f.source.set(1, 1, "old")
		f.source.set(1, 2, "old")
		read := newGate("read, not yet answered")
		f.source.after = turns(read)
		a := f.start("t:1:1", "t:1:2")
		read.held(t, 1)
		f.source.set(1, 2, "new")
		f.engine.Fence(0, []byte("t:1:2"))
		b := f.start("t:1:2")
		read.release()
		wantResults(t, a.wait()[:1], "old")
		for _, r := range []cache.Result{a.wait()[1], b.wait()[0]} { // from the source, or stored by the other by then
			if string(r.Value) != "new" || r.Err != nil {
				t.Errorf("got %q, %v; want new", r.Value, r.Err)
			}
		}
		f.idle()
	})
}

func TestWhatGathersIsBounded(t *testing.T) {
	t.Run("by rows", func(t *testing.T) {
		bubble(t, func(t *testing.T, f *fixture) {
			first := newGate("first")
			f.source.before = turns(first)
			f.start("t:1:0")
			for i := 1; i <= route.MaxIn+10; i++ {
				f.source.set(1, i, "v")
				f.start(fmt.Sprint("t:1:", i))
			}
			// The full batch has gone; when it was done, so did what had gathered by then; from then on each behind the first again.
			got := f.source.sizes()
			if !slices.Equal(got[:2], []int{1, route.MaxIn}) {
				t.Errorf("queries of %v rows, want 1 and %d", got, route.MaxIn)
			}
			first.release()
			f.idle()
		})
	})
	t.Run("by bytes", func(t *testing.T) {
		bubble(t, func(t *testing.T, f *fixture) {
			large := string(make([]byte, 1<<20))
			for i := range 20 {
				f.source.set(1, i, large)
			}
			f.read("t:1:0") // from it the engine learns how large a row is
			var keys []string
			for i := 1; i < 20; i++ {
				keys = append(keys, fmt.Sprint("t:1:", i))
			}
			for i, r := range f.read(keys...) {
				if r.Err != nil || len(r.Value) != len(large) {
					t.Errorf("row %d: %d bytes, %v", i, len(r.Value), r.Err)
				}
			}
			if got := f.source.sizes(); slices.Max(got) != 4 {
				t.Errorf("queries of %v rows of 1 MiB, want at most 4", got)
			}
			f.idle()
		})
	})
}

// A query that hangs holds up its own readers only.
func TestAQueryThatHangsDoesNotHoldUpWhatGathers(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		for i := range 4 {
			f.source.set(1, i, fmt.Sprint("v", i))
		}
		f.source.before = turns(newGate("never opened"))
		begun := time.Now()
		hung := f.start("t:1:0")
		others := []*reading{f.start("t:1:1"), f.start("t:1:2", "t:1:3")}
		wantResults(t, others[0].wait(), "v1")
		wantResults(t, others[1].wait(), "v2", "v3")
		if d := time.Since(begun); d != 100*time.Millisecond {
			t.Errorf("the others waited %v", d)
		}
		if got := f.source.sizes(); !slices.Equal(got, []int{1, 2 + 1}) {
			t.Errorf("queries of %v rows, want 1 and 3", got)
		}
		wantResults(t, hung.wait(), "error: timeout")
		synctest.Wait()
		f.idle()
	})
}

// Who leaves takes nothing from the others of a batch, not even who began it.
func TestWhoLeavesABatchTakesNothingFromOthers(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		for i := range 3 {
			f.source.set(1, i, fmt.Sprint("v", i))
		}
		first := newGate("first")
		f.source.before = turns(first)
		a := f.start("t:1:0")
		hasty, leave := context.WithCancel(t.Context())
		b := f.startIn(hasty, 0, cache.Mode{}, "t:1:1")
		c := f.start("t:1:2")
		leave()
		wantResults(t, b.wait(), "error: closed")
		first.release()
		wantResults(t, a.wait(), "v0")
		wantResults(t, c.wait(), "v2")
		if v, _ := f.store.get("t:1:1"); v != "v1" {
			t.Errorf("%q is stored of the row whose reader left, want v1", v)
		}
		f.idle()
	})
}

// An error of a query is that of the loads it was for, and of nobody who gathered behind it.
func TestErrorsOfGatheredQueriesGoToTheRightOnes(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		for i := range 5 {
			f.source.set(1, i, fmt.Sprint("v", i))
		}
		f.source.put(cell{int64(1), int64(3)}, nil) // null: no value, and an error of this row only
		first, second := newGate("first"), newGate("second")
		hold := turns(first, second)
		f.source.after = func(ctx context.Context, q asked) error {
			if err := hold(ctx, q); err != nil || len(q.in) != 1 {
				return err
			}
			return fmt.Errorf("read page: %w", backend.ErrSourceDown)
		}
		a := f.start("t:1:9") // absent, or so it seems: its query fails
		b, c, d := f.start("t:1:1"), f.start("t:1:3"), f.start("t:1:8", "t:1:2")
		first.release()
		wantResults(t, a.wait(), "error: down")
		second.release()
		wantResults(t, b.wait(), "v1")
		wantResults(t, c.wait(), "error: invalid")
		wantResults(t, d.wait(), "nil", "v2")
		f.idle()
	})
}

// Queries under way at once are bounded, whoever's turn they are.
func TestGatheredQueriesCountAsLoads(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		gates := []*gate{newGate("one"), newGate("two"), newGate("three")}
		f.source.before = turns(gates...)
		f.start("t:1:1")
		f.start("t:2:1")
		f.start("t:1:2")
		f.start("t:3:1")
		gates[2].held(t, 0)
		if n := len(f.source.asked()); n != 2 {
			t.Errorf("%d queries under way, want 2", n)
		}
		for _, g := range gates {
			g.release()
		}
		f.idle()
		if n := len(f.source.asked()); n != 4 {
			t.Errorf("%d queries, want 4", n)
		}
	}, func(o *cache.Options) { o.Loads = 2 })
}

func TestCloseEndsWhatGathers(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		f.source.before = func(ctx context.Context, _ asked) error {
			<-ctx.Done()
			return errors.Join(backend.ErrSourceTimeout, ctx.Err())
		}
		a, b := f.start("t:1:1"), f.start("t:1:2")
		f.engine.Close()
		wantResults(t, a.wait(), "error: closed")
		wantResults(t, b.wait(), "error: closed")
		f.idle()
	})
}
