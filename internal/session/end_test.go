package session_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"forebay/backend"
	"forebay/backend/redis/storetest"
	"forebay/internal/event"
	"forebay/internal/session"
	"forebay/internal/testkit"
)

func TestEndByCommand(t *testing.T) {
	f := newFleet(t)
	a, b := f.proxy("a"), f.proxy("b")
	a.Open("run")
	b.Open("run")
	a.load("run", 0, "k1", "one", "k2", "two")
	b.load("run", 1, "k3", "three")
	f.raw.Set(t.Context(), "k4", "a client's own", 0)
	a.hit("run", 0, "k4")
	b.load("", 0, "k5", "for nobody")
	b.hit("run", 0, "k5")
	testkit.Soon(t, "both have told", func() bool {
		i, err := b.Info(t.Context(), "run")
		return err == nil && i.Held == 5
	})
	r := f.end(b, "run")
	if r.Keys != 3 || r.Bytes != int64(len("onetwothree")) {
		t.Errorf("released %+v, want 3 keys of 11 bytes", r)
	}
	f.there(0, map[string]bool{"k1": false, "k2": false, "k4": true, "k5": true})
	f.there(1, map[string]bool{"k3": false})
	ends := f.ended("run")
	if len(ends) != 1 || ends[0].Reason != event.Ended || ends[0].Count != 3 || ends[0].By != "test" || ends[0].Bytes != 11 {
		t.Errorf("events %+v", ends)
	}
	// Both clients are still connected: a session of that name begins anew, with nothing.
	testkit.Soon(t, "it lives again", func() bool {
		i, err := a.Info(t.Context(), "run")
		return err == nil && i.Connections == 2 && i.Held == 0
	})
}

func TestEndByGrace(t *testing.T) {
	f := newFleet(t)
	a, b := f.proxy("a"), f.proxy("b")
	for _, p := range []*proxy{a, a, b} {
		p.Open("run")
	}
	a.load("run", 0, "k", "v")
	a.Close("run")
	b.Close("run")
	beyond(t, f, func() { f.there(0, map[string]bool{"k": true}) })
	// The last connection goes; data loaders come back within the grace, twice.
	for range 2 {
		a.Close("run")
		b.Open("run")
		beyond(t, f, func() { f.there(0, map[string]bool{"k": true}) })
		b.Close("run")
		a.Open("run")
	}
	a.Close("run")
	testkit.Soon(t, "it ended", func() bool { return len(f.ended("run")) == 1 })
	f.there(0, map[string]bool{"k": false})
	if e := f.ended("run")[0]; e.Reason != event.Idle || e.Count != 1 {
		t.Errorf("event %+v", e)
	}
	testkit.Soon(t, "nothing is left", func() bool { return len(f.leftovers()) == 0 })
}

// beyond waits until a session "other" on a proxy of its own has come and gone, which takes longer than the grace of who left before it, and then checks.
func beyond(t *testing.T, f *fleet, check func()) {
	t.Helper()
	p := f.proxy("clock")
	n := len(f.ended("other"))
	p.Open("other")
	p.Close("other")
	testkit.Soon(t, "the other has ended", func() bool { return len(f.ended("other")) > n })
	p.stop()
	check()
}

func TestEndAfterACrashOfAll(t *testing.T) {
	f := newFleet(t)
	a, b := f.proxy("a"), f.proxy("b")
	a.Open("run")
	b.Open("run")
	a.load("run", 0, "k1", "v")
	b.load("run", 0, "k2", "v")
	testkit.Soon(t, "both have told", func() bool {
		i, err := a.Info(t.Context(), "run")
		return err == nil && i.Held == 2 && i.Connections == 2
	})
	a.stop()
	b.stop()
	c := f.proxy("c")
	i, err := c.Info(t.Context(), "run")
	if err != nil || i.Held != 2 || i.Loads != 2 {
		t.Fatalf("as the next proxy sees it: %+v, %v", i, err)
	}
	testkit.Soon(t, "it ended", func() bool { return len(f.ended("run")) == 1 })
	f.there(0, map[string]bool{"k1": false, "k2": false})
	if left := f.leftovers(); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

func TestRestartOfAProxyKeepsTheSession(t *testing.T) {
	f := newFleet(t)
	a := f.proxy("a")
	a.Open("run")
	a.load("run", 0, "k1", "v")
	a.Close("run")
	if err := a.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.stop()
	a = f.proxy("a")
	a.Open("run")
	a.load("run", 0, "k2", "v")
	testkit.Soon(t, "both are counted", func() bool {
		i, err := a.Info(t.Context(), "run")
		return err == nil && i.Held == 2 && i.Loads == 2 && i.Connections == 1
	})
	if r := f.end(a, "run"); r.Keys != 2 {
		t.Errorf("released %+v", r)
	}
}

func TestSharedKeysStayUntilTheLastEnds(t *testing.T) {
	f := newFleet(t)
	a, b := f.proxy("a"), f.proxy("b")
	a.Open("one")
	b.Open("two")
	a.load("one", 0, "mine", "v", "shared", "v")
	b.hit("two", 0, "shared") // just now: not told yet
	if r := f.end(a, "one"); r.Keys != 1 {
		t.Errorf("first: %+v", r)
	}
	f.there(0, map[string]bool{"mine": false, "shared": true})
	if r := f.end(a, "two"); r.Keys != 1 {
		t.Errorf("second: %+v", r)
	}
	f.there(0, map[string]bool{"shared": false})
}

func TestWrittenKeysStay(t *testing.T) {
	large := strings.Repeat("x", 3<<20)
	for name, tt := range map[string]struct {
		value string
		do    func(f *fleet, p *proxy)
		stays bool
	}{
		"untouched":           {"v", func(*fleet, *proxy) {}, false},
		"empty":               {"", func(*fleet, *proxy) {}, false},
		"large":               {large, func(*fleet, *proxy) {}, false},
		"overwritten":         {"v", func(f *fleet, _ *proxy) { f.raw.Set(f.t.Context(), "k", "w", 0) }, true},
		"appended":            {"v", func(f *fleet, _ *proxy) { f.raw.Append(f.t.Context(), "k", "w") }, true},
		"another type":        {"v", func(f *fleet, _ *proxy) { f.raw.Del(f.t.Context(), "k"); f.raw.LPush(f.t.Context(), "k", "v") }, true},
		"large, its tail":     {large, func(f *fleet, _ *proxy) { f.raw.SetRange(f.t.Context(), "k", 3<<20-1, "y") }, true},
		"large, cut":          {large, func(f *fleet, _ *proxy) { f.raw.Set(f.t.Context(), "k", large[1:], 0) }, true},
		"expired, refilled":   {"v", func(f *fleet, p *proxy) { f.raw.Del(f.t.Context(), "k"); p.load("run", 0, "k", "w") }, false},
		"refilled for nobody": {"v", func(f *fleet, p *proxy) { f.raw.Del(f.t.Context(), "k"); p.load("", 0, "k", "v") }, true},
		"a fill is refused": {"v", func(f *fleet, p *proxy) {
			f.raw.Set(f.t.Context(), "k", "a client's", 0)
			p.load("run", 0, "k", "v")
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t)
			p := f.proxy("a")
			p.Open("run")
			p.load("run", 0, "k", tt.value)
			tt.do(f, p)
			r := f.end(p, "run")
			f.there(0, map[string]bool{"k": tt.stays})
			if stayed := r.Keys == 0; stayed != tt.stays {
				t.Errorf("released %+v", r)
			}
			// Whichever it was, its mark is gone.
			if n := f.raw.HLen(t.Context(), "__forebay:session:filled").Val(); n != 0 {
				t.Errorf("%d marks are left", n)
			}
		})
	}
}

func TestHashesAreGivenBack(t *testing.T) {
	f := newFleet(t)
	p := f.proxy("a")
	p.Open("run")
	var value []byte
	for i := range 600 { // too many for a small hash, whose fields keep their order
		value = backend.AppendField(value, []byte{'f', byte(i), byte(i >> 8)}, []byte{byte(i)})
	}
	for _, key := range []string{"same", "changed"} {
		_, errs, err := storetest.Fill(t.Context(), p.store, 0, []backend.Entry{{Key: []byte(key), Value: value, Hash: true, TTL: time.Hour, Track: true}})
		if err := errors.Join(append(errs, err)...); err != nil {
			t.Fatal(err)
		}
		p.hit("run", 0, key)
	}
	f.raw.HSet(t.Context(), "changed", "f", "v")
	if r := f.end(p, "run"); r.Keys != 1 {
		t.Errorf("released %+v", r)
	}
	f.there(0, map[string]bool{"same": false, "changed": true})
}

func TestConcurrentEnds(t *testing.T) {
	f := newFleet(t)
	long := func(o *session.Options) { o.Grace = time.Minute }
	proxies := []*proxy{f.proxy("a", long), f.proxy("b", long), f.proxy("c", long)}
	proxies[0].Open("run")
	for i := range 500 {
		k := "k" + string(rune('a'+i%26)) + strings.Repeat("x", i/26)
		proxies[0].load("run", 0, k, k)
	}
	proxies[0].Close("run")
	if err := proxies[0].Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	results := make([]session.Released, 12)
	errs := make([]error, len(results))
	for i := range results {
		wg.Go(func() { results[i], errs[i] = proxies[i%3].End(t.Context(), "run", "test") })
	}
	wg.Wait()
	ended := 0
	for i, err := range errs {
		switch {
		case err == nil:
			ended++
			if results[i].Keys != 500 {
				t.Errorf("released %+v", results[i])
			}
		case !errors.Is(err, session.ErrNoSession):
			t.Errorf("end: %v", err)
		}
	}
	if ended != 1 || len(f.ended("run")) != 1 {
		t.Errorf("%d ended it, %d events", ended, len(f.ended("run")))
	}
	if n := f.raw.Exists(t.Context(), "ka").Val(); n != 0 {
		t.Error("keys are left")
	}
}
