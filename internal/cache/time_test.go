package cache_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"forebay/backend"
	"forebay/internal/cache"
	"forebay/internal/event"
)

// A waiter has its own deadline; the flight, and those who wait longer, go on.
func TestAWaitersDeadlineDoesNotEndTheFlight(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		f.source.set(1, 1, "v1")
		g := newGate("query")
		f.source.before = every(g)
		hasty, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		gone, leave := context.WithCancel(t.Context())
		begun := time.Now()
		first := f.startIn(hasty, 0, cache.Mode{}, "t:1:1") // it has begun the flight
		second := f.start("t:1:1")
		third := f.startIn(gone, 0, cache.Mode{}, "t:1:1")
		leave()
		wantResults(t, third.wait(), "error: closed")
		wantResults(t, first.wait(), "error: timeout")
		if d := time.Since(begun); d != 100*time.Millisecond {
			t.Errorf("the hasty reader waited %v", d)
		}
		g.release()
		wantResults(t, second.wait(), "v1")
		if v, _ := f.store.get("t:1:1"); v != "v1" {
			t.Errorf("%q is stored, want v1", v)
		}
	})
}

func TestTheFlightGoesOnWithoutReaders(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		f.source.set(1, 1, "v1")
		g := newGate("query")
		f.source.before = every(g)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		wantResults(t, f.startIn(ctx, 0, cache.Mode{}, "t:1:1").wait(), "error: timeout")
		g.release()
		wantResults(t, f.read("t:1:1"), "v1*")
		f.idle()
	})
}

func TestTheBudgetEndsReadsAndFlights(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		f.source.before = every(newGate("never opened"))
		begun := time.Now()
		wantResults(t, f.read("t:1:1", "t:2:1"), "error: timeout", "error: timeout")
		if d := time.Since(begun); d != budget {
			t.Errorf("the read took %v, want the budget of %v", d, budget)
		}
		synctest.Wait()
		f.idle()
	})
}

// More queries than may be under way at once wait for their turn; those that do not get it in time were never asked.
func TestLoadsAreBounded(t *testing.T) {
	two := func(o *cache.Options) { o.Loads = 2 }
	keys := []string{"t:1:1", "t:2:1", "t:3:1", "t:4:1", "t:5:1"}
	bubble(t, func(t *testing.T, f *fixture) {
		for part := range 6 {
			f.source.set(part, 1, "v")
		}
		g := newGate("query")
		f.source.before = every(g)
		r := f.start(keys...)
		g.held(t, 2)
		g.release()
		wantResults(t, r.wait(), "v", "v", "v", "v", "v")
	}, two)
	bubble(t, func(t *testing.T, f *fixture) {
		f.source.before = every(newGate("never opened"))
		for _, r := range f.read(keys...) {
			if show(r) != "error: timeout" {
				t.Errorf("got %s, want a timeout", show(r))
			}
		}
		synctest.Wait()
		if q, l := len(f.source.asked()), len(f.events.of(event.Load)); q != 2 || l != 2 {
			t.Errorf("%d queries and %d load events, want 2 and 2", q, l)
		}
		f.idle()
	}, two)
}

func TestRedisDown(t *testing.T) {
	tests := []struct {
		name string
		fail func(*store)
		took time.Duration
		gets int
	}{
		{"known", func(s *store) { s.setDown(true) }, 0, 0},
		{"refusing", func(s *store) {
			s.before = func(context.Context, op) error { return errors.New("connection refused") }
		}, 0, 1},
		{"silent", func(s *store) { s.before = on(newGate("never opened"), "get", "") }, storeBudget, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, f *fixture) {
				f.source.set(1, 1, "v1")
				tt.fail(f.store)
				g := newGate("query")
				f.source.before = every(g)
				begun := time.Now()
				all := []*reading{f.start("t:1:1"), f.start("t:1:1", "t:1:2")}
				<-time.After(tt.took)
				g.release()
				wantResults(t, all[0].wait(), "v1")
				wantResults(t, all[1].wait(), "v1", "nil")
				if d := time.Since(begun); d != tt.took {
					t.Errorf("the reads took %v, want %v", d, tt.took)
				}
				if fills := len(f.store.trips("fill")); fills != 0 {
					t.Errorf("%d fills of a Redis that does not answer", fills)
				}
				if tt.gets == 0 && len(f.store.trips("get")) != 0 {
					t.Error("a Redis that is known to be down was asked")
				}
				f.idle()
			})
		})
	}
}

func TestBothDown(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		f.store.setDown(true)
		f.source.before = func(context.Context, asked) error { return backend.ErrSourceDown }
		wantResults(t, f.read("t:1:1"), "error: down")
		f.store.setDown(false)
		f.source.before = nil
		f.source.set(1, 1, "v1")
		wantResults(t, f.read("t:1:1"), "v1")
		wantResults(t, f.read("t:1:1"), "v1*")
	})
}

// A fill that Redis does not acknowledge holds a writer for the store's budget, no longer.
func TestAFenceWaitsNoLongerThanTheStoresBudget(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		f.source.set(1, 1, "v1")
		g := newGate("never opened")
		f.store.before = on(g, "fill", "t:1:1")
		r := f.start("t:1:1")
		g.held(t, 1)
		begun := time.Now()
		f.engine.Fence(0, []byte("t:1:1"))
		if d := time.Since(begun); d != storeBudget {
			t.Errorf("the fence took %v, want %v", d, storeBudget)
		}
		wantResults(t, r.wait(), "v1")
	})
}

// The fill has its own time: a value that came at the end of the budget is stored all the same.
func TestALateValueIsStored(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		f.source.set(1, 1, "v1")
		f.source.after = func(context.Context, asked) error {
			<-time.After(budget - time.Millisecond)
			return nil
		}
		f.store.before = func(ctx context.Context, o op) error {
			if o.name == "fill" {
				return pause(ctx, 10*time.Millisecond)
			}
			return nil
		}
		wantResults(t, f.read("t:1:1"), "error: timeout")
		f.engine.FenceHere(0, []byte("t:1:1")) // waits for it
		if v, _ := f.store.get("t:1:1"); v != "v1" {
			t.Errorf("%q is stored, want v1", v)
		}
	})
}

// pause waits for a time, unless ctx ends before.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func TestClose(t *testing.T) {
	tests := []struct {
		name   string
		hold   func(*fixture, *gate)
		want   string
		late   string // of who came second
		stored bool
	}{
		{"during the look", func(f *fixture, g *gate) { f.store.before = on(g, "get", "") }, "error: closed", "error: closed", false},
		{"during the query", func(f *fixture, g *gate) { f.source.before = every(g) }, "error: closed", "error: closed", false},
		{"during the fill, which it waits for", func(f *fixture, g *gate) {
			f.store.before = func(ctx context.Context, o op) error {
				if o.name != "fill" {
					return nil
				}
				g.add(1)
				defer g.add(-1)
				return pause(ctx, storeBudget/2)
			}
		}, "v1", "error: closed", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, f *fixture) {
				f.source.set(1, 1, "v1")
				g := newGate("held")
				tt.hold(f, g)
				all := []*reading{f.start("t:1:1"), f.start("t:1:1")}
				g.held(t, 1)
				f.engine.Close()
				if _, ok := f.store.get("t:1:1"); ok != tt.stored {
					t.Errorf("stored is %t, want %t", ok, tt.stored)
				}
				wantResults(t, all[0].wait(), tt.want)
				wantResults(t, all[1].wait(), tt.late)
				wantResults(t, f.read("t:1:1", "t:1:2"), "error: closed", "error: closed")
				f.engine.Close() // once more
				f.idle()
			})
		})
	}
}

// A query that waited for its turn is not blamed on the source when the engine closes.
func TestCloseWhileQueriesWait(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		g := newGate("never opened")
		f.source.before = every(g)
		r := f.start("t:1:1", "t:2:1", "t:3:1")
		g.held(t, 1)
		f.engine.Close()
		for _, res := range r.wait() {
			if !errors.Is(res.Err, cache.ErrClosed) || errors.Is(res.Err, backend.ErrSourceTimeout) {
				t.Errorf("error: %v, want that of closing", res.Err)
			}
		}
		for _, e := range f.events.of(event.Load) {
			if !strings.Contains(e.Error, cache.ErrClosed.Error()) {
				t.Errorf("load event: %q", e.Error)
			}
		}
	}, func(o *cache.Options) { o.Loads = 1 })
}
