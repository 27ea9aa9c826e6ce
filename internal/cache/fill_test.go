package cache_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"forebay/backend"
	"forebay/internal/cache"
	"forebay/internal/event"
)

var (
	errOOM       = errors.New("OOM command not allowed when used memory > 'maxmemory'")
	errWrongType = errors.New("WRONGTYPE Operation against a key holding the wrong kind of value")
)

func TestLoadedValuesAreStored(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		f.source.set(1, 1, "v1")
		f.source.set(1, 2, "")
		f.source.set(2, 1, "w1")
		wantResults(t, f.read("t:1:1", "t:1:2", "t:1:3", "t:2:1"), "v1", "", "nil", "w1")

		fills := f.store.trips("fill")
		if len(fills) != 1 || len(fills[0].keys) != 3 || len(f.store.trips("get")) != 1 {
			t.Errorf("round trips: get %v, fill %v; want one of each, the fill of 3 keys", f.store.trips("get"), fills)
		}
		for key, want := range map[string]string{"t:1:1": "v1", "t:1:2": "", "t:2:1": "w1"} {
			if got, ok := f.store.get(key); !ok || got != want {
				t.Errorf("%s is stored as %q (%t), want %q", key, got, ok, want)
			}
		}
		if _, ok := f.store.get("t:1:3"); ok {
			t.Error("an absent row was stored")
		}
		wantResults(t, f.read("t:1:2", "t:1:1"), "*", "v1*")
	})
}

func TestTTL(t *testing.T) {
	tests := []struct {
		name        string
		db          int
		key         string
		least, most time.Duration
	}{
		{"shortened by at most the jitter", 0, "t:1:%d", ttl - ttl/10, ttl},
		{"exact without jitter", 3, "t:1:%d", ttl, ttl},
		{"at least a millisecond", 0, "one:%d", time.Millisecond, time.Millisecond},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, f *fixture) {
				var keys []string
				for id := range 200 {
					f.source.set(1, id, "v")
					f.source.put(cell{nil, int64(id)}, []byte("v"))
					keys = append(keys, fmt.Sprintf(tt.key, id))
				}
				f.engine.Read(context.Background(), tt.db, f.wants(tt.db, keys...), cache.Mode{})
				different := map[time.Duration]bool{}
				for _, e := range f.store.entries() {
					if e.TTL < tt.least || e.TTL > tt.most || e.TTL%time.Millisecond != 0 {
						t.Fatalf("%s has the TTL %v, want whole milliseconds from %v to %v", e.Key, e.TTL, tt.least, tt.most)
					}
					different[e.TTL] = true
				}
				if n := len(f.store.entries()); n != len(keys) {
					t.Errorf("%d were stored, want %d", n, len(keys))
				}
				if spread := tt.most > tt.least; spread != (len(different) > 100) {
					t.Errorf("%d different TTLs of %d", len(different), len(keys))
				}
			})
		})
	}
}

func TestTheSecondLookFindsAValue(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		f.source.set(1, 2, "v2")
		f.store.set("t:1:1", "cached")
		wantResults(t, f.read("t:1:1", "t:1:2"), "cached*", "v2")
		if q := f.source.asked(); len(q) != 1 || len(q[0].in) != 1 {
			t.Errorf("queries: %v, want one of one row", q)
		}
	})
}

func TestKeyOfAnotherType(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		f.source.set(1, 1, "v1")
		f.source.set(1, 2, "v2")
		f.store.refuse = func(o op, key string) error {
			if key == "t:1:1" {
				return errWrongType
			}
			return nil
		}
		got := f.read("t:1:1", "t:1:2")
		if !errors.Is(got[0].Err, errWrongType) {
			t.Errorf("error: %v, want what Redis said", got[0].Err)
		}
		wantResults(t, got[1:], "v2")
	})
}

// A value that is there when ours is to be stored was written after we looked: it is what readers get.
func TestRefusedFillIsLookedAtAgain(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		f.source.set(1, 1, "v1")
		f.source.set(1, 2, "v2")
		g := newGate("query")
		f.source.after = every(g)
		first, second := f.start("t:1:1", "t:1:2"), f.start("t:1:1")
		f.store.set("t:1:1", "written")
		g.release()
		wantResults(t, first.wait(), "written*", "v2")
		wantResults(t, second.wait(), "written*")
		if fills := f.events.of(event.Fill); len(fills) != 1 || string(fills[0].Key) != "t:1:2" {
			t.Errorf("fill events: %+v, want one of t:1:2", fills)
		}
	})
}

// Another process writes the key whenever ours has loaded it, and its value is gone when ours looks.
func TestContention(t *testing.T) {
	const rounds = 3
	for written := range rounds + 1 {
		t.Run(fmt.Sprintf("written %d times", written), func(t *testing.T) {
			bubble(t, func(t *testing.T, f *fixture) {
				f.source.set(1, 1, "v1")
				f.source.set(1, 2, "w1")
				left := written
				f.store.before = func(_ context.Context, o op) error {
					switch {
					case o.name == "get":
						f.store.del("t:1:1")
					case left > 0:
						left--
						f.store.set("t:1:1", "foreign")
					}
					return nil
				}
				want := "v1"
				if written == rounds {
					want = "error: contended"
				}
				wantResults(t, f.read("t:1:1", "t:1:2"), want, "w1")
				if n, want := len(f.source.asked()), min(written+1, rounds); n != want {
					t.Errorf("%d queries, want %d", n, want)
				}
				f.idle()
			})
		})
	}
}

// The same by fences: every load is dropped.
func TestContentionByFences(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		f.source.set(1, 1, "v1")
		f.source.after = func(context.Context, asked) error {
			f.engine.Fence(0, []byte("t:1:1"))
			return nil
		}
		wantResults(t, f.read("t:1:1"), "error: contended")
		if n := len(f.source.asked()); n != 3 || len(f.store.entries()) != 0 {
			t.Errorf("%d queries and %d stored, want 3 and 0", n, len(f.store.entries()))
		}
		f.idle()
	})
}

func TestWhatCannotBeStoredIsServed(t *testing.T) {
	tests := []struct {
		name  string
		fail  func(*store)
		said  string // in the fill events
		fills int
	}{
		{"out of memory", func(s *store) {
			s.refuse = func(o op, key string) error {
				if o.name == "fill" && key == "t:1:1" {
					return errOOM
				}
				return nil
			}
		}, errOOM.Error(), 1},
		{"redis goes down", func(s *store) {
			s.before = func(_ context.Context, o op) error {
				if o.name == "fill" {
					return errors.New("connection refused")
				}
				return nil
			}
		}, "fill: " + backend.ErrStoreDown.Error() + ": connection refused", 2}, // nobody knows whether the first was done: lease.go, 9
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, f *fixture) {
				f.source.set(1, 1, "v1")
				tt.fail(f.store)
				g := newGate("query")
				f.source.before = every(g)
				all := []*reading{f.start("t:1:1"), f.start("t:1:1")}
				g.release()
				for _, r := range all {
					wantResults(t, r.wait(), "v1")
				}
				fills := f.events.of(event.Fill)
				if len(fills) != tt.fills || fills[0].Error != tt.said {
					t.Errorf("fill events: %+v, want the first with the error %q", fills, tt.said)
				}
			})
		})
	}
}

func TestEntriesFailOneByOne(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		for id := range 3 {
			f.source.set(1, id, fmt.Sprint("v", id))
		}
		f.store.refuse = func(o op, key string) error {
			if o.name == "fill" && key == "t:1:0" {
				return errOOM
			}
			return nil
		}
		f.source.after = func(context.Context, asked) error {
			f.store.set("t:1:1", "written")
			return nil
		}
		wantResults(t, f.read("t:1:0", "t:1:1", "t:1:2"), "v0", "written*", "v2")
		if e := f.store.entries(); len(e) != 1 || string(e[0].Key) != "t:1:2" {
			t.Errorf("stored: %v, want t:1:2", e)
		}
	})
}
