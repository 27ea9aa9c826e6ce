package cache_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
)

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

// What a look finds is not for who came after it was sent.
//
//  1. W has passed the fence, its DEL is on its way. R1 begins a flight, whose look finds v1.
//  2. The DEL is done. R2 and R3 find the key absent, and join.
//  3. The look's answer arrives. R1 may have v1, the others may not: a second look serves all of them.
func TestALookIsNotForWhoCameAfterIt(t *testing.T) {
	tests := []struct {
		name    string
		before  func(*store)
		write   func(*store)
		queries int
	}{
		{"a value that was deleted", func(s *store) { s.set("t:1:1", "v1") }, func(s *store) { s.del("t:1:1") }, 1},
		{"a value that was replaced", func(s *store) { s.set("t:1:1", "v1") }, func(s *store) { s.set("t:1:1", "v2") }, 0},
		{"a key of another type that was deleted", func(s *store) {
			s.refuse = func(op, string) error { return errWrongType }
		}, func(s *store) { s.refuse = nil }, 1},
		{"nothing at all", func(*store) {}, func(s *store) { s.set("t:1:1", "v2") }, 1}, // the fill is refused
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, f *fixture) {
				f.source.set(1, 1, "v2")
				tt.before(f.store)
				g := newGate("answer")
				f.store.after = on(g, "get", "t:1:1")
				all := []*reading{f.start("t:1:1")}
				g.held(t, 1)
				tt.write(f.store)
				all = append(all, f.start("t:1:1"), f.start("t:1:1"))
				g.release()
				for _, r := range all {
					if got := strings.TrimSuffix(show(r.wait()[0]), "*"); got != "v2" {
						t.Errorf("a reader got %s, want v2", got)
					}
				}
				if q := len(f.source.asked()); q != tt.queries {
					t.Errorf("%d queries, want %d", q, tt.queries)
				}
				f.idle()
			})
		})
	}
}

// The second look is one for all, not one each.
func TestTheSecondLookIsShared(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		f.store.set("t:1:1", "v1")
		f.store.set("t:1:2", "w1")
		g := newGate("answer")
		f.store.after = on(g, "get", "t:1:1")
		first := f.start("t:1:1", "t:1:2", "t:1:3")
		var others []*reading
		for range 50 {
			others = append(others, f.start("t:1:1"))
		}
		g.release()
		wantResults(t, first.wait(), "v1*", "w1*", "nil")
		for _, r := range others {
			wantResults(t, r.wait(), "v1*")
		}
		if gets := f.store.trips("get"); len(gets) != 2 || len(gets[1].keys) != 1 {
			t.Errorf("looks: %v, want two, the second of one key", gets)
		}
		if f.engine.Flights() != 0 {
			t.Error("a flight is left")
		}
	})
}

// Redis that goes between the two looks is no reason to give what the first has found.
func TestTheSecondLookFails(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		f.source.set(1, 1, "v2")
		f.store.set("t:1:1", "v1")
		g := newGate("answer")
		f.store.after = func(ctx context.Context, o op) error {
			if len(f.store.trips("get")) == 1 {
				return g.pass(ctx)
			}
			return errors.New("connection reset")
		}
		all := []*reading{f.start("t:1:1"), f.start("t:1:1")}
		g.release()
		for _, r := range all {
			wantResults(t, r.wait(), "v2")
		}
	})
}
