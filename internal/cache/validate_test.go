package cache_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"forebay/backend"
	"forebay/internal/cache"
	"forebay/internal/event"
	"forebay/internal/route"
)

// ruled compiles routes with rules over the fake source: values of v: have 3 to 10 bytes, those of p: are pickles that are logged.
func ruled(t testing.TB) *route.Table {
	t.Helper()
	cell := []route.Bind{{Column: "part", Expr: "{part}"}, {Column: "id", Expr: "{id}"}}
	table, err := route.Compile([]route.Spec{
		{
			Name: "v", Key: "v:{part:int}:{id:int}", Table: "t", Where: cell, Value: "data", TTL: ttl,
			Validate: &route.Validate{MinBytes: 3, MaxBytes: 10},
		},
		{
			Name: "p", Key: "p:{part:int}:{id:int}", Table: "t", Where: cell, Value: "data", TTL: ttl,
			Validate: &route.Validate{Pickle: "log"},
		},
	})
	if err == nil {
		err = table.Bind(context.Background(), newSource())
	}
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// ruledBubble is bubble with those routes.
func ruledBubble(t *testing.T, test func(t *testing.T, f *fixture), change ...func(*cache.Options)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		routes := ruled(t)
		f := newFixture(t, append(change, func(o *cache.Options) { o.Routes = routes })...)
		f.routes = routes
		test(t, f)
		synctest.Wait()
		f.idle()
	})
}

// found lists the findings so far: origin, reason and key of each.
func (f *fixture) found() (list []string) {
	for _, ev := range f.events.of(event.Invalid) {
		list = append(list, fmt.Sprint(ev.Origin, " ", ev.Reason, " ", string(ev.Key)))
	}
	return list
}

func (f *fixture) wantFound(want ...string) {
	f.t.Helper()
	if got := f.found(); strings.Join(got, "; ") != strings.Join(want, "; ") {
		f.t.Errorf("found %q, want %q", got, want)
	}
}

// in tells what Redis holds.
func (f *fixture) in(key, want string) {
	f.t.Helper()
	if got, _ := f.store.get(key); got != want {
		f.t.Errorf("redis holds %q, want %q", got, want)
	}
}

func TestABadValueInRedisIsLoadedAnew(t *testing.T) {
	ruledBubble(t, func(t *testing.T, f *fixture) {
		f.source.set(1, 1, "good1")
		f.source.set(1, 2, "good2")
		f.store.set("v:1:1", "x")
		f.store.set("v:1:2", "fine")
		g := newGate("load")
		f.source.before = every(g)
		var all []*reading
		for range 5 {
			all = append(all, f.start("v:1:1", "v:1:2", "v:1:3"))
		}
		g.release()
		for _, r := range all {
			wantResults(t, r.wait(), "good1", "fine*", "nil")
		}
		f.wantFound("redis length v:1:1")
		f.in("v:1:1", "good1")
		if n := len(f.source.asked()); n != 1 {
			t.Errorf("%d queries, want 1", n)
		}
		ev := f.events.of(event.Invalid)[0]
		if ev.Route != "v" || ev.Bytes != 1 || !strings.Contains(ev.Error, "shorter than the 3 bytes") {
			t.Errorf("event %+v", ev)
		}
	})
}

func TestABadValueOfTheSourceIsAskedForOnceMore(t *testing.T) {
	ruledBubble(t, func(t *testing.T, f *fixture) {
		f.source.set(1, 1, "good")
		f.source.set(1, 2, "x")
		f.source.set(1, 3, "much too long")
		wantResults(t, f.read("v:1:1", "v:1:2", "v:1:3", "v:1:4"), "good", "error: invalid", "error: invalid", "nil")
		f.wantFound("source length v:1:2", "source length v:1:3")
		f.in("v:1:1", "good")
		f.in("v:1:2", "")
		f.in("v:1:3", "")
		asked := f.source.asked()
		if len(asked) != 2 || fmt.Sprint(asked[1].in) != "[2 3]" {
			t.Errorf("queries %+v, want a second for just the two", asked)
		}
		loads := f.events.of(event.Load)
		if len(loads) != 2 || loads[1].Error != "2 of 2 values break the rules of their route" {
			t.Errorf("loads %+v", loads)
		}
		err := f.read("v:1:2")[0].Err
		if err == nil || err.Error() != `check value of route "v": value of 1 bytes: shorter than the 3 bytes its route demands` {
			t.Errorf("error %v", err)
		}
	})
}

func TestWhatTheSecondLoadGivesIsTaken(t *testing.T) {
	for name, tt := range map[string]struct {
		second func(f *fixture) error
		want   string
		holds  string
	}{
		"a good row":    {func(f *fixture) error { f.source.set(1, 1, "good"); return nil }, "good", "good"},
		"no row":        {func(f *fixture) error { f.source.remove(1, 1); return nil }, "nil", ""},
		"a bad one":     {func(f *fixture) error { f.source.set(1, 1, "y"); return nil }, "error: invalid", ""},
		"no answer":     {func(*fixture) error { return backend.ErrSourceDown }, "error: down", ""},
		"too late":      {func(*fixture) error { return backend.ErrSourceTimeout }, "error: timeout", ""},
		"a null column": {func(f *fixture) error { f.source.put(cell{int64(1), int64(1)}, nil); return nil }, "error: invalid", ""},
	} {
		t.Run(name, func(t *testing.T) {
			ruledBubble(t, func(t *testing.T, f *fixture) {
				f.source.set(1, 1, "x")
				queries := 0
				f.source.before = func(context.Context, asked) error {
					if queries++; queries == 2 {
						return tt.second(f)
					}
					return nil
				}
				wantResults(t, f.read("v:1:1"), tt.want)
				f.in("v:1:1", tt.holds)
				f.wantFound("source length v:1:1")
			})
		})
	}
}

// A client's good value, written between the look that found a bad one and its discarding, survives, and is what readers get (see validate.go).
func TestASetBetweenLookAndDiscardSurvives(t *testing.T) {
	for name, fences := range map[string]bool{"through this process": true, "past it": false} {
		t.Run(name, func(t *testing.T) {
			ruledBubble(t, func(t *testing.T, f *fixture) {
				f.source.set(1, 1, "source")
				f.store.set("v:1:1", "x")
				g := newGate("discard")
				f.store.before = on(g, "discard", "v:")
				r := f.start("v:1:1")
				g.held(t, 1)
				if fences {
					f.engine.Fence(0, []byte("v:1:1"))
				}
				f.store.set("v:1:1", "client")
				g.release()
				wantResults(t, r.wait(), "client*")
				f.in("v:1:1", "client")
			})
		})
	}
}

// A bad value that appears between the two looks of a flight that others have joined: the second look finds it, and is no answer.
func TestABadValueOfTheSecondLook(t *testing.T) {
	ruledBubble(t, func(t *testing.T, f *fixture) {
		f.source.set(1, 1, "source")
		f.store.set("v:1:1", "fine")
		first, second := newGate("first look"), newGate("second look")
		looks := 0
		f.store.after = func(ctx context.Context, o op) error {
			if o.name == "get" {
				if looks++; looks == 1 {
					return first.pass(ctx)
				}
			}
			return nil
		}
		f.store.before = func(ctx context.Context, o op) error {
			if o.name == "get" && looks == 1 {
				return second.pass(ctx)
			}
			return nil
		}
		a := f.start("v:1:1")
		first.held(t, 1)
		b := f.start("v:1:1") // joins after the look was sent
		first.release()
		second.held(t, 1)
		f.store.set("v:1:1", "x")
		second.release()
		for _, r := range []*reading{a, b} {
			if got := strings.TrimSuffix(show(r.wait()[0]), "*"); got != "source" {
				t.Errorf("got %s", got)
			}
		}
		f.in("v:1:1", "source")
		f.wantFound("redis length v:1:1")
	})
}

func TestWhenABadValueCannotBeDiscarded(t *testing.T) {
	for name, tt := range map[string]struct {
		mode    cache.Mode
		prepare func(f *fixture)
		finds   int
	}{
		"redis refuses": {cache.Mode{}, func(f *fixture) {
			f.store.refuse = func(o op, _ string) error {
				if o.name == "discard" {
					return errors.New("NOPERM this user has no permissions")
				}
				return nil
			}
		}, 1},
		"redis goes": {cache.Mode{}, func(f *fixture) {
			f.store.before = func(_ context.Context, o op) error { return failure(o.name == "discard") }
		}, 1},
		"the reader watches its keys": {cache.Mode{NoFill: true}, func(*fixture) {}, 1},
		"redis is not to be asked":    {cache.Mode{NoLook: true, NoFill: true}, func(*fixture) {}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			ruledBubble(t, func(t *testing.T, f *fixture) {
				f.source.set(1, 1, "good")
				f.store.set("v:1:1", "x")
				tt.prepare(f)
				wantResults(t, f.engine.Read(context.Background(), 0, f.wants(0, "v:1:1"), tt.mode), "good")
				f.in("v:1:1", "x")
				if len(f.store.trips("fill")) != 0 || len(f.found()) != tt.finds {
					t.Errorf("%d fills, found %q", len(f.store.trips("fill")), f.found())
				}
			})
		})
	}
}

// Findings of the policy log are served, stored and counted each, and logged once a second.
func TestFindingsAreLoggedOnceASecond(t *testing.T) {
	var log safeBuffer
	ruledBubble(t, func(t *testing.T, f *fixture) {
		const evil, fine = "cos\nsystem\nN\x85R.", "K\x01."
		for i := range 5 {
			f.source.set(1, i, evil)
		}
		f.source.set(1, 9, fine)
		f.store.set("p:1:3", evil)
		for i := range 5 {
			want := evil
			if i == 3 {
				want += "*"
			}
			wantResults(t, f.read(fmt.Sprint("p:1:", i), "p:1:9")[:1], want)
			f.in(fmt.Sprint("p:1:", i), evil)
		}
		if got := f.found(); len(got) != 5 || got[0] != "source pickle p:1:0" || got[3] != "redis pickle p:1:3" {
			t.Errorf("found %q", got)
		}
		if n := strings.Count(log.String(), "breaks the rules"); n != 1 {
			t.Errorf("logged %d times within a second:\n%s", n, log.String())
		}
		<-time.After(time.Second) // the bubble's
		f.store.del("p:1:0")
		f.read("p:1:0")
		if !strings.Contains(log.String(), "served=true") || !strings.Contains(log.String(), "more=4") || strings.Count(log.String(), "breaks the rules") != 2 {
			t.Errorf("log:\n%s", log.String())
		}
		if n := len(f.source.asked()); n > 6 {
			t.Errorf("%d queries: what is served is not loaded anew", n)
		}
	}, func(o *cache.Options) { o.Log = slog.New(slog.NewTextHandler(&log, nil)) })
}

// safeBuffer is a buffer that may be written to by several.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
