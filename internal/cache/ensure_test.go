package cache_test

import (
	"context"
	"errors"
	"testing"

	"forebay/backend"
	"forebay/internal/cache"
)

func TestEnsure(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		f.source.set(1, 1, "v1")
		f.source.set(1, 2, "v2")
		f.store.set("t:1:2", "cached")
		found, err := f.engine.Ensure(context.Background(), 0, f.wants(0, "t:1:1", "t:1:2", "t:1:3"))
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []cache.Found{cache.FoundInSource, cache.FoundInRedis, cache.FoundNowhere} {
			if found[i] != want {
				t.Errorf("key %d: %d, want %d", i, found[i], want)
			}
		}
		if v, _ := f.store.get("t:1:1"); v != "v1" {
			t.Errorf("redis holds %q", v)
		}
		if q := f.source.asked(); len(q) != 1 || len(q[0].in) != 2 {
			t.Errorf("queries: %v, want one of two rows", q)
		}
		if found, err := f.engine.Ensure(context.Background(), 0, nil); err != nil || len(found) != 0 {
			t.Errorf("of nothing: %v, %v", found, err)
		}
	})
}

func TestEnsureFails(t *testing.T) {
	down := func(when string) func(*store) {
		return func(s *store) {
			s.before = func(_ context.Context, o op) error {
				if o.name == when {
					return backend.ErrStoreDown
				}
				return nil
			}
		}
	}
	tests := []struct {
		name string
		fail func(*fixture)
		want error
	}{
		{"the source", func(f *fixture) {
			f.source.before = func(context.Context, asked) error { return backend.ErrSourceDown }
		}, backend.ErrSourceDown},
		{"redis", func(f *fixture) { down("get")(f.store) }, backend.ErrStoreDown},
		{"redis stores nothing, and its leases stay for a while", func(f *fixture) { down("fill")(f.store) }, backend.ErrSourceTimeout},
		{"redis is full", func(f *fixture) {
			f.store.refuse = func(o op, _ string) error {
				if o.name == "fill" {
					return errOOM
				}
				return nil
			}
		}, cache.ErrNotKept},
		{"the value is removed each time", func(f *fixture) {
			f.store.before = func(_ context.Context, o op) error {
				if o.name == "get" {
					f.store.del("t:1:1")
				}
				return nil
			}
		}, cache.ErrNotKept},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, f *fixture) {
				f.source.set(1, 1, "v1")
				tt.fail(f)
				if _, err := f.engine.Ensure(context.Background(), 0, f.wants(0, "t:1:1")); !errors.Is(err, tt.want) {
					t.Errorf("%v, want %v", err, tt.want)
				}
				if n := len(f.source.asked()); n > 3 {
					t.Errorf("%d queries", n)
				}
			})
		})
	}
}

// The interleaving of Ensure: it joins a load that is not stored.
func TestEnsureJoinsALoadThatIsNotStored(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		f.source.set(1, 1, "v1")
		g := newGate("query")
		f.source.before = every(g)
		r := f.startIn(context.Background(), 0, cache.Mode{NoFill: true}, "t:1:1")
		g.held(t, 1)
		ensured := background(func() {
			if _, err := f.engine.Ensure(context.Background(), 0, f.wants(0, "t:1:1")); err != nil {
				t.Error(err)
			}
		})
		if closed(ensured) {
			t.Fatal("it does not wait")
		}
		g.release()
		wantResults(t, r.wait(), "v1")
		<-ensured
		if v, ok := f.store.get("t:1:1"); !ok || v != "v1" {
			t.Errorf("redis holds %q, %t", v, ok)
		}
	})
}

// What is stored for somebody's EVAL while a writer removes it is not stored behind the writer's back, and is no error either.
func TestEnsureAndAFence(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		f.source.set(1, 1, "v1")
		g := newGate("query")
		f.source.after = every(g)
		ensured := background(func() {
			if _, err := f.engine.Ensure(context.Background(), 0, f.wants(0, "t:1:1")); err != nil {
				t.Error(err)
			}
		})
		g.held(t, 1)
		f.source.set(1, 1, "v2")
		f.engine.Fence(0, []byte("t:1:1"))
		g.release()
		<-ensured
		if v, _ := f.store.get("t:1:1"); v != "v2" {
			t.Errorf("redis holds %q, want v2", v)
		}
	})
}
