package cache_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"forebay/backend"
	"forebay/internal/cache"
	"forebay/internal/event"
	"forebay/internal/route"
)

// The misses of a batch are one query a partition, all under way at once.
func TestOneQueryAPartition(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		var keys, want []string
		for i := range 30 { // interleaved
			f.source.set(i%3, i, fmt.Sprint("v", i))
			keys = append(keys, fmt.Sprintf("t:%d:%d", i%3, i))
			want = append(want, fmt.Sprint("v", i))
		}
		g := newGate("query")
		f.source.before = every(g)
		r := f.start(keys...)
		g.held(t, 3)
		g.release()
		wantResults(t, r.wait(), want...)
		for _, q := range f.source.asked() {
			if len(q.in) != 10 {
				t.Errorf("a query of partition %v asks for %d rows, want 10", q.where, len(q.in))
			}
		}
	})
}

func TestQueriesAreBounded(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		const n = 2*route.MaxIn + 44
		var keys []string
		for i := range n {
			f.source.set(1, i, fmt.Sprint("v", i))
			keys = append(keys, fmt.Sprint("t:1:", i))
		}
		for i, r := range f.read(keys...) {
			if show(r) != fmt.Sprint("v", i) {
				t.Fatalf("key %d is %q", i, show(r))
			}
		}
		var sizes []int
		for _, q := range f.source.asked() {
			sizes = append(sizes, len(q.in))
		}
		slices.Sort(sizes)
		if !slices.Equal(sizes, []int{44, route.MaxIn, route.MaxIn}) {
			t.Errorf("queries of %v rows, want 44 and twice %d", sizes, route.MaxIn)
		}
		if fills := f.store.trips("fill"); len(fills) != 1 || len(fills[0].keys) != n {
			t.Errorf("%d fills, want one of %d", len(fills), n)
		}
	})
}

func TestRowsAreAskedForOnce(t *testing.T) {
	tests := []struct {
		name string
		keys []string
		want []string
		in   []any
	}{
		{"the same key twice", []string{"t:1:1", "t:1:2", "t:1:1"}, []string{"v1", "v2", "v1"}, []any{int64(1), int64(2)}},
		{"two keys of one row", []string{"mod:1:1", "mod:1:11", "mod:1:2"}, []string{"v1", "v1", "v2"}, []any{int64(1), int64(2)}},
		{"rows that are named by bytes", []string{"named:6162", "named:6163"}, []string{"ab", "nil"}, []any{[]byte("ab"), []byte("ac")}},
		{"a row alone in its partition", []string{"one:7"}, []string{"seven"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, f *fixture) {
				f.source.set(1, 1, "v1")
				f.source.set(1, 2, "v2")
				f.source.put(cell{int64(1), "ab"}, []byte("ab"))
				f.source.put(cell{nil, int64(7)}, []byte("seven"))
				wantResults(t, f.read(tt.keys...), tt.want...)
				q := f.source.asked()
				if len(q) != 1 || fmt.Sprint(q[0].in) != fmt.Sprint(tt.in) {
					t.Errorf("queries: %v, want one of %v", q, tt.in)
				}
				f.idle()
			})
		})
	}
}

// Keys of one Read that other readers are loading are waited for, the rest is loaded.
func TestBatchesShareFlights(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		for i := range 6 {
			f.source.set(1, i, fmt.Sprint("v", i))
		}
		g := newGate("query")
		f.source.before = every(g)
		first := f.start("t:1:0", "t:1:1", "t:1:2", "t:1:3")
		second := f.start("t:1:2", "t:1:3", "t:1:4", "t:1:5")
		g.held(t, 1)
		g.release()
		wantResults(t, first.wait(), "v0", "v1", "v2", "v3")
		wantResults(t, second.wait(), "v2", "v3", "v4", "v5")
		asked := 0
		for _, q := range f.source.asked() {
			asked += len(q.in)
		}
		if asked != 6 || f.engine.Coalesced() != 2 {
			t.Errorf("%d rows asked for and %d reads coalesced, want 6 and 2", asked, f.engine.Coalesced())
		}
		// 0 to 3 are one query, and so are 4 and 5.
		if n := f.engine.CoalescedQuery(); n != 4 {
			t.Errorf("%d rows went with another key's query, want 4", n)
		}
	})
}

func TestOneBadRowDoesNotFailItsNeighbours(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		f.source.set(1, 1, "v1")
		f.source.put(cell{int64(1), int64(2)}, nil) // null
		f.source.set(1, 3, "v3")
		wantResults(t, f.read("t:1:1", "t:1:2", "t:1:3"), "v1", "error: invalid", "v3")
		if n := len(f.store.entries()); n != 2 {
			t.Errorf("%d were stored, want 2", n)
		}
		if l := f.events.of(event.Load); len(l) != 1 || l[0].Rows != 3 || l[0].Error != "" {
			t.Errorf("load events: %+v, want one of 3 rows", l)
		}
	})
}

// What the source reported before it failed is right; the others' absence would be a lie.
func TestAFailedQueryFailsWhatItDidNotReport(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		f.source.set(1, 1, "v1")
		f.source.set(2, 1, "w1")
		f.source.put(cell{int64(1), int64(3)}, nil)
		f.source.after = func(_ context.Context, q asked) error {
			if q.where[0] == int64(1) {
				return fmt.Errorf("read page 2: %w", backend.ErrSourceDown)
			}
			return nil
		}
		wantResults(t, f.read("t:1:1", "t:1:2", "t:1:3", "t:2:1"), "v1", "error: down", "error: invalid", "w1")
		if n := len(f.store.entries()); n != 2 {
			t.Errorf("%d were stored, want 2", n)
		}
	})
}

func TestAnErrorIsForEveryWaiter(t *testing.T) {
	for name, err := range map[string]error{
		"down": backend.ErrSourceDown, "timeout": backend.ErrSourceTimeout, "invalid": backend.ErrSourceInvalid,
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, f *fixture) {
				g := newGate("query")
				f.source.after = func(ctx context.Context, _ asked) error {
					return errors.Join(g.pass(ctx), fmt.Errorf("ask cassandra: %w", err))
				}
				all := []*reading{f.start("t:1:1"), f.start("t:1:1", "t:1:1")}
				g.release()
				wantResults(t, all[0].wait(), "error: "+name)
				wantResults(t, all[1].wait(), "error: "+name, "error: "+name)
				if n := len(f.source.asked()); n != 1 {
					t.Errorf("%d queries, want 1: an error is not retried", n)
				}
				if len(f.store.trips("fill")) != 0 {
					t.Error("something was stored")
				}
				l := f.events.of(event.Load)
				if len(l) != 1 || l[0].Error == "" || l[0].Rows != 0 {
					t.Errorf("load events: %+v, want one with an error", l)
				}
				f.source.after = nil
				f.source.set(1, 1, "v1")
				wantResults(t, f.read("t:1:1"), "v1") // an error is not remembered
				f.idle()
			})
		})
	}
}

func TestKeysThatAreNotAskedFor(t *testing.T) {
	unbound, err := route.Compile(specs())
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		routes *route.Table // nil: the bound ones
		key    string
		route  int // index of the route that the caller names
		want   string
	}{
		{"no route has the key", nil, "unrouted", 0, "error: invalid"},
		{"another route has the key", nil, "mod:1:1", 0, "error: invalid"},
		{"the route is not bound yet", unbound, "t:1:1", 0, "error: down"},
		{"no row can have the key", nil, "named:616", 4, "nil"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, f *fixture) {
				routes := f.routes
				if tt.routes != nil {
					routes = tt.routes
				}
				f.source.set(1, 1, "v1")
				want := cache.Want{Key: []byte(tt.key), Route: routes.Routes()[tt.route]}
				wantResults(t, f.engine.Read(t.Context(), 0, []cache.Want{want}, cache.Mode{}), tt.want)
				if n := len(f.source.asked()); n != 0 {
					t.Errorf("%d queries, want none", n)
				}
				f.idle()
			}, func(o *cache.Options) {
				if tt.routes != nil {
					o.Routes = tt.routes
				}
			})
		})
	}
}
