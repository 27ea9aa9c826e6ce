package cache_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"forebay/internal/cache"
	"forebay/internal/event"
	"forebay/internal/route"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

const (
	budget      = 3 * time.Second
	storeBudget = time.Second
	ttl         = time.Hour
	mostAhead   = 4000 // bytes of a partition that are read ahead
)

// specs are the routes of these tests. All read the fake source's two tables.
func specs() []route.Spec {
	cell := []route.Bind{{Column: "part", Expr: "{part}"}, {Column: "id", Expr: "{id}"}}
	return []route.Spec{
		{Name: "t", Key: "t:{part:int}:{id:int}", Table: "t", Where: cell, Value: "data", TTL: ttl, Jitter: 0.1},
		{Name: "t3", DB: 3, Key: "t:{part:int}:{id:int}", Table: "t", Where: cell, Value: "data", TTL: ttl},
		{
			Name: "mod", Key: "mod:{part:int}:{id:int}", Table: "t", Value: "data", TTL: ttl,
			Where: []route.Bind{{Column: "part", Expr: "{part}"}, {Column: "id", Expr: "{id % 10}"}},
		},
		{
			Name: "one", Key: "one:{id:int}", Table: "one", Value: "data", TTL: 1500 * time.Microsecond, Jitter: 0.5,
			Where: []route.Bind{{Column: "id", Expr: "{id}"}},
		},
		{
			Name: "named", Key: "named:{name:hex}", Table: "named", Value: "data", TTL: ttl,
			Where: []route.Bind{{Column: "part", Expr: "1"}, {Column: "name", Expr: "{name}"}},
		},
		{Name: "ahead", Key: "ra:{part:int}:{id:int}", Table: "t", Where: cell, Value: "data", TTL: ttl, ReadAhead: mostAhead},
		{
			Name: "aged", Key: "ag:{part:int}:{id:int}", Table: "t", Where: cell, Value: "data", TTL: ttl, AbsentTTL: time.Minute,
			RefreshAhead: 10 * time.Minute, StaleWhileRevalidate: 20 * time.Minute, StaleIfError: 40 * time.Minute,
		},
		{
			Name: "short", Key: "sh:{part:int}:{id:int}", Table: "t", Where: cell, Value: "data", TTL: 30 * time.Millisecond,
			RefreshAhead: 20 * time.Millisecond, StaleWhileRevalidate: 200 * time.Millisecond, StaleIfError: 400 * time.Millisecond,
		},
	}
}

// compiled returns the routes, bound to the source.
func compiled(t testing.TB, s *source) *route.Table {
	t.Helper()
	table, err := route.Compile(specs())
	if err != nil {
		t.Fatal(err)
	}
	if err := table.Bind(context.Background(), s); err != nil {
		t.Fatal(err)
	}
	return table
}

// fixture is an engine between a fake store and a fake source.
type fixture struct {
	t      testing.TB
	store  *store
	source *source
	routes *route.Table
	events *events
	engine *cache.Engine
}

func newFixture(t testing.TB, change ...func(*cache.Options)) *fixture {
	t.Helper()
	f := &fixture{t: t, store: newStore(), source: newSource(), events: &events{}}
	f.routes = compiled(t, f.source)
	o := cache.Options{
		Store: f.store, Source: f.source, Routes: f.routes, Record: f.events.record,
		Budget: budget, StoreBudget: storeBudget, Loads: 16,
		Log: slog.New(slog.DiscardHandler),
	}
	for _, c := range change {
		c(&o)
	}
	f.engine = cache.New(o)
	t.Cleanup(f.engine.Close)
	return f
}

// bubble runs a test where time stands still until everybody waits, and where "everybody waits" can be awaited (synctest.Wait).
func bubble(t *testing.T, test func(t *testing.T, f *fixture), change ...func(*cache.Options)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, newFixture(t, change...)) })
}

// wants is what a reader asks for that found the keys absent in db.
func (f *fixture) wants(db int, keys ...string) []cache.Want {
	f.t.Helper()
	list := make([]cache.Want, len(keys))
	for i, k := range keys {
		var m route.Match
		if !f.routes.Match(db, []byte(k), &m) {
			f.t.Fatalf("no route for %q in db %d", k, db)
		}
		list[i] = cache.Want{Key: []byte(k), Route: m.Route}
	}
	return list
}

// read reads keys of database 0 in the usual mode.
func (f *fixture) read(keys ...string) []cache.Result {
	f.t.Helper()
	return f.engine.Read(context.Background(), 0, f.wants(0, keys...), cache.Mode{})
}

// reading is a read under way.
type reading struct {
	done    chan struct{}
	results []cache.Result
}

func (r *reading) ended() bool { return closed(r.done) }

// wait returns the results. In a bubble, a read that never ends is a deadlock, which fails the test.
func (r *reading) wait() []cache.Result {
	<-r.done
	return r.results
}

// start begins a read on a goroutine of its own and returns once everybody in the bubble waits.
func (f *fixture) start(keys ...string) *reading {
	f.t.Helper()
	return f.startIn(context.Background(), 0, cache.Mode{}, keys...)
}

func (f *fixture) startIn(ctx context.Context, db int, mode cache.Mode, keys ...string) *reading {
	f.t.Helper()
	r, wants := &reading{done: make(chan struct{})}, f.wants(db, keys...)
	go func() {
		defer close(r.done)
		r.results = f.engine.Read(ctx, db, wants, mode)
	}()
	synctest.Wait()
	return r
}

// background runs what may block and tells when it is done; it returns once everybody in the bubble waits.
func background(run func()) (done chan struct{}) {
	done = make(chan struct{})
	go func() {
		defer close(done)
		run()
	}()
	synctest.Wait()
	return done
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// gate holds all who pass it until it is opened.
type gate struct {
	name string
	open chan struct{}

	mu      sync.Mutex
	waiting int
}

func newGate(name string) *gate { return &gate{name: name, open: make(chan struct{})} }

// pass waits until the gate is opened or ctx ends.
func (g *gate) pass(ctx context.Context) error {
	g.add(1)
	defer g.add(-1)
	select {
	case <-g.open:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait at the gate %s: %w", g.name, ctx.Err())
	}
}

// reached tells whether someone waits at the gate now.
func (g *gate) reached() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.waiting > 0
}

func (g *gate) add(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting += n
}

// release opens the gate and returns once everybody in the bubble waits again.
func (g *gate) release() {
	close(g.open)
	synctest.Wait()
}

// held fails the test if not n wait at the gate.
func (g *gate) held(t testing.TB, n int) {
	t.Helper()
	synctest.Wait()
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.waiting != n {
		t.Fatalf("%d wait at the gate %s, want %d", g.waiting, g.name, n)
	}
}

// events collects what the engine records.
type events struct {
	mu   sync.Mutex
	list []event.Event
}

func (e *events) record(ev *event.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	own := *ev
	own.Key = append([]byte(nil), ev.Key...)
	e.list = append(e.list, own)
}

// of returns the events of a kind.
func (e *events) of(k event.Kind) (list []event.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, ev := range e.list {
		if ev.Kind == k {
			list = append(list, ev)
		}
	}
	return list
}

// show writes a result so that it can be compared: nil, the value, the value with an asterisk if Redis held it, or the error's cause.
func show(r cache.Result) string {
	switch {
	case r.Err != nil:
		return "error: " + cause(r.Err)
	case r.Value == nil:
		return "nil"
	case r.Cached:
		return string(r.Value) + "*"
	default:
		return string(r.Value)
	}
}

func wantResults(t testing.TB, got []cache.Result, want ...string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d results, want %d", len(got), len(want))
	}
	for i := range got {
		if s := show(got[i]); s != want[i] {
			t.Errorf("result %d is %q, want %q (%v)", i, s, want[i], got[i].Err)
		}
	}
}
