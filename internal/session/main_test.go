package session_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"
	goredis "github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"forebay/backend"
	"forebay/backend/redis"
	"forebay/backend/redis/storetest"
	"forebay/internal/event"
	"forebay/internal/session"
	"forebay/internal/testkit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	every = 40 * time.Millisecond
	grace = 400 * time.Millisecond
)

// fleet is one Redis and the proxies on it.
type fleet struct {
	t      *testing.T
	server *testkit.RedisServer
	raw    *goredis.Client // straight to Redis

	mu     sync.Mutex
	events []event.Event
}

func newFleet(t *testing.T) *fleet {
	t.Helper()
	f := &fleet{t: t, server: testkit.Redis(t)}
	f.raw = f.server.Client()
	t.Cleanup(func() { _ = f.raw.Close() })
	return f
}

func (f *fleet) record(ev *event.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.events = append(f.events, *ev)
}

// ended returns the events of a session's ends.
func (f *fleet) ended(name string) (list []event.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range f.events {
		if e.Session == name && e.Reason != event.Opened {
			list = append(list, e)
		}
	}
	return list
}

// proxy is one manager with its own client of Redis.
type proxy struct {
	*session.Manager
	f     *fleet
	store *redis.Client
	stop  func()
}

func (f *fleet) proxy(name string, set ...func(*session.Options)) *proxy {
	f.t.Helper()
	store := redis.Open(redis.Options{Network: f.server.Network, Addr: f.server.Addr, Log: testkit.Log(f.t)})
	f.t.Cleanup(store.Close)
	testkit.Soon(f.t, "redis is up", store.Up)
	o := session.Options{Store: store, Proxy: name, Grace: grace, Every: every, Record: f.record, Log: testkit.Log(f.t)}
	for _, s := range set {
		s(&o)
	}
	p := &proxy{Manager: session.New(o), f: f, store: store}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.Run(ctx)
	}()
	var once sync.Once
	// It ends as a crash would: nothing more is told.
	p.stop = func() { once.Do(func() { cancel(); <-done }) }
	f.t.Cleanup(p.stop)
	return p
}

// load is a miss of the session's whose value is filled; "" is an unnamed client.
func (p *proxy) load(name string, db int, pairs ...string) {
	p.f.t.Helper()
	var entries []backend.Entry
	for i := 0; i < len(pairs); i += 2 {
		entries = append(entries, backend.Entry{Key: []byte(pairs[i]), Value: []byte(pairs[i+1]), TTL: time.Hour, Track: name != ""})
	}
	_, errs, err := storetest.Fill(p.f.t.Context(), p.store, db, entries)
	if err != nil {
		p.f.t.Fatal(err)
	}
	for i := range entries {
		if errs[i] != nil {
			p.f.t.Fatal(errs[i])
		}
		p.Observe(view(event.Miss, name, db, pairs[2*i], len(pairs[2*i+1])))
	}
}

// hit is a read of the session's that Redis answered.
func (p *proxy) hit(name string, db int, keys ...string) {
	for _, k := range keys {
		p.Observe(view(event.Hit, name, db, k, 1))
	}
}

func view(kind event.Kind, name string, db int, key string, size int) *event.View {
	v := &event.View{
		Kind: kind, Session: []byte(name), DB: db, Key: []byte(key), KeyLen: len(key), Hash: xxhash.Sum64String(key),
		Bytes: int64(size), Origin: event.FromRedis, Route: []byte("r"),
	}
	if kind == event.Miss {
		v.Result, v.Origin = event.Loaded, event.FromSource
	}
	return v
}

func (f *fleet) in(db int) *goredis.Conn {
	c := f.raw.Conn()
	if err := c.Select(f.t.Context(), db).Err(); err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = c.Close() })
	return c
}

// there fails the test unless exactly the wanted of the keys are in Redis.
func (f *fleet) there(db int, want map[string]bool) {
	f.t.Helper()
	c := f.in(db)
	for key, is := range want {
		n, err := c.Exists(f.t.Context(), key).Result()
		if err != nil {
			f.t.Fatal(err)
		}
		if (n == 1) != is {
			f.t.Errorf("key %q in db %d is there: %t, want %t", key, db, n == 1, is)
		}
	}
}

func (f *fleet) end(p *proxy, name string) session.Released {
	f.t.Helper()
	before := len(f.ended(name))
	r, err := p.End(f.t.Context(), name, "test")
	if errors.Is(err, session.ErrUnfinished) {
		// The leases of tests are short: on a machine that is busy for as long, another proxy takes the release over, as it should.
		testkit.Soon(f.t, "the rest is given back", func() bool { return len(f.ended(name)) > before })
		e := f.ended(name)[before]
		return session.Released{Keys: e.Count, Bytes: e.Bytes}
	}
	if err != nil {
		f.t.Fatal(err)
	}
	return r
}

// leftovers are Forebay's own keys in Redis.
func (f *fleet) leftovers() (keys []string) {
	f.t.Helper()
	for db := range 3 {
		list, err := f.in(db).Keys(f.t.Context(), "__forebay:*").Result()
		if err != nil {
			f.t.Fatal(err)
		}
		for _, k := range list {
			if k == "__forebay:generation" { // of leases: one a database, for good
				continue
			}
			keys = append(keys, fmt.Sprintf("%d/%s", db, k))
		}
	}
	return keys
}
