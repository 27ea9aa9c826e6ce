package cache_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"forebay/backend"
	"forebay/internal/event"
)

// The interleavings of object.go: a client writes while the object is staged.
func TestAFenceWhileStaging(t *testing.T) {
	objectBubble(t, func(t *testing.T, f *objectFixture) {
		f.objects.put("x", "v1", large)
		g := newGate("append")
		f.staging.append = func(ctx context.Context, size int) error {
			if size == 8*chunkSize {
				return g.pass(ctx)
			}
			return nil
		}
		first := f.start("o:x")
		g.held(t, 1)
		fenced := background(func() { f.engine.Fence(0, []byte("o:x")) })
		if !closed(fenced) {
			t.Fatal("the fence waits for the streaming")
		}
		v2 := f.objects.put("x", "v2", 2*large) // what the writer changed before its DEL
		f.staging.append = nil
		second := f.start("o:x")
		if got := outcome(second.wait()[0]); got != fmt.Sprint("stored ", 2*large) {
			t.Errorf("the second reader got %s", got)
		}
		g.release()
		if got := outcome(first.wait()[0]); got != "there" {
			t.Errorf("the first reader got %s", got)
		}
		f.holds("o:x", v2)
		if fills := f.events.of(event.Fill); len(fills) != 1 || fills[0].Bytes != 2*large {
			t.Errorf("fills: %+v", fills)
		}
	})
}

// A fence that comes when the flight is sealed waits for the commit, so that the write comes after it.
func TestAFenceWaitsForTheCommit(t *testing.T) {
	objectBubble(t, func(t *testing.T, f *objectFixture) {
		v := f.objects.put("x", "v1", large)
		g := newGate("commit")
		f.staging.commit = func(ctx context.Context, _ int) error { return g.pass(ctx) }
		first := f.start("o:x")
		g.held(t, 1)
		f.staging.commit = nil
		fenced := background(func() { f.engine.Fence(0, []byte("o:x")) })
		late := f.start("o:x")
		if closed(fenced) || late.ended() {
			t.Fatal("the fence or a late reader did not wait for the commit")
		}
		g.release()
		if got := outcome(first.wait()[0]); got != fmt.Sprint("stored ", large) || !closed(fenced) {
			t.Errorf("got %s, fenced %t", got, closed(fenced))
		}
		if got := outcome(late.wait()[0]); got != fmt.Sprint("stored ", large) {
			t.Errorf("the late reader got %s", got) // it is loaded anew: the commit came behind the drop of its lease
		}
		if _, begun := f.staging.stages(); begun != 2 {
			t.Errorf("%d stages, want 2", begun)
		}
		f.holds("o:x", v)
	})
}

// A writer that passed no fence here (another process) set the key: its value stays.
func TestAKeyThatIsThereAtTheCommit(t *testing.T) {
	objectBubble(t, func(t *testing.T, f *objectFixture) {
		f.objects.put("x", "v1", large)
		f.staging.commit = func(context.Context, int) error { f.store.set("o:x", "another's"); return nil }
		if got := outcome(f.read("o:x")[0]); got != "there" {
			t.Errorf("got %s", got)
		}
		f.holds("o:x", []byte("another's"))
		if n := len(f.events.of(event.Fill)); n != 0 {
			t.Errorf("%d fills", n)
		}
	})
}

// What Redis does not take is gathered in memory, whatever the reason, and whenever it shows.
func TestRedisTakesNoMore(t *testing.T) {
	for name, cause := range map[string]error{
		"no memory":  errOOM,
		"redis dies": fmt.Errorf("%w: connection reset", backend.ErrStoreDown),
	} {
		for _, at := range []int{0, 9 * chunkSize} {
			t.Run(fmt.Sprintf("%s at %d", name, at), func(t *testing.T) {
				objectBubble(t, func(t *testing.T, f *objectFixture) {
					v := f.objects.put("x", "v1", large)
					f.staging.append = func(_ context.Context, size int) error {
						if size == at {
							return cause
						}
						return nil
					}
					readers := []*reading{f.start("o:x"), f.start("o:x")}
					for _, r := range readers {
						if res := r.wait()[0]; !bytes.Equal(res.Value, v) {
							t.Errorf("got %s (%v)", outcome(res), res.Err)
						}
					}
					f.holds("o:x", nil)
					fills := f.events.of(event.Fill)
					if len(fills) == 0 || fills[0].Error == "" {
						t.Errorf("fills: %+v", fills)
					}
				})
			})
		}
	}
}

// Nobody knows whether a commit without an answer was one: Redis is asked again.
func TestACommitWithoutAnAnswer(t *testing.T) {
	objectBubble(t, func(t *testing.T, f *objectFixture) {
		v := f.objects.put("x", "v1", large)
		f.staging.commit = func(context.Context, int) error {
			f.store.set("o:x", string(v))
			return fmt.Errorf("%w: %w", backend.ErrStoreDown, errors.New("connection reset"))
		}
		if got := outcome(f.read("o:x")[0]); got != "there" {
			t.Errorf("got %s", got)
		}
	})
}

// A source that fails midway fails the readers, and Redis holds nothing of it.
func TestTheSourceFailsMidway(t *testing.T) {
	objectBubble(t, func(t *testing.T, f *objectFixture) {
		f.objects.put("x", "v1", large)
		f.objects.chunk = func(_ context.Context, _ string, first int64) error {
			if first >= 12 {
				return fmt.Errorf("read chunks: %w", backend.ErrSourceDown)
			}
			return nil
		}
		if got := outcome(f.read("o:x")[0]); got != "down" {
			t.Errorf("got %s", got)
		}
		f.holds("o:x", nil)
	})
}

// Values in memory have a bound together: the second waits for the room of the first.
func TestGatheredObjectsShareTheRoom(t *testing.T) {
	objectBubble(t, func(t *testing.T, f *objectFixture) {
		f.store.setDown(true)
		for _, name := range []string{"x", "y"} {
			f.objects.put(name, "v1", large)
			f.objects.change(name, func(o *backend.Object, chunks map[string][]byte) {
				o.Bytes, o.Chunks = 200<<20, 200 // what it says is what is reserved
			})
		}
		g := newGate("chunks")
		f.objects.chunk = func(ctx context.Context, _ string, _ int64) error { return stopped(g.pass(ctx)) }
		x := f.start("o:x")
		y := f.start("o:y")
		f.objects.mu.Lock()
		under := f.objects.under
		f.objects.mu.Unlock()
		if under != 2 {
			t.Errorf("%d chunks are under way, want those of one object", under)
		}
		g.release()
		for _, r := range []*reading{x, y} {
			if got := outcome(r.wait()[0]); got != "invalid" {
				t.Errorf("got %s", got)
			}
		}
	})
}

// Close ends what is being staged.
func TestCloseWhileStaging(t *testing.T) {
	objectBubble(t, func(t *testing.T, f *objectFixture) {
		f.objects.put("x", "v1", large)
		g := newGate("append")
		f.staging.append = func(ctx context.Context, _ int) error { return g.pass(ctx) }
		r := f.start("o:x")
		g.held(t, 1)
		f.engine.Close()
		if got := outcome(r.wait()[0]); got != "closed" {
			t.Errorf("got %s", got)
		}
		f.holds("o:x", nil)
	})
}

// A client deletes the key while its old object is staged: what is stored in the end is the new one, however late the fence comes, and of the old
// one no more is staged than was read ahead.
func TestADeleteWhileStaging(t *testing.T) {
	for _, at := range []int{0, 8 * chunkSize, 20 * chunkSize} {
		t.Run(fmt.Sprint("at ", at), func(t *testing.T) {
			objectBubble(t, func(t *testing.T, f *objectFixture) {
				f.objects.put("x", "v1", large)
				g := newGate("append")
				appends := 0
				f.staging.append = func(ctx context.Context, size int) error {
					appends++
					if appends == at/chunkSize+1 {
						return g.pass(ctx)
					}
					return nil
				}
				r := f.start("o:x")
				g.held(t, 1)
				v2 := f.objects.put("x", "v2", chunkSize+1)
				f.engine.Fence(0, []byte("o:x"))
				f.store.del("o:x")
				g.release()
				if got := outcome(r.wait()[0]); got != fmt.Sprint("stored ", chunkSize+1) {
					t.Errorf("got %s", got)
				}
				f.holds("o:x", v2)
				if most := at/chunkSize + 4 + 2; appends > most {
					t.Errorf("%d chunks were staged, want at most %d", appends, most)
				}
			})
		})
	}
}
