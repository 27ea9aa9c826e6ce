package cache_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"forebay/backend"
	"forebay/internal/cache"
	"forebay/internal/event"
)

// refresh tells the engine that a reader has found the keys aging.
func (f *fixture) refresh(e *cache.Engine, keys ...string) {
	f.t.Helper()
	for _, w := range f.wants(0, keys...) {
		e.Refresh(0, w.Key, w.Route)
	}
	synctest.Wait()
}

// The cases are those of refresh.go.
func TestRefreshAndWhatHappensMeanwhile(t *testing.T) {
	const key = "ag:1:1"
	failing := cell{"failing", nil} // a row that makes queries fail
	for name, tt := range map[string]struct {
		since     time.Duration
		meanwhile func(f *fixture)
		left      string
	}{
		"nothing":                                {whileAging, func(*fixture) {}, "new"},
		"1, a SET here":                          {whileAging, func(f *fixture) { f.engine.Fence(0, []byte(key)); f.store.set(key, "theirs") }, "theirs"},
		"1, a SET there":                         {whileAging, func(f *fixture) { f.other().Fence(0, []byte(key)); f.store.set(key, "theirs") }, "theirs"},
		"1, a SET there of the same":             {whileAging, func(f *fixture) { f.other().Fence(0, []byte(key)); f.store.set(key, "old") }, "old"},
		"1, a script with keys unknown":          {whileAging, func(f *fixture) { f.other().FenceAll(-1); f.store.set(key, "theirs") }, "theirs"},
		"2, a SET at Redis":                      {whileAging, func(f *fixture) { f.store.set(key, "theirs") }, "theirs"},
		"2, a SET at Redis of the same":          {whileAging, func(f *fixture) { f.store.set(key, "old") }, "old"},
		"3, a DEL there":                         {whileAging, func(f *fixture) { f.other().Fence(0, []byte(key)); f.store.del(key) }, ""},
		"3, a DEL at Redis":                      {whileAging, func(f *fixture) { f.store.del(key) }, ""},
		"3, its end":                             {100*time.Minute - time.Second, func(*fixture) { pass(1100 * time.Millisecond) }, ""},
		"7, the row is gone":                     {whileAging, func(f *fixture) { f.source.remove(1, 1) }, ""},
		"7, the row is gone, and a SET at Redis": {whileAging, func(f *fixture) { f.source.remove(1, 1); f.store.set(key, "theirs") }, "theirs"},
		"the source fails":                       {whileAging, func(f *fixture) { f.source.put(failing, nil) }, "old"},
		"Redis is full": {whileAging, func(f *fixture) {
			f.store.refuse = func(o op, _ string) error { return map[bool]error{true: errOOM}[o.name == "fill"] }
		}, "old"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, f *fixture) {
				grown(f, tt.since)
				g := newGate("source")
				f.source.before = func(ctx context.Context, _ asked) error {
					_ = g.pass(ctx)
					if _, fails := f.source.rows[failing]; fails {
						return backend.ErrSourceDown
					}
					return nil
				}
				f.refresh(f.engine, key)
				g.held(t, 1)
				tt.meanwhile(f)
				g.release()
				if left, _ := f.store.get(key); left != tt.left {
					t.Errorf("redis is left with %q, want %q", left, tt.left)
				}
				if n := len(f.source.asked()); n != 2 {
					t.Errorf("%d queries", n)
				}
			})
		})
	}
}

// 4 of refresh.go: what a client has written before the refresh asks is left alone, and costs no query.
func TestRefreshLeavesWhatIsNotForebays(t *testing.T) {
	for name, write := range map[string]func(f *fixture){
		"through forebay":             func(f *fixture) { f.engine.Fence(0, []byte("ag:1:1")); f.store.set("ag:1:1", "theirs") },
		"through forebay, the same":   func(f *fixture) { f.engine.Fence(0, []byte("ag:1:1")); f.store.setFor("ag:1:1", "old", time.Minute) },
		"at Redis, for a short time":  func(f *fixture) { f.store.setFor("ag:1:1", "theirs", time.Minute) },
		"at Redis, the same, shorter": func(f *fixture) { f.store.setFor("ag:1:1", "old", time.Minute) },
		"removed":                     func(f *fixture) { f.store.del("ag:1:1") },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, f *fixture) {
				grown(f, whileAging)
				write(f)
				before, _ := f.store.get("ag:1:1")
				f.refresh(f.engine, "ag:1:1")
				if after, _ := f.store.get("ag:1:1"); after != before || len(f.source.asked()) != 1 {
					t.Errorf("%q became %q, %d queries", before, after, len(f.source.asked()))
				}
				if before != "" {
					if got := told(f.read("ag:1:1")[0]); got != before+"*" {
						t.Errorf("it is served as %s", got)
					}
				}
				if got := show(f.read("ag:2:2")[0]); got != "nil" {
					t.Errorf("the refresh has left a lease: %s", got)
				}
			})
		})
	}
}

// setFor is a client's SET with a TTL.
func (s *store) setFor(key, value string, ttl time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(at(0, key), value, ttl)
}

// Values that have gone before their refresh are nobody's: their leases are given up together, and who reads them need not wait.
func TestRefreshOfWhatHasGone(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		slow := 100 * time.Millisecond
		f.store.before = func(context.Context, op) error {
			<-time.After(slow)
			return nil
		}
		var keys []string
		for id := range 100 {
			keys = append(keys, fmt.Sprint("ag:1:", id))
		}
		f.refresh(f.engine, keys...)
		pass(time.Second)
		if n := len(f.store.trips("end")); n > 5 { // each of four workers takes what waits when it begins, and one of them the rest
			t.Errorf("%d leases were given up by %d questions", len(keys), n)
		}
		if n := len(f.source.asked()); n != 0 {
			t.Errorf("%d queries", n)
		}
		began := time.Now()
		f.read(keys[99])
		if took := time.Since(began); took > 3*slow {
			t.Errorf("a read takes %v", took)
		}
	})
}

// 5 and 6 of refresh.go.
func TestRefreshByOneProcess(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		grown(f, whileAging)
		other := f.other()
		g := newGate("source")
		f.source.before = every(g)
		f.refresh(f.engine, "ag:1:1")
		f.refresh(other, "ag:1:1")
		f.refresh(f.engine, "ag:1:1")
		g.held(t, 1)
		pass(2 * time.Second) // it takes longer than a lease lives that nobody keeps
		f.store.del("ag:1:1")
		reader := f.start("ag:1:1") // waits for the refresh, which may not store what it loads
		if reader.ended() {
			t.Error("the reader did not wait")
		}
		g.release()
		if got := told(reader.wait()[0]); got != "new" {
			t.Errorf("the reader got %s", got)
		}
		if n := len(f.source.asked()); n != 3 {
			t.Errorf("%d queries", n)
		}
		if loads, fills := len(f.events.of(event.Load)), len(f.events.of(event.Fill)); loads != 3 || fills != 2 {
			t.Errorf("%d loads, %d fills", loads, fills)
		}
	})
}

// Refreshes take only a part of the queries that misses may have, wait in a bounded queue, and go out by partition; each key is tried only now and then.
func TestRefreshesAreBounded(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		var keys []string
		for part := range 8 {
			for id := range 10 {
				f.source.set(part, id, "old")
				keys = append(keys, fmt.Sprintf("ag:%d:%d", part, id))
			}
		}
		f.read(keys...)
		filled := len(f.source.asked())
		pass(whileAging)
		g := newGate("source")
		f.source.before = func(ctx context.Context, q asked) error {
			if q.where[0] == int64(99) {
				return nil
			}
			return stopped(g.pass(ctx))
		}
		for range 3 {
			f.refresh(f.engine, keys...)
		}
		g.held(t, 4)
		f.source.set(99, 1, "v")
		wantResults(t, f.read("ag:99:1"), "v") // a miss does not wait for them
		g.release()
		rows := 0
		list := f.source.asked()[filled:]
		for _, q := range list {
			rows += len(q.in)
		}
		// One for each partition, but for those whose first key was taken before the others came, and one for the miss.
		if rows != len(keys)+1 || len(list) > 8+4+1 {
			t.Errorf("%d rows by %d queries", rows, len(list))
		}
		f.refresh(f.engine, keys...)
		if n := len(f.source.asked()); n != filled+len(list) {
			t.Errorf("%d more queries at once", n-filled-len(list))
		}
	})
}

func TestRefreshWaitsAfterAFailure(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		grown(f, whileStale)
		f.source.before = func(context.Context, asked) error { return errors.Join(backend.ErrSourceDown) }
		for range 5 {
			if got := told(f.read("ag:1:1")[0]); got != "old* stale" {
				t.Errorf("got %s", got)
			}
			synctest.Wait()
		}
		if n := len(f.source.asked()); n != 2 {
			t.Errorf("%d queries", n)
		}
		pass(6 * time.Second)
		f.source.before = nil
		f.read("ag:1:1")
		synctest.Wait()
		wantResults(t, f.read("ag:1:1"), "new*")
	})
}
