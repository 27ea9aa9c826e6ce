package web_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"forebay/internal/event"
	"forebay/internal/web"
)

// pipeline starts a pipeline that keeps few events and ends it with the test.
func pipeline(t *testing.T, events int) *event.Pipeline {
	t.Helper()
	p := event.New(event.Options{Proxy: "test", Boot: 7, HubEvents: events, HubBytes: events * 1024})
	p.Start()
	t.Cleanup(func() {
		if err := p.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return p
}

func record(t *testing.T, p *event.Pipeline, from, to int) {
	t.Helper()
	var mu sync.Mutex
	r := p.NewRecorder(&mu) // one, so that the events keep their order
	mu.Lock()
	for i := from; i < to; i++ {
		r.Record(&event.Event{Kind: event.Hit, Route: "mnist", Key: fmt.Appendf(nil, "mnist:%d", i), Bytes: 1})
	}
	r.Close()
	mu.Unlock()
	if err := p.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// sent is one event of a stream.
type sent struct {
	ID    string
	Seq   int64
	Kind  string
	Key   string
	Count int64
}

func next(t *testing.T, in *bufio.Reader) (s sent) {
	t.Helper()
	for line := range strings.Lines(block(t, in)) {
		if id, ok := strings.CutPrefix(line, "id: "); ok {
			s.ID = strings.TrimSpace(id)
		}
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			if err := json.Unmarshal([]byte(data), &s); err != nil {
				t.Fatalf("%q: %v", data, err)
			}
		}
	}
	return s
}

func TestStreamOfTheHubResumes(t *testing.T) {
	p := pipeline(t, 64)
	_, client := serve(t, web.Options{Events: web.FromHub(p.Hub()), Routes: whole().Routes})
	r := get(t, client, "/events?route=mnist")
	in := bufio.NewReader(r.Body)
	block(t, in)
	record(t, p, 0, 10)
	var last sent
	for i := range 5 {
		last = next(t, in)
		if last.Kind != "hit" || last.Key != fmt.Sprintf("mnist:%d", i) || last.ID == "" {
			t.Errorf("event %d: %+v", i, last)
		}
	}
	if err := r.Body.Close(); err != nil {
		t.Fatal(err)
	}
	resume := func(id string) *bufio.Reader {
		r := get(t, client, "/events?route=mnist", func(r *http.Request) { r.Header.Set("Last-Event-ID", id) })
		in := bufio.NewReader(r.Body)
		block(t, in)
		return in
	}
	in = resume(last.ID)
	for i := 5; i < 10; i++ {
		if got := next(t, in); got.Key != fmt.Sprintf("mnist:%d", i) {
			t.Errorf("resumed event %d: %+v", i, got)
		}
	}
	record(t, p, 10, 200) // the place to resume from is gone
	if got := next(t, resume(last.ID)); got.Kind != "gap" || got.ID != "" || got.Count == 0 {
		t.Errorf("resumed too late: %+v", got)
	}
	bad := get(t, client, "/events", func(r *http.Request) { r.Header.Set("Last-Event-ID", "nonsense") })
	if bad.StatusCode != 400 {
		t.Errorf("an id that is none: status %d", bad.StatusCode)
	}
	if fleet := get(t, client, "/events?scope=fleet"); fleet.StatusCode != 501 {
		t.Errorf("the fleet's events: status %d", fleet.StatusCode)
	}
}

// TestSlowConsumerGetsAGap lets a consumer read nothing while many more events pass than are kept. What it then reads must add
// up: every seq is either there or in a gap's count, and nobody else waited for it.
func TestSlowConsumerGetsAGap(t *testing.T) {
	const total = 5000
	p := pipeline(t, 64)
	_, client := serve(t, web.Options{Events: web.FromHub(p.Hub())})
	slow, fast := get(t, client, "/events"), get(t, client, "/events?prefix=mnist:4999")
	slowIn, fastIn := bufio.NewReaderSize(slow.Body, 16), bufio.NewReader(fast.Body)
	block(t, slowIn)
	block(t, fastIn)
	for i := 0; i < total; i += 50 {
		record(t, p, i, i+50)
	}
	for got := next(t, fastIn); got.Key != "mnist:4999"; got = next(t, fastIn) {
		if got.Kind != "gap" {
			t.Errorf("the other consumer got %+v", got)
		}
	}
	var seen, missed int64
	for seen+missed < total {
		got := next(t, slowIn)
		if got.Kind == "gap" {
			missed += got.Count
			continue
		}
		seen++
		if got.Seq != seen+missed {
			t.Fatalf("seq %d after %d events and %d missed", got.Seq, seen-1, missed)
		}
	}
	if missed == 0 {
		t.Error("nothing was missed: the consumer was not slow")
	}
}
