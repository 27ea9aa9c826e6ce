package cache_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"forebay/internal/cache"
	"forebay/internal/event"
)

func TestOneFlightAKey(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		const readers = 100
		f.source.set(1, 1, "v1")
		g := newGate("query")
		f.source.before = every(g)
		var all []*reading
		for range readers {
			all = append(all, f.start("t:1:1"))
		}
		g.held(t, 1)
		if n := f.engine.Flights(); n != 1 {
			t.Errorf("%d flights, want 1", n)
		}
		g.release()
		for _, r := range all {
			wantResults(t, r.wait(), "v1")
		}
		if q, fills := len(f.source.asked()), len(f.store.trips("fill")); q != 1 || fills != 1 {
			t.Errorf("%d queries and %d fills, want 1 of each", q, fills)
		}
		if got := f.engine.Coalesced(); got != readers-1 {
			t.Errorf("%d reads coalesced, want %d", got, readers-1)
		}
		if l, fl := f.events.of(event.Load), f.events.of(event.Fill); len(l) != 1 || len(fl) != 1 {
			t.Errorf("%d load and %d fill events, want 1 of each", len(l), len(fl))
		}
		f.idle()
	})
}

// idle fails the test if the engine still counts a flight. It is for bubbles.
func (f *fixture) idle() {
	f.t.Helper()
	synctest.Wait()
	if n := f.engine.Flights(); n != 0 || !f.engine.Idle() {
		f.t.Errorf("after all reads ended: %d flights, Idle is %t", n, f.engine.Idle())
	}
}

// Interleaving 1 of flights: the fence comes while the value is being loaded, wherever in that.
func TestFenceDropsWhatIsBeingLoaded(t *testing.T) {
	for name, hold := range map[string]func(*fixture, *gate){
		"while redis is looked at": func(f *fixture, g *gate) { f.store.before = on(g, "get", "t:1:1") },
		"after redis was looked at": func(f *fixture, g *gate) {
			f.store.after = on(g, "get", "t:1:1")
		},
		"before the row is read": func(f *fixture, g *gate) { f.source.before = every(g) },
		"after the row was read": func(f *fixture, g *gate) { f.source.after = every(g) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, f *fixture) {
				f.source.set(1, 1, "v1")
				g := newGate(name)
				hold(f, g)
				r := f.start("t:1:1")
				g.held(t, 1)
				f.source.set(1, 1, "v2")
				if !closed(background(func() { f.engine.Fence(0, []byte("t:1:1")) })) {
					t.Fatal("the fence waits for a flight that it has dropped")
				}
				f.store.del("t:1:1") // the write
				g.release()
				if got := show(r.wait()[0]); got != "v2" && got != "v2*" {
					t.Errorf("the reader got %s, want v2", got)
				}
				for _, e := range f.store.entries() {
					if string(e.Value) != "v2" {
						t.Errorf("%s was stored", e.Value)
					}
				}
				f.idle()
			})
		})
	}
}

// A dropped flight is forgotten: who reads after the write does not wait for it, and its end does not disturb the flight that followed.
func TestReadersAfterAFenceBeginAnother(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		f.source.set(1, 1, "v1")
		old, young := newGate("old query"), newGate("young query")
		f.source.after = func(ctx context.Context, a asked) error {
			if len(f.source.asked()) == 1 {
				return stopped(old.pass(ctx))
			}
			return stopped(young.pass(ctx))
		}
		first := f.start("t:1:1")
		old.held(t, 1)
		f.source.set(1, 1, "v2")
		f.engine.Fence(0, []byte("t:1:1"))
		second := f.start("t:1:1")
		<-time.After(time.Second) // it does not wait for the old query longer than it takes to gather
		young.held(t, 1)

		old.release() // the old flight ends and its reader looks again: it joins the young one
		third := f.start("t:1:1")
		if first.ended() || third.ended() {
			t.Fatal("a reader did not wait for the young flight")
		}
		young.release()
		for _, r := range []*reading{first, second, third} {
			wantResults(t, r.wait(), "v2")
		}
		if n := len(f.source.asked()); n != 2 {
			t.Errorf("%d queries, want 2", n)
		}
		f.idle()
	})
}

// Interleaving 2: the fence comes when the value is on its way to Redis, and waits until Redis has acknowledged it.
func TestFenceWaitsForASealedFlight(t *testing.T) {
	fences := map[string]func(*cache.Engine){
		"Fence":           func(e *cache.Engine) { e.Fence(0, []byte("t:1:1")) },
		"FenceAll of db":  func(e *cache.Engine) { e.FenceAll(0) },
		"FenceAll of all": func(e *cache.Engine) { e.FenceAll(-1) },
	}
	for name, fence := range fences {
		for _, acknowledging := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, stored already: %t", name, acknowledging), func(t *testing.T) {
				bubble(t, func(t *testing.T, f *fixture) {
					f.source.set(1, 1, "v1")
					g := newGate("fill")
					if acknowledging {
						f.store.after = on(g, "fill", "t:1:1")
					} else {
						f.store.before = on(g, "fill", "t:1:1")
					}
					r := f.start("t:1:1")
					g.held(t, 1)
					f.source.set(1, 1, "v2")
					fenced := background(func() { fence(f.engine) })
					if closed(fenced) {
						t.Fatal("the fence did not wait: the write may overtake the fill")
					}
					g.release()
					if !closed(fenced) {
						t.Fatal("the fence waits for a flight that has ended")
					}
					f.store.del("t:1:1") // the write
					want := "v2"         // its fill came behind the drop of its lease
					if acknowledging {
						want = "v1"
					}
					wantResults(t, r.wait(), want)
					if v, ok := f.store.get("t:1:1"); ok {
						t.Errorf("%s is stored after the write", v)
					}
					wantResults(t, f.read("t:1:1"), "v2")
				})
			})
		}
	}
}

// Interleaving 3: the fence has passed and the write is on its way when a reader begins a flight.
func TestFlightBegunAfterTheFence(t *testing.T) {
	setOnly := func(f *fixture) { f.store.set("t:1:1", "v2") }
	del := func(f *fixture) { f.store.del("t:1:1") }
	tests := []struct {
		name    string
		changed bool // the writer changes the source first
		hold    string
		write   func(*fixture)
		read    string
		stored  string
		queries int
	}{
		{"a set that comes before the look is found", false, "get", setOnly, "v2*", "v2", 0},
		{"a set that comes before the fill refuses it", false, "query", setOnly, "v2*", "v2", 1},
		{"a set that comes after the fill overwrites it", false, "filled", setOnly, "v1", "v2", 1},
		{"a del finds the source changed", true, "query", del, "v2", "v2", 1},
		{"a del after the fill removes what is right", true, "filled", del, "v2", "", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, f *fixture) {
				f.source.set(1, 1, "v1")
				if tt.changed {
					f.source.set(1, 1, "v2")
				}
				g := newGate(tt.hold)
				switch tt.hold {
				case "get":
					f.store.before = on(g, "get", "t:1:1")
				case "query":
					f.source.after = every(g)
				case "filled":
					f.store.after = on(g, "fill", "t:1:1")
				}
				f.engine.Fence(0, []byte("t:1:1"))
				r := f.start("t:1:1")
				g.held(t, 1)
				tt.write(f)
				g.release()
				wantResults(t, r.wait(), tt.read)
				if v, _ := f.store.get("t:1:1"); v != tt.stored {
					t.Errorf("%q is stored, want %q", v, tt.stored)
				}
				if n := len(f.source.asked()); n != tt.queries {
					t.Errorf("%d queries, want %d", n, tt.queries)
				}
			})
		})
	}
}

// Readers and writers of the same keys at random, on as many threads as there are: for the race detector, and for the count of flights.
func TestManyReadersAndWriters(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		var done []chan struct{}
		run := func(do func(i int)) {
			c := make(chan struct{})
			done = append(done, c)
			go func() {
				defer close(c)
				for i := range 200 {
					do(i)
				}
			}()
		}
		for part := range 4 {
			f.source.set(part, 0, "v")
		}
		for n := range 8 {
			run(func(i int) {
				for _, r := range f.read(fmt.Sprintf("t:%d:0", i%4), fmt.Sprintf("t:%d:%d", n%4, i%3)) {
					if r.Err != nil && cause(r.Err) != "contended" {
						t.Errorf("read: %v", r.Err)
					}
				}
			})
		}
		run(func(i int) {
			key := fmt.Sprintf("t:%d:0", i%4)
			f.source.set(i%4, 0, fmt.Sprint("v", i))
			f.engine.Fence(0, []byte(key))
			f.store.del(key)
		})
		run(func(i int) {
			if i%20 == 0 {
				f.engine.FenceAll(-1)
			}
		})
		for _, c := range done {
			<-c
		}
		f.idle()
	})
}
