package e2e_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"regexp"
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
	eventually(t, "an unrouted key answers 503 without Redis", func() bool { return s.get(t, "/api/v1/values/nothing").status == 503 })
	if a := s.get(t, "/api/v1/values/digits:test:3:npy"); a.status != 200 {
		t.Errorf("a routed key without Redis: %d %s", a.status, a.body)
	}
	all := s.end(t)
	if n := len(all.of("hit", "miss")); n < 9 {
		t.Errorf("%d reads in events, want one for each that was asked by HTTP: %s", n, all.kinds())
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

// metricNames are those of the contract.
var metricNames = strings.Fields(`
	forebay_reads_total forebay_requests_total forebay_request_duration_seconds forebay_loads_total forebay_load_duration_seconds
	forebay_coalesced_total forebay_fills_total forebay_evictions_total forebay_events_total forebay_events_lost_total
	forebay_redis_memory_used_bytes forebay_redis_memory_max_bytes forebay_backend_up forebay_connected_clients forebay_build_info
	go_goroutines process_resident_memory_bytes`)

func TestMetricsAndHealth(t *testing.T) {
	s := newStack(t, nil, "--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru")
	c, ctx := s.client(t), t.Context()
	for range 2 {
		must(t, c.MGet(ctx, key("test", 0), key("test", 1), key("train", 0), key("train", 1030)).Err())
	}
	c.Get(ctx, key("test", 360))
	c.Get(ctx, "nothing")
	must(t, c.Set(ctx, "mine", 1, 0).Err())
	var body string
	want := []string{
		`forebay_reads_total{origin="source",result="loaded",route="digits"} 4`,
		`forebay_reads_total{origin="redis",result="hit",route="digits"} 4`,
		`forebay_reads_total{origin="none",result="absent",route="digits"} 1`,
		`forebay_reads_total{origin="none",result="unrouted",route="unrouted"} 1`,
		`forebay_loads_total{result="loaded",route="digits"} 3`,
		`forebay_loads_total{result="absent",route="digits"} 1`,
		`forebay_fills_total{result="stored",route="digits"} 4`,
		`forebay_requests_total{cmd="mget"} 2`,
		`forebay_requests_total{cmd="get"} 2`,
		`forebay_requests_total{cmd="set"} 1`,
		`forebay_request_duration_seconds_count{cmd="mget"} 2`,
		`forebay_load_duration_seconds_count{route="digits"} 4`,
		`forebay_events_total{kind="hit"} 4`,
		`forebay_events_total{kind="miss"} 6`,
		`forebay_events_lost_total 0`,
		`forebay_backend_up{backend="redis"} 1`,
		`forebay_backend_up{backend="cassandra"} 1`,
		`forebay_backend_up{backend="kafka"} 1`,
		`forebay_redis_memory_max_bytes 6.7108864e+07`,
		`forebay_connected_clients 1`,
	}
	missing := ""
	tick, limit := time.NewTicker(20*time.Millisecond), time.After(patience)
	defer tick.Stop()
	for missing = "everything"; missing != ""; {
		body, missing = s.get(t, "/metrics").body, ""
		for _, line := range want {
			if !strings.Contains(body, "\n"+line+"\n") {
				missing = line
			}
		}
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("no metric %s:\n%s", missing, regexp.MustCompile(`(?m)^(#|go_|process_).*\n|^.*_bucket.*\n`).ReplaceAllString(body, ""))
		}
	}
	for _, name := range metricNames {
		if !strings.Contains(body, "\n# TYPE "+name+" ") {
			t.Errorf("no metric %s", name)
		}
	}
	if !strings.Contains(body, `forebay_request_duration_seconds_bucket{cmd="get",le="2.5e-05"}`) {
		t.Errorf("the buckets do not begin at 25 µs")
	}
	for _, key := range []string{"digits:test", "mine", "nothing"} {
		if strings.Contains(body, key) {
			t.Errorf("a key is in the metrics: %s", key)
		}
	}
	if a := s.get(t, "/healthz"); a.status != 200 || !strings.Contains(a.body, `"status": "ok"`) {
		t.Errorf("/healthz: %d %s", a.status, a.body)
	}
	if status, out, _ := run(t, "health", "--http.address="+s.http); status != 0 {
		t.Errorf("forebay health: status %d: %s", status, out)
	}
	if a := s.get(t, "/api/v1/stats"); a.status != 200 || !json.Valid([]byte(a.body)) {
		t.Errorf("/api/v1/stats: %d %s", a.status, a.body)
	}
	if a := s.get(t, "/api/v1/routes"); a.status != 200 || strings.Count(a.body, `"name"`) != 3 {
		t.Errorf("/api/v1/routes: %d %s", a.status, a.body)
	}
	s.end(t).wantWhole(t)
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
