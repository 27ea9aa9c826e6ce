package cache_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"forebay/internal/cache"
	"forebay/internal/event"
)

func TestModes(t *testing.T) {
	tests := []struct {
		name        string
		mode        cache.Mode
		gets, fills int
	}{
		{"the usual one", cache.Mode{}, 1, 1},
		{"no look", cache.Mode{NoLook: true}, 0, 0},
		{"no fill", cache.Mode{NoFill: true}, 1, 0},
		{"neither", cache.Mode{NoLook: true, NoFill: true}, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, f *fixture) {
				f.source.set(1, 1, "v1")
				got := f.engine.Read(context.Background(), 0, f.wants(0, "t:1:1"), tt.mode)
				wantResults(t, got, "v1")
				if g, fl := len(f.store.trips("get")), len(f.store.trips("fill")); g != tt.gets || fl != tt.fills {
					t.Errorf("%d gets and %d fills, want %d and %d", g, fl, tt.gets, tt.fills)
				}
				if n := len(f.events.of(event.Fill)); n != tt.fills {
					t.Errorf("%d fill events, want %d", n, tt.fills)
				}
			})
		})
	}
}

// NoLook is about the first look only: what follows a fence is a flight as usual.
func TestNoLookLooksAgainAfterAFence(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		f.source.set(1, 1, "v1")
		f.source.after = func(context.Context, asked) error {
			f.engine.Fence(0, []byte("t:1:1"))
			f.store.set("t:1:1", "written")
			return nil
		}
		got := f.engine.Read(context.Background(), 0, f.wants(0, "t:1:1"), cache.Mode{NoLook: true})
		wantResults(t, got, "written*")
	})
}

// What is loaded but not stored is subject to the fence too.
func TestFenceOfALoadThatIsNotStored(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		f.source.set(1, 1, "v1")
		g := newGate("query")
		f.source.after = every(g)
		r := f.startIn(context.Background(), 0, cache.Mode{NoLook: true, NoFill: true}, "t:1:1")
		f.source.set(1, 1, "v2")
		f.engine.Fence(0, []byte("t:1:1"))
		g.release()
		wantResults(t, r.wait(), "v2")
	})
}

// Who has asked Redis is not given what was read without, before a client of another process wrote (flights).
func TestABlindLoadIsNotForThoseWhoAskRedis(t *testing.T) {
	blind := cache.Mode{NoLook: true, NoFill: true}
	for name, tt := range map[string]struct {
		first, second cache.Mode
		down          bool
		want          string
		queries       int
	}{
		"asked behind one that was not": {first: blind, want: "v2", queries: 2},
		"neither is asked":              {first: blind, second: blind, want: "v1", queries: 1},
		"redis is down for both":        {first: blind, down: true, want: "v1", queries: 1},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, f *fixture) {
				f.store.setDown(tt.down)
				f.source.set(1, 1, "v1")
				g := newGate("answer of the query")
				f.source.after = every(g)
				first := f.startIn(context.Background(), 0, tt.first, "t:1:1")
				g.held(t, 1)
				f.source.set(1, 1, "v2")
				_ = f.other().Fence(0, []byte("t:1:1"))
				f.store.del("t:1:1")
				var late []*reading
				for range 10 {
					late = append(late, f.startIn(context.Background(), 0, tt.second, "t:1:1"))
				}
				g.release()
				wantResults(t, first.wait(), "v1")
				for _, r := range late {
					if got := strings.TrimSuffix(show(r.wait()[0]), "*"); got != tt.want {
						t.Errorf("who came later has %s, want %s", got, tt.want)
					}
				}
				if n := len(f.source.asked()); n != tt.queries {
					t.Errorf("%d queries, want %d", n, tt.queries)
				}
			})
		})
	}
}

func TestEventsOfABatch(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		f.source.set(1, 1, "four")
		f.source.set(1, 2, "seven77")
		f.source.set(2, 1, "x")
		f.source.after = func(context.Context, asked) error {
			<-time.After(5 * time.Millisecond)
			return nil
		}
		f.read("t:1:1", "t:1:2", "t:1:3", "t:2:1")
		loads := map[int]event.Event{} // by rows
		for _, e := range f.events.of(event.Load) {
			loads[e.Rows] = e
		}
		if len(f.events.of(event.Load)) != 2 || loads[2].Bytes != 11 || loads[1].Bytes != 1 {
			t.Errorf("load events: %+v, want 2 rows of 11 bytes and 1 row of 1 byte", f.events.of(event.Load))
		}
		if l := loads[2]; l.Route != "t" || l.Error != "" || l.Duration != 5*time.Millisecond {
			t.Errorf("load event: %+v", l)
		}
		fills := f.events.of(event.Fill)
		if len(fills) != 3 {
			t.Fatalf("%d fill events, want 3", len(fills))
		}
		for _, e := range fills {
			if v, ok := f.store.get(string(e.Key)); !ok || e.Bytes != int64(len(v)) || e.Route != "t" || e.Error != "" {
				t.Errorf("fill event: %+v", e)
			}
		}
	})
}
