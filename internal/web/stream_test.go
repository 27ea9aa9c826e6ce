package web_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"forebay/internal/event"
	"forebay/internal/web"
)

// script is an Events whose streams bring what is sent on items, and which remembers what it was asked.
type script struct {
	filter web.Filter
	lastID string
	items  chan []web.Item
	closed chan struct{}
	err    error
}

func newScript() *script {
	return &script{items: make(chan []web.Item), closed: make(chan struct{}, 100)}
}

func (s *script) Subscribe(f web.Filter, lastID string) (web.Subscription, error) {
	s.filter, s.lastID = f, lastID
	return s, s.err
}

func (s *script) Next(ctx context.Context) ([]web.Item, error) {
	select {
	case items, ok := <-s.items:
		if !ok {
			return nil, io.EOF
		}
		return items, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("follow: %w", ctx.Err())
	}
}

func (s *script) Close() { s.closed <- struct{}{} }

// block reads one event or comment of a stream, without the empty line that ends it.
func block(t *testing.T, r *bufio.Reader) string {
	t.Helper()
	var b strings.Builder
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatalf("after %q: %v", b.String(), err)
		}
		if line == "\n" {
			return b.String()
		}
		b.WriteString(line)
	}
}

func TestStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		events := newScript()
		o := whole()
		o.Events = events
		_, client := serve(t, o)
		r := get(t, client, "/events?kind=hit,miss&kind=evict&route=mnist&session=run-42&prefix=mnist%3Atrain&sample=10&scope=proxy",
			func(r *http.Request) { r.Header.Set("Last-Event-ID", "1-2-3") })
		if r.StatusCode != 200 || r.Header.Get("Content-Type") != "text/event-stream" {
			t.Fatalf("status %d, %v", r.StatusCode, r.Header)
		}
		in := bufio.NewReader(r.Body)
		if got := block(t, in); got != "retry: 2000\n" {
			t.Errorf("first %q", got)
		}
		want := web.Filter{
			Kinds: event.SetOf(event.Hit, event.Miss, event.Evict), Route: "mnist", Session: "run-42", Prefix: "mnist:train", Sample: 10,
		}
		if events.filter != want || events.lastID != "1-2-3" {
			t.Errorf("filter %+v after %q, want %+v", events.filter, events.lastID, want)
		}
		events.items <- []web.Item{{ID: "1-2-4", Line: []byte("{\"seq\":4}\n")}, {Line: []byte(`{"kind":"gap"}`)}}
		for _, want := range []string{"id: 1-2-4\ndata: {\"seq\":4}\n", "data: {\"kind\":\"gap\"}\n"} {
			if got := block(t, in); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		events.items <- []web.Item{{ID: "x", Line: []byte("a\n\nid: forged")}}
		if got, want := block(t, in), "id: x\ndata: a\ndata: \ndata: id: forged\n"; got != want {
			t.Errorf("line breaks: got %q, want %q", got, want)
		}
		// An idle stream outlives every deadline of a request, by a comment each 15 s.
		start := time.Now()
		for range 20 {
			if got := block(t, in); got != ":\n" {
				t.Errorf("got %q, want a comment", got)
			}
		}
		if d := time.Since(start); d != 300*time.Second {
			t.Errorf("20 heartbeats in %v, want 300 s", d)
		}
		close(events.items)
		if rest := body(t, r); rest != "" {
			t.Errorf("at the end %q", rest)
		}
		<-events.closed
	})
}

func TestStreamEndsWithItsConsumer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		events := newScript()
		_, client := serve(t, web.Options{Events: events})
		r := get(t, client, "/events")
		block(t, bufio.NewReader(r.Body))
		if err := r.Body.Close(); err != nil {
			t.Fatal(err)
		}
		<-events.closed
	})
}

func TestStuckConsumerIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		events := newScript()
		_, client := serve(t, web.Options{Events: events})
		r := get(t, client, "/events")
		block(t, bufio.NewReaderSize(r.Body, 16))
		start := time.Now()
		line := []byte(strings.Repeat("x", 1<<20)) // more than the buffers on the way take
		events.items <- []web.Item{{ID: "1", Line: line}}
		<-events.closed
		if d := time.Since(start); d != 10*time.Second {
			t.Errorf("given up after %v, want 10 s", d)
		}
	})
}

func TestShutdownEndsStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		events := newScript()
		s, client := serve(t, web.Options{Events: events})
		r := get(t, client, "/events")
		in := bufio.NewReader(r.Body)
		block(t, in)
		ended := make(chan error, 1)
		go func() {
			_, err := in.ReadByte()
			ended <- err
		}()
		start := time.Now()
		if err := s.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		<-events.closed
		if err := <-ended; !errors.Is(err, io.EOF) {
			t.Errorf("the stream ended with %v", err)
		}
		// The server's own poll for idle connections is all that may take time.
		if d := time.Since(start); d > time.Second {
			t.Errorf("took %v", d)
		}
	})
}

func TestStreamsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		events := newScript()
		_, client := serve(t, web.Options{Events: events, MaxStreams: 2})
		first, second := get(t, client, "/events"), get(t, client, "/events")
		block(t, bufio.NewReader(first.Body))
		block(t, bufio.NewReader(second.Body))
		third := get(t, client, "/events")
		if third.StatusCode != 503 || third.Header.Get("Forebay-Problem") != "busy" {
			t.Errorf("status %d, %v", third.StatusCode, third.Header)
		}
		if err := first.Body.Close(); err != nil {
			t.Fatal(err)
		}
		<-events.closed
		synctest.Wait()
		if again := get(t, client, "/events"); again.StatusCode != 200 {
			t.Errorf("after one ended: status %d", again.StatusCode)
		}
	})
}

func TestFilterMistakes(t *testing.T) {
	tests := map[string]string{ // query → what the line names
		"kind=x":                               `kind "x" is not one of hit, miss`,
		"kind=hit,x":                           `kind "x"`,
		"route=nope":                           `route "nope" is not configured`,
		"route=mnist&route=b":                  `"route" is given twice`,
		"sample=0":                             "sample is a number from 1",
		"sample=-1":                            "sample",
		"sample=1.5":                           "sample",
		"sample=1000001":                       "1000000",
		"scope=all":                            "scope is proxy or fleet",
		"prefix=a&prefix=b":                    "prefix",
		"keys=a":                               `"keys" is not a filter`,
		"kind=%zz":                             "percent-encoded",
		"session=" + strings.Repeat("s", 5000): "longer than",
		"a%0Ab=1":                              "is not a filter",
		strings.Repeat("k", 9000) + "=1":       "is not a filter",
	}
	for query, want := range tests {
		w := recorded(t, whole(), loopback, http.MethodGet, "/events?"+query)
		_, detail := problemOf(t, w)
		if w.Code != 400 || !strings.Contains(detail, want) || strings.Contains(detail, "\n") || len(detail) > 400 {
			t.Errorf("%.40s: status %d, %q; want one line with %q", query, w.Code, detail, want)
		}
	}
	for _, query := range []string{"", "kind=&route=&session=&prefix=&sample=", "kind=hit, miss", "sample=1", "scope=proxy"} {
		w := recorded(t, whole(), loopback, http.MethodHead, "/events?"+strings.ReplaceAll(query, " ", "%20"))
		if w.Code != 200 {
			t.Errorf("%q: status %d", query, w.Code)
		}
	}
}

func FuzzFilter(f *testing.F) {
	for _, seed := range []string{"kind=hit,miss", "sample=10&prefix=%00", "scope=fleet", "a;b=c", "kind=%ff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		w := recorded(t, whole(), loopback, http.MethodHead, "/events", func(r *http.Request) { r.URL.RawQuery = query })
		if w.Code != 200 && w.Code != 400 {
			t.Errorf("status %d", w.Code)
		}
	})
}

func TestStreamRefusals(t *testing.T) {
	tests := map[string]struct {
		err    error
		lastID string
		status int
		code   string
	}{
		"no fleet":          {web.ErrNoFleet, "", 501, "no-fleet"},
		"another's id":      {fmt.Errorf("parse: %w", web.ErrLastID), "x", 400, "bad-request"},
		"an id without end": {nil, strings.Repeat("9", 300), 400, "bad-request"},
		"anything else":     {errors.New("secret"), "", 500, "internal"},
	}
	for name, test := range tests {
		events := newScript()
		events.err = test.err
		w := recorded(t, web.Options{Events: events}, loopback, http.MethodGet, "/events",
			func(r *http.Request) { r.Header.Set("Last-Event-ID", test.lastID) })
		if code, _ := problemOf(t, w); w.Code != test.status || code != test.code {
			t.Errorf("%s: status %d, code %q", name, w.Code, code)
		}
	}
}
