package metric

import "github.com/prometheus/client_golang/prometheus"

// loadDescs describe Loads.
type loadDescs struct{ limit, underWay, waiting, open, refused, retries, refusals *prometheus.Desc }

func newLoadDescs() loadDescs {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	return loadDescs{
		limit:    desc("forebay_loads_limit", "Queries to the source that may be under way at once; it follows how fast the source answers."),
		underWay: desc("forebay_loads_under_way", "Queries to the source that are under way."),
		waiting:  desc("forebay_loads_waiting", "Queries that wait for their turn."),
		open:     desc("forebay_breaker_open", "1 while the source is not asked, as most queries failed, else 0."),
		refused: desc("forebay_loads_refused_total",
			"Queries that were not sent, by reason: overloaded, too many waited; breaker, it was open.", "reason"),
		retries: desc("forebay_load_retries_total", "Queries that were asked once more, after an error of a node."),
		refusals: desc("forebay_store_refusals_total",
			"Leases and values that Redis answered with an error, by reason.", "reason"),
	}
}

func (d loadDescs) all() []*prometheus.Desc {
	return []*prometheus.Desc{d.limit, d.underWay, d.waiting, d.open, d.refused, d.retries, d.refusals}
}

func (d loadDescs) collect(ch chan<- prometheus.Metric, l Loads) {
	gauge := func(of *prometheus.Desc, n int) {
		ch <- prometheus.MustNewConstMetric(of, prometheus.GaugeValue, float64(n))
	}
	count := func(of *prometheus.Desc, n int64, labels ...string) { ch <- counter(of, uint64(max(n, 0)), labels...) }
	open := 0
	if l.Open {
		open = 1
	}
	gauge(d.limit, l.Limit)
	gauge(d.underWay, l.UnderWay)
	gauge(d.waiting, l.Waiting)
	gauge(d.open, open)
	count(d.refused, l.Overloaded, "overloaded")
	count(d.refused, l.Broken, "breaker")
	count(d.retries, l.Retries)
	for reason, n := range l.Refusals {
		count(d.refusals, n, reason)
	}
}
