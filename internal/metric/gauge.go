package metric

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// Gauges are asked for what only other parts know, at each scrape and snapshot. Each is called from any goroutine and must
// answer at once, from memory. A nil one is left out.
type Gauges struct {
	NearBytes        func() int64                      // bytes of keys and values in the near copy
	RedisMemory      func() (used, max int64, ok bool) // as INFO last said, max 0 for no bound; ok false: not known
	RedisReplaced    func() int64                      // shared connections to Redis that were found dead, since the start
	ConnectedClients func() int64                      // open client connections
	SpoolBytes       func() int64                      // bytes of events on disk that are yet to be sent
	Backends         []Backend
	Loads            func() Loads
}

// Loads are the figures of what stands in front of the source, and of what Redis refuses of it. Counts are since the start.
type Loads struct {
	Limit, UnderWay, Waiting int              // queries
	Open                     bool             // the source is not asked, as most queries failed
	Overloaded, Broken       int64            // queries refused: too many waited; the breaker was open
	Retries                  int64            // queries that were asked once more
	Refusals                 map[string]int64 // by reason: leases and values that Redis answered with an error
}

// Backend is one server, or cluster, that Forebay depends on.
type Backend struct {
	Name string // "redis", "cassandra", "kafka"
	Up   func() bool
}

// RegisterGauges adds the gauges, once, when the parts they ask exist.
func (m *Metrics) RegisterGauges(g Gauges) error {
	if !m.gauges.CompareAndSwap(nil, &g) {
		return fmt.Errorf("register gauges: they were registered before")
	}
	if err := m.reg.Register(newGaugeCollector(&g)); err != nil {
		return fmt.Errorf("register gauges: %w", err)
	}
	return nil
}

func newGaugeCollector(g *Gauges) *collector {
	near := prometheus.NewDesc("forebay_near_bytes", "Bytes of keys and values held in this process.", nil, nil)
	used := prometheus.NewDesc("forebay_redis_memory_used_bytes", "Memory that Redis uses, as its INFO last said.", nil, nil)
	limit := prometheus.NewDesc("forebay_redis_memory_max_bytes", "Redis's maxmemory, as its INFO last said; 0 is no bound.", nil, nil)
	replaced := prometheus.NewDesc("forebay_redis_connections_replaced_total", "Shared connections to Redis that went dead without a word and were replaced.", nil, nil)
	clients := prometheus.NewDesc("forebay_connected_clients", "Client connections that are open.", nil, nil)
	spool := prometheus.NewDesc("forebay_events_spool_bytes", "Bytes of events on disk that are yet to be sent.", nil, nil)
	loads := newLoadDescs()
	up := prometheus.NewDesc("forebay_backend_up", "1 if the backend answered lately, else 0.", []string{"backend"}, nil)
	return &collector{
		descs: append(loads.all(), near, used, limit, replaced, clients, spool, up),
		collect: func(ch chan<- prometheus.Metric) {
			gauge := func(d *prometheus.Desc, ask func() int64) {
				if ask != nil {
					ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(ask()))
				}
			}
			gauge(near, g.NearBytes)
			gauge(clients, g.ConnectedClients)
			gauge(spool, g.SpoolBytes)
			if g.RedisReplaced != nil {
				ch <- prometheus.MustNewConstMetric(replaced, prometheus.CounterValue, float64(g.RedisReplaced()))
			}
			if g.RedisMemory != nil {
				if u, l, ok := g.RedisMemory(); ok {
					ch <- prometheus.MustNewConstMetric(used, prometheus.GaugeValue, float64(u))
					ch <- prometheus.MustNewConstMetric(limit, prometheus.GaugeValue, float64(l))
				}
			}
			if g.Loads != nil {
				loads.collect(ch, g.Loads())
			}
			for _, b := range g.Backends {
				v := 0.0
				if b.Up() {
					v = 1
				}
				ch <- prometheus.MustNewConstMetric(up, prometheus.GaugeValue, v, b.Name)
			}
		},
	}
}

// buildInfo is the constant 1 whose labels say which binary this is.
func buildInfo(b Build) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name:        "forebay_build_info",
		Help:        "Always 1; the labels say which binary this is.",
		ConstLabels: prometheus.Labels{"version": b.Version, "revision": b.Revision, "goversion": b.GoVersion},
	}, func() float64 { return 1 })
}
