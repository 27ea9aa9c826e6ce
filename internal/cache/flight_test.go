package cache_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"

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
					wantResults(t, r.wait(), "v1")
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

// A reader that comes when the flight is sealed does not get its value, which may be older than the reader: it waits for the fill's end, so
// that its look finds what was stored, and loads nothing.
func TestLateReadersWaitAndLookAgain(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		f.source.set(1, 1, "v1")
		g := newGate("fill")
		f.store.before = on(g, "fill", "t:1:1")
		first := f.start("t:1:1")
		g.held(t, 1)
		late := []*reading{f.start("t:1:1"), f.start("t:1:1")}
		if late[0].ended() || len(f.source.asked()) != 1 {
			t.Fatal("a late reader did not wait for the fill")
		}
		g.release()
		wantResults(t, first.wait(), "v1")
		for _, r := range late {
			wantResults(t, r.wait(), "v1*")
		}
		if n := len(f.source.asked()); n != 1 {
			t.Errorf("%d queries, want 1", n)
		}
	})
}

// What a late reader sees is as of its own look: a write that was done before it came is in it.
//
//  1. F loads v1 and is sealed, its fill is on its way.
//  2. Another process writes v2, to the source and to Redis, and is done: no fence here knows of it. Redis evicts the key.
//  3. R begins, finds the key absent and must not get v1.
func TestLateReadersDoNotGetWhatIsOlderThanThey(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		f.source.set(1, 1, "v1")
		g := newGate("fill")
		f.store.before = on(g, "fill", "t:1:1")
		f.store.refuse = func(o op, _ string) error { // so that v1 is not in Redis when R looks
			if o.name == "fill" {
				return errOOM
			}
			return nil
		}
		first := f.start("t:1:1")
		g.held(t, 1)
		f.source.set(1, 1, "v2")
		late := f.start("t:1:1")
		g.release()
		wantResults(t, first.wait(), "v1")
		wantResults(t, late.wait(), "v2")
	})
}

func TestFenceTouchesItsKeyOnly(t *testing.T) {
	tests := []struct {
		name  string
		fence func(*cache.Engine)
		again []string // keys of the flights that are dropped
	}{
		{"Fence of one key", func(e *cache.Engine) { e.Fence(0, []byte("t:1:1")) }, []string{"0/t:1:1"}},
		{"Fence in another database", func(e *cache.Engine) { e.Fence(3, []byte("t:1:1")) }, []string{"3/t:1:1"}},
		{"Fence of what is not loaded", func(e *cache.Engine) { e.Fence(0, []byte("t:1:7")) }, nil},
		{"FenceAll of one database", func(e *cache.Engine) { e.FenceAll(0) }, []string{"0/t:1:1", "0/t:1:2"}},
		{"FenceAll of every database", func(e *cache.Engine) { e.FenceAll(-1) }, []string{"0/t:1:1", "0/t:1:2", "3/t:1:1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, f *fixture) {
				f.source.set(1, 1, "v1")
				f.source.set(1, 2, "w1")
				g := newGate("query")
				f.source.after = every(g)
				all := map[string]*reading{
					"0/t:1:1": f.start("t:1:1"),
					"0/t:1:2": f.start("t:1:2"),
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

// Being late is no contention: three flights of a hot key, none of them written to, whose fills Redis refuses for want of memory.
//
//  1. L asks for A and B. Both flights (A1, B1) are sealed: it is late for both, and waits for both.
//  2. A1 ends, A2 is begun by another reader and sealed. B1 ends: L is late for A2, and begins B2.
//  3. A2 ends, A3 is begun and sealed. B2 ends: L is late for A3.
//  4. A3 ends. L has been late three times and must begin a flight of its own.
func TestBeingLateIsNoContention(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		const a, b = "t:1:1", "t:2:1"
		f.source.set(1, 1, "a")
		f.source.set(2, 1, "b")
		f.store.refuse = func(o op, _ string) error {
			if o.name == "fill" {
				return errOOM
			}
			return nil
		}
		gates := map[string]*gate{}
		hold := func(name string) *gate {
			gates[name] = newGate(name)
			return gates[name]
		}
		// The n-th flight of a key is held where there is a gate of that name.
		count := map[string]int{}
		f.store.before = func(ctx context.Context, o op) error {
			if o.name != "fill" || len(o.keys) != 1 {
				return nil
			}
			count[o.keys[0]]++
			if g := gates[fmt.Sprintf("%s %d", o.keys[0], count[o.keys[0]])]; g != nil {
				return g.pass(ctx)
			}
			return nil
		}
		a1, a2, a3 := hold(a+" 1"), hold(a+" 2"), hold(a+" 3")
		b1, b2 := hold(b+" 1"), hold(b+" 2")

		f.start(a)
		f.start(b)
		a1.held(t, 1)
		b1.held(t, 1)
		late := f.start(a, b)
		a1.release()
		f.start(a)
		a2.held(t, 1)
		b1.release()
		b2.held(t, 1)
		a2.release()
		f.start(a)
		a3.held(t, 1)
		b2.release()
		if late.ended() {
			t.Fatal("the late reader did not wait for the third flight")
		}
		a3.release()
		wantResults(t, late.wait(), "a", "b")
		f.idle()
	})
}

// The fence is before every command that may write, so it must cost nothing while nothing is loaded.
func TestFenceOfAnIdleEngineAllocatesNothing(t *testing.T) {
	f := newFixture(t)
	key := []byte("t:1:1")
	if n := testing.AllocsPerRun(100, func() { f.engine.Fence(0, key); f.engine.FenceAll(-1) }); n != 0 {
		t.Errorf("%v allocations", n)
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
