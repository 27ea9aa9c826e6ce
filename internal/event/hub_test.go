package event_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"forebay/internal/event"
)

// next reads items until n events have come, and returns their keys, with "gap:count" for gaps.
func next(t *testing.T, s *event.Subscription, n int) (got []string, last event.ID) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for events := 0; events < n; {
		items, err := s.Next(ctx)
		if err != nil {
			t.Fatalf("after %v: %v", got, err)
		}
		for _, it := range items {
			w := parse(t, it.Line)
			if w.Kind != it.Kind.String() || w.Seq != it.ID.Seq {
				t.Fatalf("item %+v has line %s", it, it.Line)
			}
			if it.Kind == event.Gap && it.ID == (event.ID{}) {
				got = append(got, fmt.Sprint("gap:", w.Count))
				continue
			}
			got = append(got, w.Key)
			last = it.ID
			events++
		}
	}
	return got, last
}

func started(t *testing.T, opt event.Options) (p *event.Pipeline, record func(keys ...string)) {
	p = event.New(opt)
	p.Start()
	t.Cleanup(func() {
		if err := p.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return p, func(keys ...string) {
		t.Helper()
		for _, key := range keys {
			p.Record(&event.Event{Kind: event.Hit, Key: []byte(key)})
			if err := p.Flush(t.Context()); err != nil { // one by one: their order across shards is not promised
				t.Fatal(err)
			}
		}
	}
}

func want(t *testing.T, got []string, list ...string) {
	t.Helper()
	if strings.Join(got, " ") != strings.Join(list, " ") {
		t.Errorf("got %v, want %v", got, list)
	}
}

func TestSubscriberGetsWhatComesAndResumes(t *testing.T) {
	t.Parallel()
	p, record := started(t, event.Options{Partitions: 4})
	record("a", "b")
	live := p.Hub().Subscribe(event.Filter{}, event.ID{})
	record("c", "d", "e")
	got, _ := next(t, live, 1)
	want(t, got, "c", "d", "e")

	all, last := next(t, p.Hub().Subscribe(event.Filter{}, event.Oldest()), 2)
	want(t, all, "a", "b", "c", "d", "e")
	record("f")
	id, err := event.ParseID(last.String())
	if err != nil {
		t.Fatal(err)
	}
	got, _ = next(t, p.Hub().Subscribe(event.Filter{}, id), 1)
	want(t, got, "f")
}

func TestResumeAfterWhatIsGoneBeginsWithAGap(t *testing.T) {
	t.Parallel()
	p, record := started(t, event.Options{Boot: 9, HubEvents: 4})
	record("a", "b", "c", "d", "e", "f", "g")
	tests := map[string]struct {
		after event.ID
		want  []string
	}{
		"still held":   {event.ID{Boot: 9, Seq: 4}, []string{"e", "f", "g"}},
		"just gone":    {event.ID{Boot: 9, Seq: 2}, []string{"gap:1", "d", "e", "f", "g"}},
		"another boot": {event.ID{Boot: 8, Seq: 2}, []string{"gap:0", "d", "e", "f", "g"}},
		"oldest":       {event.Oldest(), []string{"d", "e", "f", "g"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, _ := next(t, p.Hub().Subscribe(event.Filter{}, tt.after), 1)
			want(t, got, tt.want...)
		})
	}
}

func TestSlowSubscriberGetsAGapAndSlowsNobody(t *testing.T) {
	t.Parallel()
	for name, opt := range map[string]event.Options{"events": {HubEvents: 4}, "bytes": {HubBytes: 330}} {
		t.Run(name, func(t *testing.T) {
			p, record := started(t, opt)
			s := p.Hub().Subscribe(event.Filter{}, event.ID{})
			record("a")
			got, _ := next(t, s, 1)
			want(t, got, "a")
			record("b", "c", "d", "e", "f", "g")
			got, _ = next(t, s, 4)
			want(t, got, "gap:2", "d", "e", "f", "g")
		})
	}
}

// Records of many sizes wrap around the ring again and again: it stays well filled, and what it holds is whole.
func TestRingHoldsTheNewestWhole(t *testing.T) {
	t.Parallel()
	const size, events = 4096, 3000
	p, _ := started(t, event.Options{HubBytes: size})
	key := func(i int) string { return fmt.Sprint(i, strings.Repeat("x", i*7919%500)) }
	var mu sync.Mutex
	r := p.NewRecorder(&mu)
	for i := range events {
		mu.Lock()
		r.Record(&event.Event{Kind: event.Hit, Key: []byte(key(i))})
		mu.Unlock()
	}
	if err := p.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	items, err := p.Hub().Subscribe(event.Filter{}, event.Oldest()).Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	held := 0
	for i, it := range items {
		want := key(events - len(items) + i)
		if got := parse(t, it.Line).Key; got != want {
			t.Fatalf("item %d of %d has key %.20q, want %.20q", i, len(items), got, want)
		}
		held += len(want)
	}
	if held < size/2 {
		t.Errorf("%d bytes of keys held in a ring of %d", held, size)
	}
}

func TestFilters(t *testing.T) {
	t.Parallel()
	p, _ := started(t, event.Options{Partitions: 2})
	for i := range 400 {
		ev := event.Event{Kind: event.Hit, Route: "r0", Session: "s0", Key: fmt.Appendf(nil, "a:%d", i)}
		if i%4 == 1 {
			ev = event.Event{Kind: event.Miss, Route: "r1", Session: "s0", Key: fmt.Appendf(nil, "b:%d", i)}
		}
		if i%4 == 2 {
			ev = event.Event{Kind: event.Log, Session: "s1", Text: "x"}
		}
		p.Record(&ev)
	}
	if err := p.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	count := func(f event.Filter) (n int) {
		s := p.Hub().Subscribe(f, event.Oldest())
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		for {
			items, err := s.Next(ctx)
			if err != nil {
				return n
			}
			if n += len(items); n > 0 {
				cancel() // the rest without waiting
			}
		}
	}
	tests := map[string]struct {
		filter   event.Filter
		low, top int
	}{
		"all":     {event.Filter{}, 400, 400},
		"kinds":   {event.Filter{Kinds: event.SetOf(event.Miss, event.Log)}, 200, 200},
		"route":   {event.Filter{Route: "r1"}, 100, 100},
		"session": {event.Filter{Session: "s1"}, 100, 100},
		"prefix":  {event.Filter{Prefix: "b:"}, 100, 100},
		"both":    {event.Filter{Prefix: "a:", Session: "s0", Kinds: event.SetOf(event.Hit)}, 200, 200},
		"sample":  {event.Filter{Prefix: "a:", Sample: 4}, 25, 75},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if n := count(tt.filter); n < tt.low || n > tt.top {
				t.Errorf("%d events, want %d to %d", n, tt.low, tt.top)
			}
		})
	}
}

func TestWaitingSubscriberWakesAndEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := event.New(event.Options{})
		p.Start()
		s := p.Hub().Subscribe(event.Filter{Kinds: event.SetOf(event.Hit)}, event.ID{})
		go func() {
			time.Sleep(time.Minute)
			p.Record(&event.Event{Kind: event.Hit, Key: []byte("k")})
			time.Sleep(time.Minute)
			if err := p.Close(context.Background()); err != nil {
				t.Error(err)
			}
		}()
		items, err := s.Next(t.Context())
		if err != nil || len(items) != 1 {
			t.Fatalf("%v, %v", items, err)
		}
		if _, err := s.Next(t.Context()); !errors.Is(err, io.EOF) {
			t.Errorf("error %v, want EOF", err)
		}
	})
}

func TestNextEndsWithItsContext(t *testing.T) {
	t.Parallel()
	p, _ := started(t, event.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Hub().Subscribe(event.Filter{}, event.ID{}).Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestParseID(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "1-2", "1-2-3-4", "a-1-2", "-1-1-2", "1-2-", "1-2-99999999999999999999"} {
		if id, err := event.ParseID(s); err == nil {
			t.Errorf("ParseID(%q) = %v", s, id)
		}
	}
}
