package session_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	goredis "github.com/redis/go-redis/v9"

	"forebay/backend"
	"forebay/backend/redis"
	"forebay/backend/redis/storetest"
	"forebay/internal/event"
	"forebay/internal/session"
	"forebay/internal/testkit"
)

// TestACacheAsSmallAsFound is a training of 60,000 samples of 3 KB beside another one that shares a sixth of them.
func TestACacheAsSmallAsFound(t *testing.T) {
	const samples, size = 60_000, 3136
	f := newFleet(t)
	p := f.proxy("a", func(o *session.Options) { o.Grace, o.Every = time.Minute, time.Second })
	used := func() int64 { return f.memory() }
	before, keysBefore := used(), f.raw.DBSize(t.Context()).Val()
	p.Open("big")
	value := strings.Repeat("x", size-5)
	for from := 0; from < samples; from += 1000 {
		var pairs []string
		for i := from; i < from+1000; i++ {
			pairs = append(pairs, fmt.Sprintf("mnist:train:%d", i), fmt.Sprintf("%05d%s", i, value))
		}
		p.load("big", 0, pairs...)
	}
	if err := p.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.Open("small")
	for i := range samples / 6 {
		p.hit("small", 0, fmt.Sprintf("mnist:train:%d", i))
	}
	full := used()
	began := time.Now()
	big := f.end(p, "big")
	took := time.Since(began)
	shared := used()
	p.Close("small")
	p.Close("big")
	small := f.end(p, "small")
	// The session "big" is connected no more, but began anew as it was still when it ended.
	if _, err := p.End(t.Context(), "big", "test"); err != nil && !errors.Is(err, session.ErrNoSession) {
		t.Fatal(err)
	}
	f.raw.Del(t.Context(), "__forebay:generation") // of leases: it stays for good
	after, keysAfter := used(), f.raw.DBSize(t.Context()).Val()
	t.Logf("used memory of Redis, MiB:\nbefore  %8.1f  %6d keys\nfull    %8.1f\nshared  %8.1f  after the end of 60,000 keys (%d given back in %v)\nafter   %8.1f  %6d keys",
		mib(before), keysBefore, mib(full), mib(shared), big.Keys, took.Round(time.Millisecond), mib(after), keysAfter)
	if big.Keys != samples*5/6 || small.Keys != samples/6 || big.Bytes != size*big.Keys {
		t.Errorf("released %+v and %+v", big, small)
	}
	if keysAfter != keysBefore || after > before+2<<20 {
		t.Errorf("%d keys and %d bytes are left: %q", keysAfter, after-before, f.leftovers())
	}
	if took > 30*time.Second {
		t.Errorf("the end took %v", took)
	}
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }

// memory is what Redis uses for data, when it has freed what it frees in the background.
func (f *fleet) memory() (n int64) {
	f.t.Helper()
	testkit.Soon(f.t, "redis has freed memory", func() bool {
		return strings.Contains(f.raw.Info(f.t.Context(), "memory").Val(), "lazyfree_pending_objects:0")
	})
	for line := range strings.Lines(f.raw.Info(f.t.Context(), "memory").Val()) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "used_memory:"); ok {
			_, _ = fmt.Sscan(v, &n)
		}
	}
	return n
}

// TestEndDuringReadsAndWrites ends a session while its client reads on, and others write its keys.
func TestEndDuringReadsAndWrites(t *testing.T) {
	f := newFleet(t)
	a, b := f.proxy("a"), f.proxy("b")
	a.Open("run")
	const n = 4000
	keys := make([]string, n)
	var pairs []string
	for i := range keys {
		keys[i] = fmt.Sprint("k", i)
		pairs = append(pairs, keys[i], "filled")
	}
	a.load("run", 0, pairs...)
	if err := a.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	var stop atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; !stop.Load(); i = (i + 1) % (n / 4) { // what it reads on is a new session's, and stays
			a.hit("run", 0, keys[i])
		}
	})
	var written sync.Map
	for w := range 2 {
		wg.Go(func() {
			for i := w; i < n/2 && !stop.Load(); i += 2 { // the second quarter is left for the end to give back
				if f.raw.Set(t.Context(), keys[n-1-i], "a client's", 0).Err() == nil {
					written.Store(keys[n-1-i], true)
				}
			}
		})
	}
	r := f.end(b, "run")
	stop.Store(true)
	wg.Wait()
	count := 0
	written.Range(func(k, _ any) bool {
		count++
		if v := f.raw.Get(t.Context(), k.(string)).Val(); v != "a client's" {
			t.Errorf("%v is %q after a client wrote it", k, v)
		}
		return true
	})
	t.Logf("%d keys given back while %d were written", r.Keys, count)
	if r.Keys == 0 || count == 0 || r.Keys > n {
		t.Errorf("released %+v, written %d", r, count)
	}
}

// breaking fails Release after some calls, as a proxy that dies in the middle.
type breaking struct {
	backend.Sessions
	after atomic.Int64
}

func (b *breaking) Release(ctx context.Context, db int, keys []string) (int64, int64, error) {
	if b.after.Add(-1) < 0 {
		return 0, 0, errors.New("broken")
	}
	return b.Sessions.Release(ctx, db, keys)
}

func TestAnotherProxyGoesOnWithARelease(t *testing.T) {
	f := newFleet(t)
	var br *breaking
	a := f.proxy("a", func(o *session.Options) { br = &breaking{Sessions: o.Store}; br.after.Store(1); o.Store = br })
	a.Open("run")
	var pairs []string
	for i := range 5000 {
		pairs = append(pairs, fmt.Sprint("k", i), "v")
	}
	a.load("run", 0, pairs...)
	a.Close("run")
	r, err := a.End(t.Context(), "run", "test")
	if !errors.Is(err, session.ErrUnfinished) || r.Keys == 0 || r.Keys >= 5000 {
		t.Fatalf("end: %+v, %v", r, err)
	}
	b := f.proxy("b")
	testkit.Soon(t, "it ended", func() bool { return len(f.ended("run")) == 1 })
	if e := f.ended("run")[0]; e.Count != 5000 || e.By != "test" || e.Reason != event.Ended {
		t.Errorf("event %+v", e)
	}
	testkit.Soon(t, "nothing is left but the generation of leases", func() bool { return f.raw.DBSize(t.Context()).Val() == 1 })
	b.stop()
}

func TestExtend(t *testing.T) {
	f := newFleet(t)
	a := f.proxy("a")
	a.Open("run")
	a.load("run", 0, "k", "v")
	if err := a.Extend(t.Context(), "run", time.Hour); err != nil {
		t.Fatal(err)
	}
	a.Close("run")
	beyond(t, f, func() { f.there(0, map[string]bool{"k": true}) })
	i, err := a.Info(t.Context(), "run")
	if err != nil || i.Connections != 0 || time.Until(i.Ends) < 59*time.Minute {
		t.Errorf("%+v, %v", i, err)
	}
	for _, d := range []time.Duration{-1, 0, time.Millisecond, session.MaxExtend + 1} {
		if err := a.Extend(t.Context(), "run", d); !errors.Is(err, session.ErrTime) {
			t.Errorf("extend by %v: %v", d, err)
		}
	}
	if err := a.Extend(t.Context(), "nope", time.Minute); !errors.Is(err, session.ErrNoSession) {
		t.Errorf("extend nothing: %v", err)
	}
	f.end(a, "run")
	f.there(0, map[string]bool{"k": false})
}

func TestUnnamedClientsReleaseNothing(t *testing.T) {
	f := newFleet(t)
	a := f.proxy("a")
	a.Open("")
	a.load("", 0, "k", "v")
	a.Close("")
	beyond(t, f, func() { f.there(0, map[string]bool{"k": true}) })
	if list, err := a.List(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("sessions %+v, %v", list, err)
	}
}

func TestStatisticsOfTheFleet(t *testing.T) {
	f := newFleet(t)
	a, b := f.proxy("a"), f.proxy("b")
	a.Open("run")
	b.Open("run")
	a.load("run", 0, "k", "value")
	a.hit("run", 0, "k", "k")
	b.hit("run", 0, "k")
	b.Coalesced("run", 2)
	b.Observe(&event.View{Kind: event.Miss, Result: event.Absent, Session: []byte("run"), Key: []byte("n"), KeyLen: 1, Hash: 7})
	want := session.Counts{Hits: 3, Misses: 2, Loads: 1, Coalesced: 2, Bytes: session.Bytes{Redis: 3, Source: 5}, Held: 2}
	testkit.Soon(t, "all is told", func() bool {
		i, err := a.Info(t.Context(), "run")
		return err == nil && i.Counts == want && i.Saved == 5 && i.Connections == 2 && i.Proxies == 2
	})
}

func TestAfterUse(t *testing.T) {
	f := newFleet(t)
	p := f.proxy("a", func(o *session.Options) { o.AfterUse = []string{"once"} })
	use := func(key string) {
		v := view(event.Hit, "", 0, key, 1)
		v.Route = []byte("once")
		p.Observe(v)
	}
	p.load("tracked", 0, "used", "v", "unused", "v", "written", "v")
	f.raw.Set(t.Context(), "written", "a client's", 0)
	f.raw.Set(t.Context(), "foreign", "v", 0)
	for _, k := range []string{"written", "foreign", "used"} {
		use(k)
	}
	testkit.Soon(t, "it is given back", func() bool { return f.raw.Exists(t.Context(), "used").Val() == 0 })
	f.there(0, map[string]bool{"unused": true, "written": true, "foreign": true})
	for i := range 100_000 { // bounded: nothing waits that does not fit
		use(fmt.Sprint("k", i))
	}
}

func TestRedisAway(t *testing.T) {
	f := newFleet(t)
	a := f.proxy("a", func(o *session.Options) { o.Grace = time.Minute })
	a.Open("run")
	a.load("run", 0, "k1", "v")
	if err := a.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.server.Pause()
	a.hit("run", 0, "k2")
	if _, err := a.End(t.Context(), "run", "test"); !errors.Is(err, backend.ErrStoreDown) {
		t.Errorf("end while it is away: %v", err)
	}
	f.server.Resume()
	testkit.Soon(t, "what waited is told", func() bool {
		i, err := a.Info(t.Context(), "run")
		return err == nil && i.Held == 2
	})
	f.server.Kill() // and all is lost
	f.server.Start()
	testkit.Soon(t, "it begins anew", func() bool {
		i, err := a.Info(t.Context(), "run")
		return err == nil && i.Connections == 1 && i.Held == 0
	})
	a.load("run", 0, "k1", "v")
	if r := f.end(a, "run"); r.Keys != 1 {
		t.Errorf("released %+v", r)
	}
}

func TestOnTheStandIn(t *testing.T) {
	mini := miniredis.RunT(t)
	store := redis.Open(redis.Options{Addr: mini.Addr(), Log: testkit.Log(t)})
	t.Cleanup(store.Close)
	testkit.Soon(t, "redis is up", store.Up)
	var ends atomic.Int64
	m := session.New(session.Options{Store: store, Proxy: "a", Grace: 10 * time.Minute, Every: every, Log: testkit.Log(t), Record: func(ev *event.Event) {
		if ev.Reason == event.Idle {
			ends.Add(ev.Count)
		}
	}})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); m.Run(ctx) }()
	defer func() { cancel(); <-done }()
	m.Open("run")
	entries := []backend.Entry{
		{Key: []byte("k"), Value: []byte("v"), TTL: time.Hour, Track: true},
		{Key: []byte("w"), Value: []byte("v"), TTL: time.Hour, Track: true},
	}
	if _, _, err := storetest.Fill(t.Context(), store, 0, entries); err != nil {
		t.Fatal(err)
	}
	m.Observe(view(event.Hit, "run", 0, "k", 1))
	m.Observe(view(event.Hit, "run", 0, "w", 1))
	if err := mini.Set("w", "a client's"); err != nil {
		t.Fatal(err)
	}
	if i, err := m.Info(t.Context(), "run"); err != nil || i.Held != 2 {
		t.Fatalf("%+v, %v", i, err)
	}
	m.Close("run")
	if err := m.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	mini.SetTime(now.Add(9 * time.Minute))
	if _, err := m.Info(t.Context(), "run"); err != nil {
		t.Errorf("within the grace: %v", err)
	}
	mini.SetTime(now.Add(11 * time.Minute))
	testkit.Soon(t, "it ended", func() bool { return ends.Load() == 1 })
	if mini.Exists("k") || !mini.Exists("w") {
		t.Error("the wrong key is gone")
	}
	if err := m.CanEnd(t.Context(), ""); err != nil {
		t.Errorf("the default user: %v", err)
	}
	if err := m.CanEnd(t.Context(), "someone"); !errors.Is(err, session.ErrForbidden) {
		t.Errorf("another user: %v", err)
	}
}

func TestTheRightToEnd(t *testing.T) {
	f := newFleet(t)
	p := f.proxy("a")
	for user, rules := range map[string][]any{
		"owner": {"on", "nopass", "~*", "+@all"}, "named": {"on", "nopass", "~__forebay:session:*", "+unlink"},
		"reader": {"on", "nopass", "~*", "+@read"}, "local": {"on", "nopass", "~mine:*", "+@all"},
	} {
		if err := f.raw.Do(t.Context(), append([]any{"acl", "setuser", user}, rules...)...).Err(); err != nil && !errors.Is(err, goredis.Nil) {
			t.Fatal(err)
		}
	}
	for user, may := range map[string]bool{"": true, "owner": true, "named": true, "reader": false, "local": false, "nobody": false} {
		if err := p.CanEnd(t.Context(), user); may != (err == nil) || err != nil && !errors.Is(err, session.ErrForbidden) {
			t.Errorf("user %q: %v", user, err)
		}
	}
}
