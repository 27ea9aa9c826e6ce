package cache_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"forebay/backend"
	"forebay/internal/cache"
	"forebay/internal/event"
)

const large = 20*chunkSize + 17

func TestObjectsGoWhereTheyFit(t *testing.T) {
	tests := []struct {
		name    string
		size    int
		mode    cache.Mode
		prepare func(f *objectFixture)
		want    string
		holds   bool // Redis holds it afterwards
		fills   int
	}{
		{"a large one is staged", large, cache.Mode{}, nil, fmt.Sprint("stored ", large), true, 1},
		{"one of many partitions", large, cache.Mode{}, func(f *objectFixture) { f.objects.put("x", "v1+3", large) }, fmt.Sprint("stored ", large), true, 1},
		{"a small one is filled as usual", chunkSize, cache.Mode{}, nil, fmt.Sprint("value of ", chunkSize), true, 1},
		{"one byte more is staged", chunkSize + 1, cache.Mode{}, nil, fmt.Sprint("stored ", chunkSize+1), true, 1},
		{"an empty one", 0, cache.Mode{}, nil, "value of 0", true, 1},
		{"not to be filled", large, cache.Mode{NoFill: true}, nil, fmt.Sprint("value of ", large), false, 0},
		{"redis down", large, cache.Mode{NoLook: true}, func(f *objectFixture) { f.store.setDown(true) }, fmt.Sprint("value of ", large), false, 0},
		{"redis down and too large", 1, cache.Mode{}, func(f *objectFixture) {
			f.store.setDown(true)
			f.objects.change("x", func(o *backend.Object, _ map[string][]byte) { o.Bytes, o.Chunks = 256<<20+1, 1025 })
		}, "store down", false, 0},
		{"larger than redis takes", 1, cache.Mode{}, func(f *objectFixture) {
			f.objects.change("x", func(o *backend.Object, _ map[string][]byte) { o.Bytes, o.Chunks = 512<<20+1, 2049 })
		}, "invalid", false, 0},
		{"absent", -1, cache.Mode{}, nil, "nil", false, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			objectBubble(t, func(t *testing.T, f *objectFixture) {
				var v []byte
				if tt.size >= 0 {
					v = f.objects.put("x", "v1", tt.size)
				}
				if tt.prepare != nil {
					tt.prepare(f)
				}
				if strings.Contains(tt.name, "partitions") {
					v = value("v1+3", large)
				}
				r := f.engine.Read(context.Background(), 0, f.wants(0, "o:x"), tt.mode)[0]
				if got := outcome(r); got != tt.want {
					t.Fatalf("got %s (%v), want %s", got, r.Err, tt.want)
				}
				if r.Value != nil && !bytes.Equal(r.Value, v) {
					t.Error("the value is another")
				}
				if !tt.holds {
					v = nil
				}
				f.holds("o:x", v)
				if n := len(f.events.of(event.Fill)); n != tt.fills {
					t.Errorf("%d fills, want %d", n, tt.fills)
				}
				loads := f.events.of(event.Load)
				if tt.holds && (len(loads) != 1 || loads[0].Bytes != int64(len(v)) || loads[0].Rows != (len(v)+chunkSize-1)/chunkSize) {
					t.Errorf("loads: %+v", loads)
				}
				if f.objects.largest > 12 {
					t.Errorf("%d chunks were under way at once", f.objects.largest)
				}
			})
		})
	}
}

func TestObjectThatIsThere(t *testing.T) {
	objectBubble(t, func(t *testing.T, f *objectFixture) {
		f.store.set("o:x", "there")
		if got := outcome(f.read("o:x")[0]); got != "there" || f.objects.headers != 0 {
			t.Errorf("got %s after %d headers", got, f.objects.headers)
		}
	})
}

// What does not agree with the object's row is read anew, once, and never stored.
func TestDamagedObjects(t *testing.T) {
	damage := map[string]func(o *backend.Object, chunks map[string][]byte){
		"a chunk is missing":      func(_ *backend.Object, c map[string][]byte) { delete(c, chunkKey("x", "v1", 7)) },
		"the last one is missing": func(_ *backend.Object, c map[string][]byte) { delete(c, chunkKey("x", "v1", 20)) },
		"a chunk too many":        func(o *backend.Object, c map[string][]byte) { o.Chunks--; o.Bytes -= 17 },
		"a chunk is longer":       func(_ *backend.Object, c map[string][]byte) { c[chunkKey("x", "v1", 20)] = make([]byte, 18) },
		"a chunk is shorter":      func(_ *backend.Object, c map[string][]byte) { c[chunkKey("x", "v1", 20)] = make([]byte, 16) },
		"a bit is another":        func(_ *backend.Object, c map[string][]byte) { c[chunkKey("x", "v1", 3)][5] ^= 1 },
		"the checksum is another": func(o *backend.Object, _ map[string][]byte) { o.CRC32C++ },
	}
	for name, change := range damage {
		t.Run(name, func(t *testing.T) {
			objectBubble(t, func(t *testing.T, f *objectFixture) {
				f.objects.put("x", "v1", large)
				f.objects.change("x", change)
				for _, mode := range []cache.Mode{{}, {NoFill: true}} {
					r := f.engine.Read(context.Background(), 0, f.wants(0, "o:x"), mode)[0]
					if got := outcome(r); got != "invalid" {
						t.Errorf("got %s (%v)", got, r.Err)
					}
				}
				f.holds("o:x", nil)
				if f.objects.headers != 4 {
					t.Errorf("%d readings, want two of each", f.objects.headers)
				}
			})
		})
	}
}

// The object is rewritten while it is read, and its old version removed: readers get the new one, of which no byte is the old one's. If the old
// one is left in place, they get the old one.
func TestRewrittenWhileRead(t *testing.T) {
	for _, removed := range []bool{true, false} {
		t.Run(fmt.Sprint("removed ", removed), func(t *testing.T) {
			objectBubble(t, func(t *testing.T, f *objectFixture) {
				want := f.objects.put("x", "v1", large)
				g := newGate("chunks")
				f.objects.chunk = func(ctx context.Context, version string, first int64) error {
					if version == "v1" && first >= 12 {
						return stopped(g.pass(ctx))
					}
					return nil
				}
				r := f.start("o:x")
				after := f.objects.put("x", "v2", 2*large)
				if removed {
					want = after
					f.objects.change("x", func(_ *backend.Object, chunks map[string][]byte) {
						for k := range chunks {
							if strings.HasPrefix(k, "x/v1/") {
								delete(chunks, k)
							}
						}
					})
				}
				g.release()
				if got := outcome(r.wait()[0]); got != fmt.Sprint("stored ", len(want)) {
					t.Errorf("got %s", got)
				}
				f.holds("o:x", want)
			})
		})
	}
}

// Ten readers are one load.
func TestReadersOfAnObjectShareAFlight(t *testing.T) {
	objectBubble(t, func(t *testing.T, f *objectFixture) {
		v := f.objects.put("x", "v1", large)
		g := newGate("header")
		f.objects.header = g.pass
		var all []*reading
		for range 10 {
			all = append(all, f.start("o:x"))
		}
		g.release()
		for _, r := range all {
			if got := outcome(r.wait()[0]); got != fmt.Sprint("stored ", large) {
				t.Errorf("got %s", got)
			}
		}
		f.holds("o:x", v)
		if _, begun := f.staging.stages(); begun != 1 || len(f.events.of(event.Load)) != 1 {
			t.Errorf("%d stages, %d loads", begun, len(f.events.of(event.Load)))
		}
	})
}

// A reader has its budget, and the load goes on without it.
func TestALongLoadOutlivesItsReaders(t *testing.T) {
	objectBubble(t, func(t *testing.T, f *objectFixture) {
		v := f.objects.put("x", "v1", large)
		f.staging.append = func(context.Context, int) error { <-time.After(500 * time.Millisecond); return nil } // the bubble's time: 10 s in all
		begun := time.Now()
		for _, want := range []string{"timeout", "timeout", "timeout", fmt.Sprint("stored ", large), "there"} {
			r := f.read("o:x")[0]
			if got := outcome(r); got != want {
				t.Errorf("after %v: got %s (%v), want %s", time.Since(begun), got, r.Err, want)
			}
			if r.Err != nil && !strings.Contains(r.Err.Error(), "being loaded") {
				t.Errorf("the reader is told %v", r.Err)
			}
		}
		f.holds("o:x", v)
		if n := len(f.events.of(event.Load)); n != 1 {
			t.Errorf("%d loads", n)
		}
	})
}

// An object that hangs does not hold its key for ever.
func TestALoadThatHangsEnds(t *testing.T) {
	objectBubble(t, func(t *testing.T, f *objectFixture) {
		f.objects.put("x", "v1", large)
		g := newGate("chunks")
		f.objects.chunk = func(ctx context.Context, _ string, _ int64) error { return stopped(g.pass(ctx)) }
		f.start("o:x").wait()
		<-time.After(15 * time.Second) // the bubble's time
		if n := f.engine.Flights(); n != 0 {
			t.Errorf("%d flights", n)
		}
		loads := f.events.of(event.Load)
		if len(loads) != 1 || loads[0].Error == "" {
			t.Errorf("loads: %+v", loads)
		}
	})
}
