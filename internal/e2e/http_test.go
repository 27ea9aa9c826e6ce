package e2e_test

import (
	"bufio"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"forebay/internal/testkit"
)

func TestValuesByHTTP(t *testing.T) {
	s := newStack(t, nil)
	sample, err := s.client(t).Get(t.Context(), key("test", 1)).Result()
	must(t, err)
	must(t, s.client(t).Set(t.Context(), "a b/ü", "mine", 0).Err())
	for _, tt := range []struct {
		name, path string
		status     int
		want       string // the body, or the problem's code
	}{
		{"a cached value", "digits:test:1", 200, sample},
		{"one that is not cached", "digits:test:2:npy", 200, "\x93NUMPY"},
		{"one that is not routed", "a%20b%2F%C3%BC", 200, "mine"},
		{"an absent row", "digits:test:360", 404, "absent"},
		{"no route and no value", "nothing", 404, "unrouted"},
		{"a key that is no canonical spelling", "digits:test:007", 404, "unrouted"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := s.get(t, "/api/v1/values/"+tt.path)
			if a.status != tt.status {
				t.Fatalf("status %d: %s", a.status, a.body)
			}
			if a.status == 200 && (a.header.Get("Content-Type") != "application/octet-stream" || !strings.HasPrefix(a.body, tt.want)) {
				t.Errorf("%s: %q", a.header.Get("Content-Type"), a.body)
			}
			if a.status != 200 && (a.header.Get("Content-Type") != "application/problem+json" || !strings.Contains(a.body, `"code":"`+tt.want+`"`)) {
				t.Errorf("%s: %s", a.header.Get("Content-Type"), a.body)
			}
		})
	}
	s.redis.Stop()
	eventually(t, "an unrouted key answers 503 without Redis", func() bool { return s.get(t, "/api/v1/values/else").status == 503 })
	if a := s.get(t, "/api/v1/values/digits:test:3:npy"); a.status != 200 {
		t.Errorf("a routed key without Redis: %d %s", a.status, a.body)
	}
	got := map[string]string{}
	for _, e := range s.end(t).of("hit", "miss") {
		if e.By == "http" && e.Key != "else" {
			got[e.Key] += e.Kind + " " + e.Result
		}
	}
	want := map[string]string{
		"digits:test:1": "hit ", "digits:test:2:npy": "miss loaded", "a b/ü": "hit ", "digits:test:360": "miss absent",
		"nothing": "miss unrouted", "digits:test:007": "miss unrouted", "digits:test:3:npy": "miss loaded",
	}
	if !maps.Equal(got, want) {
		t.Errorf("events of reads by HTTP: %q, want %q", got, want)
	}
}

func TestHTTPWithoutTheSource(t *testing.T) {
	dead := testkit.Redis(t)
	dead.Stop() // nothing listens on its port, and nobody else takes it
	f := serve(t, setup{redis: testkit.Redis(t).Addr, cassandra: dead.Addr, keyspace: "ml", broker: dead.Addr, topic: "none", routes: digitsRoutes})
	if a := f.get(t, "/api/v1/values/digits:test:1"); a.status != 503 || !strings.Contains(a.body, `"source-down"`) {
		t.Errorf("a value without the source: %d %s", a.status, a.body)
	}
	if a := f.get(t, "/readyz"); a.status != 200 {
		t.Errorf("/readyz answers %d though Redis answers: %s", a.status, a.body)
	}
	eventually(t, "health names Kafka and Cassandra", func() bool {
		a := f.get(t, "/healthz")
		return a.status == 200 && strings.Contains(a.body, `"status": "degraded"`) &&
			strings.Contains(a.body, `{"name":"kafka","ok":false,"required":false`) &&
			strings.Contains(a.body, `{"name":"cassandra","ok":false,"required":false`)
	})
	for _, path := range []string{"/livez", "/"} {
		if a := f.get(t, path); a.status != 200 {
			t.Errorf("%s answers %d", path, a.status)
		}
	}
}

func TestLiveStreamShowsARead(t *testing.T) {
	s := newStack(t, nil)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	transport := &http.Transport{DisableKeepAlives: true}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.http+"/events?kind=miss,hit&route=digits", nil)
	must(t, err)
	res, err := transport.RoundTrip(req)
	must(t, err)
	defer res.Body.Close()
	c, lines := s.client(t), bufio.NewScanner(res.Body)
	must(t, c.Get(t.Context(), "digits:test:5:npy").Err()) // another route: filtered out
	began := time.Now()
	must(t, c.Get(t.Context(), key("test", 5)).Err())
	must(t, c.Get(t.Context(), key("test", 5)).Err())
	var got []record
	for len(got) < 2 && lines.Scan() {
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			var e record
			must(t, json.Unmarshal([]byte(data), &e))
			got = append(got, e)
		}
	}
	t.Logf("both events came after %s", since(began))
	if len(got) != 2 || got[0].Kind != "miss" || got[0].Result != "loaded" || got[1].Kind != "hit" || got[1].Origin != "redis" ||
		got[0].Key != key("test", 5) || got[1].Key != key("test", 5) {
		t.Errorf("the stream shows %+v", got)
	}
	cancel()
	for lines.Scan() { // until the connection has ended
	}
	s.terminate(t)
}
