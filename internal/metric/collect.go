package metric

import (
	"github.com/prometheus/client_golang/prometheus"

	"forebay/internal/event"
)

// The words of the labels that package event does not have, by the index of their counter.
var (
	resultLabels = [results]string{"hit", "loaded", "absent", "error", "unrouted", "stale"}
	loadLabels   = [loadResults]string{"loaded", "absent", "error"}
	fillLabels   = [fillResults]string{"stored", "error"}
)

// originLabel is never empty: to Prometheus an empty label is none.
func originLabel(o event.Origin) string {
	if o == event.NoOrigin {
		return "none"
	}
	return o.String()
}

// collector gives Prometheus the counts when it asks.
type collector struct {
	descs   []*prometheus.Desc
	collect func(chan<- prometheus.Metric)
}

func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		ch <- d
	}
}

func (c *collector) Collect(ch chan<- prometheus.Metric) { c.collect(ch) }

// counter makes one sample of a counter.
func counter(d *prometheus.Desc, n uint64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
}

// durations makes one sample of a histogram in seconds.
func durations(d *prometheus.Desc, v *distribution, labels ...string) prometheus.Metric {
	count, le := v.cumulative()
	return prometheus.MustNewConstHistogram(d, count, float64(v.sum)/1e9, le, labels...)
}

func newCommandCollector(m *Metrics) *collector {
	requests := prometheus.NewDesc("forebay_requests_total",
		"Commands answered, by name; all but the most common are other.", []string{"cmd"}, nil)
	duration := prometheus.NewDesc("forebay_request_duration_seconds",
		"Time from a command's arrival to its reply being ready, by name.", []string{"cmd"}, nil)
	return &collector{
		descs: []*prometheus.Desc{requests, duration},
		collect: func(ch chan<- prometheus.Metric) {
			all := m.commands.sum()
			for i := range all {
				n := uint64(0)
				for _, c := range all[i].counts {
					n += c
				}
				name := CommandID(i).String()
				ch <- counter(requests, n, name)
				ch <- durations(duration, &all[i], name)
			}
		},
	}
}

func newRouteCollector(m *Metrics) *collector {
	reads := prometheus.NewDesc("forebay_reads_total",
		"Keys read, by route, result (hit, or how the miss ended) and where the value came from.",
		[]string{"route", "result", "origin"}, nil)
	loads := prometheus.NewDesc("forebay_loads_total",
		"Queries to the source, by route and result; one query may load many keys.", []string{"route", "result"}, nil)
	loadTime := prometheus.NewDesc("forebay_load_duration_seconds",
		"Time of a query to the source, by route, failed ones included.", []string{"route"}, nil)
	fills := prometheus.NewDesc("forebay_fills_total",
		"Loaded values offered to Redis, by route and result.",
		[]string{"route", "result"}, nil)
	evictions := prometheus.NewDesc("forebay_evictions_total",
		"Keys that left the cache, by reason.", []string{"reason"}, nil)
	return &collector{
		descs: []*prometheus.Desc{reads, loads, loadTime, fills, evictions},
		collect: func(ch chan<- prometheus.Metric) {
			var gone [event.Deleted + 1]uint64
			for i, r := range m.routes {
				collectReads(ch, reads, r, i > 0)
				for j := range gone {
					gone[j] += r.evictions[j].Load()
				}
				if i == 0 {
					continue // what is unrouted is neither loaded nor filled
				}
				collectLoads(ch, loads, fills, r)
				var d distribution
				d.add(&r.loadTime)
				ch <- durations(loadTime, &d, r.name)
			}
			for reason := event.Expired; reason <= event.Deleted; reason++ {
				ch <- counter(evictions, gone[reason], reason.String())
			}
		},
	}
}

// collectReads shows the usual combinations always, so that a rate over them has a start at zero, and any other
// once it was seen.
func collectReads(ch chan<- prometheus.Metric, d *prometheus.Desc, r *route, routed bool) {
	for result := range r.reads {
		for origin := range r.reads[result] {
			n := r.reads[result][origin].Load()
			if n > 0 || usual(result, event.Origin(origin), routed) {
				ch <- counter(d, n, r.name, resultLabels[result], originLabel(event.Origin(origin)))
			}
		}
	}
}

func usual(result int, origin event.Origin, routed bool) bool {
	switch result {
	case resultHit:
		return origin == event.FromRedis || routed && origin == event.FromNear
	case resultLoaded:
		return routed && origin == event.FromSource
	case resultUnrouted:
		return !routed && origin == event.NoOrigin
	default:
		return false
	}
}

func collectLoads(ch chan<- prometheus.Metric, loads, fills *prometheus.Desc, r *route) {
	for i := range r.loads {
		ch <- counter(loads, r.loads[i].Load(), r.name, loadLabels[i])
	}
	for i := range r.fills {
		ch <- counter(fills, r.fills[i].Load(), r.name, fillLabels[i])
	}
}

func newEventCollector(m *Metrics) *collector {
	events := prometheus.NewDesc("forebay_events_total",
		"Events recorded, by kind, whether or not they were published yet.", []string{"kind"}, nil)
	lost := prometheus.NewDesc("forebay_events_lost_total",
		"Events that reach no consumer: dropped for want of room, or missed upstream as its counters show.", nil, nil)
	coalesced := prometheus.NewDesc("forebay_coalesced_total",
		"Keys that needed no query of their own: they joined a load of the process, or of another process, or went with another key's query.",
		[]string{"scope"}, nil)
	return &collector{
		descs: []*prometheus.Desc{events, lost, coalesced},
		collect: func(ch chan<- prometheus.Metric) {
			for _, k := range event.Kinds() {
				ch <- counter(events, m.kinds[k].Load(), k.String())
			}
			ch <- counter(lost, m.lost.Load())
			for s := range m.coalesced {
				ch <- counter(coalesced, m.coalesced[s].Load(), Scope(s).String())
			}
		},
	}
}
