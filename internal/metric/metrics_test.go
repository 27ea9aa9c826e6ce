package metric_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"forebay/internal/event"
	"forebay/internal/metric"
)

func build(t testing.TB, routes ...string) (*metric.Metrics, *prometheus.Registry) {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	m, err := metric.New(metric.Options{
		Registerer: reg, Routes: routes, Build: metric.Build{Version: "1.2.3", Revision: "abc", GoVersion: "go1.26"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return m, reg
}

// scrape returns the samples of the registry that are ours and not zero: the name and labels as in the text format, and the value; of a
// histogram its count and sum.
func scrape(t testing.TB, reg prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "forebay_") {
			continue
		}
		for _, s := range f.GetMetric() {
			var labels []string
			for _, l := range s.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			name := f.GetName() + "{" + strings.Join(labels, ",") + "}"
			switch {
			case s.GetHistogram() != nil:
				got[name+" count"] = float64(s.GetHistogram().GetSampleCount())
				got[name+" sum"] = s.GetHistogram().GetSampleSum()
			case s.GetGauge() != nil:
				got[name] = s.GetGauge().GetValue()
			default:
				got[name] = s.GetCounter().GetValue()
			}
		}
	}
	for name, v := range got {
		if v == 0 {
			delete(got, name)
		}
	}
	return got
}

func TestObserve(t *testing.T) {
	const ms = time.Millisecond
	tests := map[string]struct {
		events []event.Event
		want   map[string]float64 // beside the event kinds and the build
	}{
		"hits by origin": {
			[]event.Event{
				{Kind: event.Hit, Route: "mnist", Origin: event.FromNear, Bytes: 10},
				{Kind: event.Hit, Route: "mnist", Origin: event.FromRedis},
				{Kind: event.Hit, Origin: event.FromRedis},
			},
			map[string]float64{
				"forebay_reads_total{origin=near,result=hit,route=mnist}":     1,
				"forebay_reads_total{origin=redis,result=hit,route=mnist}":    1,
				"forebay_reads_total{origin=redis,result=hit,route=unrouted}": 1,
				"forebay_events_total{kind=hit}":                              3,
			},
		},
		"misses by result": {
			[]event.Event{
				{Kind: event.Miss, Route: "mnist", Result: event.Loaded, Origin: event.FromSource},
				{Kind: event.Miss, Route: "mnist", Result: event.Absent, Origin: event.FromSource},
				{Kind: event.Miss, Route: "mnist", Result: event.Failed, Error: "x"},
				{Kind: event.Miss, Result: event.Unrouted},
			},
			map[string]float64{
				"forebay_reads_total{origin=source,result=loaded,route=mnist}":    1,
				"forebay_reads_total{origin=source,result=absent,route=mnist}":    1,
				"forebay_reads_total{origin=none,result=error,route=mnist}":       1,
				"forebay_reads_total{origin=none,result=unrouted,route=unrouted}": 1,
				"forebay_events_total{kind=miss}":                                 4,
			},
		},
		"a summary is as many reads as it says": {
			[]event.Event{{Kind: event.Hit, Route: "mnist", Origin: event.FromNear, Count: 500, Bytes: 5000}},
			map[string]float64{
				"forebay_reads_total{origin=near,result=hit,route=mnist}": 500,
				"forebay_events_total{kind=hit}":                          1,
			},
		},
		"loads and their time": {
			[]event.Event{
				{Kind: event.Load, Route: "mnist", Rows: 64, Duration: 2 * ms},
				{Kind: event.Load, Route: "mnist", Rows: 0, Duration: ms},
				{Kind: event.Load, Route: "mnist", Rows: 3, Error: "timeout", Duration: 5 * ms},
			},
			map[string]float64{
				"forebay_loads_total{result=loaded,route=mnist}":   1,
				"forebay_loads_total{result=absent,route=mnist}":   1,
				"forebay_loads_total{result=error,route=mnist}":    1,
				"forebay_load_duration_seconds{route=mnist} count": 3,
				"forebay_load_duration_seconds{route=mnist} sum":   0.008,
				"forebay_events_total{kind=load}":                  3,
			},
		},
		"fills and evictions": {
			[]event.Event{
				{Kind: event.Fill, Route: "mnist"},
				{Kind: event.Fill, Route: "mnist", Result: event.Failed},
				{Kind: event.Evict, Route: "mnist", Reason: event.Expired},
				{Kind: event.Evict, Reason: event.Expired},
				{Kind: event.Evict, Reason: event.Deleted},
			},
			map[string]float64{
				"forebay_fills_total{result=stored,route=mnist}": 1,
				"forebay_fills_total{result=error,route=mnist}":  1,
				"forebay_evictions_total{reason=expired}":        2,
				"forebay_evictions_total{reason=deleted}":        1,
				"forebay_events_total{kind=fill}":                2,
				"forebay_events_total{kind=evict}":               3,
			},
		},
		"a gap's count is lost": {
			[]event.Event{{Kind: event.Gap, Count: 7}, {Kind: event.Gap, Count: -1}},
			map[string]float64{"forebay_events_lost_total{}": 7, "forebay_events_total{kind=gap}": 2},
		},
		"what is unknown": {
			[]event.Event{
				{Kind: 0}, {Kind: 200}, {Kind: event.Hit, Route: "no such", Origin: 99}, {Kind: event.Evict, Reason: 99},
			},
			map[string]float64{
				"forebay_reads_total{origin=none,result=hit,route=unrouted}": 1,
				"forebay_events_total{kind=hit}":                             1,
				"forebay_events_total{kind=evict}":                           1,
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			byEvent, reg := build(t, "mnist", "other")
			byView, regView := build(t, "mnist", "other")
			for _, ev := range test.events {
				byEvent.Observe(&ev)
				byView.ObserveView(&event.View{
					Kind: ev.Kind, Origin: ev.Origin, Result: ev.Result, Reason: ev.Reason, Rows: ev.Rows, Bytes: ev.Bytes,
					Duration: ev.Duration, Count: ev.Count, Error: []byte(ev.Error), Route: []byte(ev.Route),
				})
			}
			test.want["forebay_build_info{goversion=go1.26,revision=abc,version=1.2.3}"] = 1
			equal(t, scrape(t, reg), test.want)
			equal(t, scrape(t, regView), test.want)
		})
	}
}

func equal(t *testing.T, got, want map[string]float64) {
	t.Helper()
	for name, v := range want {
		if math.Abs(got[name]-v) > 1e-9 {
			t.Errorf("%s = %v, want %v", name, got[name], v)
		}
	}
	for name, v := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%s = %v, want none", name, v)
		}
	}
}

func TestDirectCounts(t *testing.T) {
	m, reg := build(t, "mnist")
	m.Coalesced(metric.Process, 3)
	m.Coalesced(metric.Query, 63)
	m.Coalesced(metric.Fleet, -1)
	m.Coalesced(99, 1)
	m.Lost(5)
	equal(t, scrape(t, reg), map[string]float64{
		"forebay_coalesced_total{scope=process}":                          3,
		"forebay_coalesced_total{scope=query}":                            63,
		"forebay_events_lost_total{}":                                     5,
		"forebay_build_info{goversion=go1.26,revision=abc,version=1.2.3}": 1,
	})
}

func TestGauges(t *testing.T) {
	m, reg := build(t)
	n := func(v int64) func() int64 { return func() int64 { return v } }
	known := false
	g := metric.Gauges{
		NearBytes: n(1), ConnectedClients: n(2), SpoolBytes: n(3), RedisReplaced: n(6),
		RedisMemory: func() (int64, int64, bool) { return 4, 5, known },
		Backends: []metric.Backend{
			{Name: "redis", Up: func() bool { return true }}, {Name: "kafka", Up: func() bool { return false }},
		},
	}
	if err := m.RegisterGauges(g); err != nil {
		t.Fatal(err)
	}
	if err := m.RegisterGauges(g); err == nil {
		t.Error("the gauges were registered twice")
	}
	want := map[string]float64{
		"forebay_near_bytes{}": 1, "forebay_connected_clients{}": 2, "forebay_events_spool_bytes{}": 3, "forebay_redis_connections_replaced_total{}": 6,
		"forebay_backend_up{backend=redis}":                               1,
		"forebay_build_info{goversion=go1.26,revision=abc,version=1.2.3}": 1,
	}
	equal(t, scrape(t, reg), want)
	if s := m.Snapshot(); s.RedisUsed != nil || *s.Clients != 2 || !s.Backends["redis"] || s.Backends["kafka"] {
		t.Errorf("snapshot %+v", s)
	}
	known = true
	want["forebay_redis_memory_used_bytes{}"], want["forebay_redis_memory_max_bytes{}"] = 4, 5
	equal(t, scrape(t, reg), want)
}

func TestNewRefuses(t *testing.T) {
	tests := map[string]metric.Options{
		"no registerer":     {},
		"a route twice":     {Registerer: prometheus.NewRegistry(), Routes: []string{"a", "a"}},
		"the reserved name": {Registerer: prometheus.NewRegistry(), Routes: []string{"unrouted"}},
		"no name":           {Registerer: prometheus.NewRegistry(), Routes: []string{""}},
	}
	for name, o := range tests {
		if _, err := metric.New(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	reg := prometheus.NewRegistry()
	if _, err := metric.New(metric.Options{Registerer: reg}); err != nil {
		t.Error(err)
	}
	if _, err := metric.New(metric.Options{Registerer: reg}); err == nil {
		t.Error("registered twice in one registry")
	}
}

func TestObserveDoesNotAllocate(t *testing.T) {
	m, _ := build(t, "mnist")
	shard := m.Commands().Shard()
	ev := &event.Event{Kind: event.Hit, Route: "mnist", Origin: event.FromNear, Bytes: 3136}
	view := &event.View{Kind: event.Load, Route: []byte("mnist"), Rows: 3, Duration: time.Millisecond}
	if n := testing.AllocsPerRun(1000, func() {
		m.Observe(ev)
		m.ObserveView(view)
		shard.Observe(metric.Get, 30*time.Microsecond)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkObserveView(b *testing.B) {
	m, _ := build(b, "mnist", "mnist-pickled", "images")
	view := &event.View{Kind: event.Hit, Route: []byte("mnist"), Origin: event.FromNear, Bytes: 3136}
	for b.Loop() {
		m.ObserveView(view)
	}
}
