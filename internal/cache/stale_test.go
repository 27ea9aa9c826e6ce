package cache_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"forebay/backend"
	"forebay/internal/cache"
	"forebay/internal/event"
)

// How long after its fill a value of the route aged is read to be of each age.
const (
	whileFresh   = 49 * time.Minute
	whileAging   = 55 * time.Minute
	whileStale   = 70 * time.Minute
	whileOverdue = 90 * time.Minute
	oncePast     = 101 * time.Minute
)

// pass lets time pass.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// told is a result with what is particular about a stale one.
func told(r cache.Result) string {
	s := show(r)
	if r.Stale {
		s += " stale"
	}
	if r.Cause != nil {
		s += " " + cause(r.Cause)
	}
	return s
}

// grown is a fixture with the value "old" of ag:1:1, so long after its fill, when the source has "new".
func grown(f *fixture, since time.Duration) {
	f.t.Helper()
	f.source.set(1, 1, "old")
	wantResults(f.t, f.read("ag:1:1"), "old")
	pass(since)
	f.source.set(1, 1, "new")
}

func TestWhatAReaderGetsAtEachAge(t *testing.T) {
	for name, tt := range map[string]struct {
		since      time.Duration
		down, gone bool
		want       string // of the first reader
		left       string // in Redis, afterwards
	}{
		"fresh":                               {since: whileFresh, want: "old*", left: "old"},
		"aging":                               {since: whileAging, want: "old*", left: "new"},
		"aging, and the source is down":       {since: whileAging, down: true, want: "old*", left: "old"},
		"aging, and the row is gone":          {since: whileAging, gone: true, want: "old*"},
		"stale":                               {since: whileStale, want: "old* stale", left: "new"},
		"stale, and the source is down":       {since: whileStale, down: true, want: "old* stale", left: "old"},
		"overdue":                             {since: whileOverdue, want: "new", left: "new"},
		"overdue, and the source is down":     {since: whileOverdue, down: true, want: "old* stale down", left: "old"},
		"overdue, and the row is gone":        {since: whileOverdue, gone: true, want: "nil"},
		"past its end":                        {since: oncePast, want: "new", left: "new"},
		"past its end, and the source is out": {since: oncePast, down: true, want: "error: down"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, f *fixture) {
				grown(f, tt.since)
				if tt.gone {
					f.source.remove(1, 1)
				}
				if tt.down {
					f.source.before = func(context.Context, asked) error { return backend.ErrSourceDown }
				}
				if got := told(f.read("ag:1:1")[0]); got != tt.want {
					t.Errorf("got %s, want %s", got, tt.want)
				}
				synctest.Wait()
				if left, _ := f.store.get("ag:1:1"); left != tt.left {
					t.Errorf("redis is left with %q, want %q", left, tt.left)
				}
				for _, e := range f.store.entries() {
					if e.TTL != ttl+40*time.Minute || !e.Stamp {
						t.Errorf("stored for %v, stamped %v", e.TTL, e.Stamp)
					}
				}
			})
		})
	}
}

// The source has less than the whole budget, so that an old value is served within it.
func TestAnOldValueIsServedWhileTheSourceHangs(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		grown(f, whileOverdue)
		hang := newGate("source")
		f.source.before = every(hang)
		begun := time.Now()
		if got := told(f.read("ag:1:1")[0]); got != "old* stale timeout" {
			t.Errorf("got %s", got)
		}
		if took := time.Since(begun); took >= budget {
			t.Errorf("it took %v", took)
		}
		other := f.other()
		first := f.start("ag:1:1") // has the lease; the other process waits for it
		r := &reading{done: make(chan struct{})}
		go func() {
			defer close(r.done)
			r.results = other.Read(context.Background(), 0, f.wants(0, "ag:1:1"), cache.Mode{})
		}()
		if got := told(r.wait()[0]); got != "old* stale timeout" {
			t.Errorf("in the other process: %s", got)
		}
		first.wait()
		hang.release()
	})
}

// other is the engine of another process.
func (f *fixture) other() *cache.Engine {
	e := cache.New(cache.Options{
		Store: f.store, Source: f.source, Routes: f.routes, Record: f.events.record, Budget: budget, StoreBudget: storeBudget, Loads: 16,
	})
	f.t.Cleanup(e.Close)
	return e
}

// See stale.go: what was seen before a load that failed is not served after it.
func TestAnOldValueThatIsGoneIsNotServed(t *testing.T) {
	for name, tt := range map[string]struct {
		meanwhile func(f *fixture)
		want      string
	}{
		"removed through another process": {func(f *fixture) { f.other().Fence(0, []byte("ag:1:1")); f.store.del("ag:1:1") }, "error: down"},
		"removed at Redis":                {func(f *fixture) { f.store.del("ag:1:1") }, "error: down"},
		"set by another":                  {func(f *fixture) { f.other().Fence(0, []byte("ag:1:1")); f.store.set("ag:1:1", "theirs") }, "theirs*"},
		"left alone":                      {func(*fixture) {}, "old* stale down"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, f *fixture) {
				grown(f, whileOverdue)
				g := newGate("source")
				f.source.before = func(ctx context.Context, _ asked) error {
					_ = g.pass(ctx)
					return backend.ErrSourceDown
				}
				first := f.start("ag:1:1")
				g.held(t, 1)
				tt.meanwhile(f)
				late := f.start("ag:1:1") // joins the flight, whose look is older than what has happened since
				g.release()
				for _, r := range []*reading{first, late} {
					if got := told(r.wait()[0]); got != tt.want {
						t.Errorf("got %s, want %s", got, tt.want)
					}
				}
			})
		})
	}
}

// A write while an overdue value is loaded anew wins, and the readers see it.
func TestWritesWhileAnOldValueIsReplaced(t *testing.T) {
	for name, tt := range map[string]struct {
		write func(f *fixture)
		want  string
	}{
		"set here":               {func(f *fixture) { f.engine.Fence(0, []byte("ag:1:1")); f.store.set("ag:1:1", "theirs") }, "theirs*"},
		"set there":              {func(f *fixture) { f.other().Fence(0, []byte("ag:1:1")); f.store.set("ag:1:1", "theirs") }, "theirs*"},
		"set at Redis":           {func(f *fixture) { f.store.set("ag:1:1", "theirs") }, "theirs*"},
		"removed there":          {func(f *fixture) { f.other().Fence(0, []byte("ag:1:1")); f.store.del("ag:1:1") }, "new"},
		"by a command unknown":   {func(f *fixture) { f.other().FenceAll(0); f.store.set("ag:1:1", "theirs") }, "theirs*"},
		"its end, and not writn": {func(*fixture) { pass(time.Minute) }, "new"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, f *fixture) {
				grown(f, whileOverdue)
				g := newGate("source")
				f.source.before = every(g)
				r := f.start("ag:1:1")
				g.held(t, 1)
				if !strings.HasPrefix(name, "its end") {
					tt.write(f)
				}
				g.release()
				if got := told(r.wait()[0]); got != tt.want {
					t.Errorf("got %s, want %s", got, tt.want)
				}
				if left, _ := f.store.get("ag:1:1"); left != strings.TrimSuffix(tt.want, "*") {
					t.Errorf("redis is left with %q", left)
				}
			})
		})
	}
}

// Loads that replace old values have their events, and go out together by partition, but not with those of absent ones, which have more time.
func TestOldValuesOfOnePartitionAreOneQuery(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		var keys []string
		for id := range 5 {
			f.source.set(1, id, "old")
			keys = append(keys, fmt.Sprint("ag:1:", id))
		}
		f.read(keys...)
		pass(whileOverdue)
		f.source.set(1, 5, "absent")
		before := len(f.source.asked())
		wantResults(t, f.read(append(keys, "ag:1:5")...), "old", "old", "old", "old", "old", "absent")
		if n := len(f.source.asked()) - before; n != 2 {
			t.Errorf("%d queries, want one for the old values and one for the absent", n)
		}
		if n := len(f.events.of(event.Fill)); n != 11 {
			t.Errorf("%d fills", n)
		}
	})
}
