package cache_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"forebay/backend"
	"forebay/internal/cache"
)

func TestFenceTouchesItsKeyOnly(t *testing.T) {
	tests := []struct {
		name  string
		fence func(*cache.Engine)
		again []string // keys of the flights that are dropped
	}{
		{"Fence of one key", func(e *cache.Engine) { e.Fence(0, []byte("t:1:1")) }, []string{"0/t:1:1"}},
		{"Fence in another database", func(e *cache.Engine) { e.Fence(3, []byte("t:1:1")) }, []string{"3/t:1:1"}},
		{"Fence of what is not loaded", func(e *cache.Engine) { e.Fence(0, []byte("t:1:7")) }, nil},
		{"FenceAll of one database", func(e *cache.Engine) { e.FenceAll(0) }, []string{"0/t:1:1", "0/t:2:2"}},
		{"FenceAll of every database", func(e *cache.Engine) { e.FenceAll(-1) }, []string{"0/t:1:1", "0/t:2:2", "3/t:1:1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, f *fixture) {
				f.source.set(1, 1, "v1")
				f.source.set(2, 2, "w1") // another partition: its query does not gather behind the first
				g := newGate("query")
				f.source.after = every(g)
				all := map[string]*reading{
					"0/t:1:1": f.start("t:1:1"),
					"0/t:2:2": f.start("t:2:2"),
					"3/t:1:1": f.startIn(context.Background(), 3, cache.Mode{}, "t:1:1"),
				}
				g.held(t, 3)
				tt.fence(f.engine)
				if n := f.engine.Flights(); n != 3-len(tt.again) {
					t.Errorf("%d flights are left, want %d", n, 3-len(tt.again))
				}
				g.release()
				for _, r := range all {
					r.wait()
				}
				// A dropped flight's reader loads once more.
				if n := len(f.source.asked()); n != 3+len(tt.again) {
					t.Errorf("%d queries, want %d", n, 3+len(tt.again))
				}
				for _, e := range tt.again {
					if _, ok := f.store.values[e]; !ok {
						t.Errorf("%s was not stored in the end", e)
					}
				}
				f.idle()
			})
		})
	}
}

func TestFenceAllOfOneDatabaseDoesNotWaitForOthers(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		f.source.set(1, 1, "v1")
		g := newGate("fill")
		f.store.before = on(g, "fill", "t:1:1")
		r := f.startIn(context.Background(), 3, cache.Mode{}, "t:1:1")
		g.held(t, 1)
		if !closed(background(func() { f.engine.FenceAll(0) })) {
			t.Error("FenceAll(0) waits for database 3")
		}
		fenced := background(func() { f.engine.FenceAll(3) })
		if closed(fenced) {
			t.Error("FenceAll(3) does not wait for its flight")
		}
		g.release()
		<-fenced
		wantResults(t, r.wait(), "v1")
	})
}

// The fence is before every command that may write, so it must cost nothing for keys without a route while nothing is loaded.
func TestFenceOfAnUnroutedKeyAllocatesNothing(t *testing.T) {
	f := newFixture(t)
	key := []byte("other:1:1")
	if n := testing.AllocsPerRun(100, func() { f.engine.Fence(0, key) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if n := len(f.store.trips("drop")); n != 0 {
		t.Errorf("%d round trips", n)
	}
}

// A fence ends without an error only when Redis says that the leases are gone, and within the budget of a request.
func TestFenceOfARedisThatDoesNotSaySo(t *testing.T) {
	for _, tt := range []struct {
		name     string
		heardOf  int // tries of which nothing is heard
		up       bool
		wantErr  bool
		wantTook time.Duration
	}{
		{name: "it does", up: true},
		{name: "a connection of which nothing is heard", heardOf: 1, up: true, wantTook: storeBudget},
		{name: "it is up, and does nothing", heardOf: 100, up: true, wantErr: true, wantTook: budget},
		{name: "it is down", heardOf: 100, wantErr: true, wantTook: storeBudget},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, f *fixture) {
				tries := 0
				f.store.before = func(ctx context.Context, o op) error {
					if o.name != "drop" {
						return nil
					}
					if tries++; tries > tt.heardOf {
						return nil
					}
					f.store.mu.Lock()
					f.store.down = !tt.up
					f.store.mu.Unlock()
					<-ctx.Done()
					return ctx.Err()
				}
				begun := time.Now()
				err := f.engine.Fence(0, []byte("t:1:1"))
				took := time.Since(begun)
				if errors.Is(err, backend.ErrStoreDown) != tt.wantErr || (err != nil) != tt.wantErr || took < tt.wantTook || took > tt.wantTook+200*time.Millisecond {
					t.Errorf("%v after %v", err, took)
				}
			})
		})
	}
}
