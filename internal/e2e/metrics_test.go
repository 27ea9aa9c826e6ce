package e2e_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// metricNames are those of the contract.
var metricNames = strings.Fields(`
	forebay_reads_total forebay_requests_total forebay_request_duration_seconds forebay_loads_total forebay_load_duration_seconds
	forebay_coalesced_total forebay_fills_total forebay_evictions_total forebay_events_total forebay_events_lost_total
	forebay_redis_memory_used_bytes forebay_redis_memory_max_bytes forebay_backend_up forebay_connected_clients forebay_build_info
	go_goroutines process_resident_memory_bytes`)

// counts are the samples that TestMetricsAndHealth's reads come to: two MGET of four keys, the first all misses of three partitions; a GET of an
// absent row, one of a key without a route, and a SET.
var counts = strings.Split(strings.TrimSpace(`
forebay_reads_total{origin="source",result="loaded",route="digits"} 4
forebay_reads_total{origin="redis",result="hit",route="digits"} 4
forebay_reads_total{origin="none",result="absent",route="digits"} 1
forebay_reads_total{origin="none",result="unrouted",route="unrouted"} 1
forebay_loads_total{result="loaded",route="digits"} 3
forebay_loads_total{result="absent",route="digits"} 1
forebay_load_duration_seconds_count{route="digits"} 4
forebay_fills_total{result="stored",route="digits"} 4
forebay_coalesced_total{scope="query"} 1
forebay_requests_total{cmd="mget"} 2
forebay_requests_total{cmd="get"} 2
forebay_requests_total{cmd="set"} 1
forebay_request_duration_seconds_count{cmd="mget"} 2
forebay_events_total{kind="hit"} 4
forebay_events_total{kind="miss"} 6
forebay_events_lost_total 0
forebay_backend_up{backend="redis"} 1
forebay_backend_up{backend="cassandra"} 1
forebay_backend_up{backend="kafka"} 1
forebay_redis_memory_max_bytes 6.7108864e+07
forebay_connected_clients 1`), "\n")

func TestMetricsAndHealth(t *testing.T) {
	s := newStack(t, nil, "--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru")
	c, ctx := s.client(t), t.Context()
	for range 2 {
		must(t, c.MGet(ctx, key("test", 0), key("test", 1), key("train", 0), key("train", 1030)).Err())
	}
	for _, absent := range []string{key("test", testSize), "nothing"} {
		if r := ask(c, "GET", absent); r.word != "nil" {
			t.Errorf("GET %s answers %s", absent, r.word)
		}
	}
	must(t, c.Set(ctx, "mine", 1, 0).Err())
	body := s.awaitMetrics(t, counts...)
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

// noise is the lines of /metrics that a failed test need not show.
var noise = regexp.MustCompile(`(?m)^(#|go_|process_).*\n|^.*_bucket.*\n`)

// awaitMetrics waits until /metrics has every line, and returns it.
func (f *forebay) awaitMetrics(t testing.TB, lines ...string) string {
	t.Helper()
	tick, limit := time.NewTicker(20*time.Millisecond), time.After(patience)
	defer tick.Stop()
	for {
		body := f.get(t, "/metrics").body
		missing := slices.IndexFunc(lines, func(l string) bool { return !strings.Contains(body, "\n"+l+"\n") })
		if missing < 0 {
			return body
		}
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("no metric %s:\n%s", lines[missing], noise.ReplaceAllString(body, ""))
		}
	}
}
