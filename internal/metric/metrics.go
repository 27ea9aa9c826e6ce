package metric

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"forebay/internal/event"
)

// UnroutedLabel is the route label of what matches no configured route. No route may have this name.
const UnroutedLabel = "unrouted"

// Options says what is to be counted.
type Options struct {
	Registerer prometheus.Registerer // required
	Routes     []string              // names of the configured routes, each once
	Build      Build
}

// Build is what forebay_build_info says about the binary.
type Build struct {
	Version, Revision, GoVersion string
}

// Metrics holds every count of one process. It is safe for concurrent use.
type Metrics struct {
	commands *Commands
	routes   []*route       // [0] is what is unrouted, then Options.Routes in their order
	index    map[string]int // never written after New

	kinds     [kinds]atomic.Uint64
	lost      atomic.Uint64
	coalesced [scopes]atomic.Uint64

	start  time.Time
	reg    prometheus.Registerer
	gauges atomic.Pointer[Gauges]
	past   past
}

// New makes the counts and registers them, with the Go and process collectors. An error names what cannot be registered.
func New(o Options) (*Metrics, error) {
	if o.Registerer == nil {
		return nil, errors.New("register metrics: no registerer")
	}
	m := &Metrics{
		commands: newCommands(),
		routes:   []*route{newRoute(UnroutedLabel)},
		index:    map[string]int{"": 0},
		start:    time.Now(),
		reg:      o.Registerer,
	}
	for _, name := range o.Routes {
		if _, dup := m.index[name]; dup || name == UnroutedLabel {
			return nil, fmt.Errorf("register metrics: route name %q is reserved or given twice", name)
		}
		m.index[name] = len(m.routes)
		m.routes = append(m.routes, newRoute(name))
	}
	for _, c := range []prometheus.Collector{
		newCommandCollector(m), newRouteCollector(m), newEventCollector(m), buildInfo(o.Build),
	} {
		if err := m.reg.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	// A registry may come with these two, as the default one does.
	for _, c := range []prometheus.Collector{
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	} {
		var already prometheus.AlreadyRegisteredError
		if err := m.reg.Register(c); err != nil && !errors.As(err, &already) {
			return nil, fmt.Errorf("register runtime metrics: %w", err)
		}
	}
	return m, nil
}

// Commands returns the counts of commands, from which each connection takes a [Shard].
func (m *Metrics) Commands() *Commands { return m.commands }

// Scope says where a read found another already under way for what it wants, and joined it.
type Scope uint8

// The scopes, as the scope label shows them.
const (
	Process Scope = iota // "process": a flight of the same key in this process
	Fleet                // "fleet": a lease held by another process
	Query                // "query": another key's query of the same partition
	scopes               // one past the last
)

// String returns the scope as the label shows it.
func (s Scope) String() string {
	switch s {
	case Process:
		return "process"
	case Fleet:
		return "fleet"
	case Query:
		return "query"
	default:
		return "unknown"
	}
}

// Coalesced counts n reads that needed no query of their own.
func (m *Metrics) Coalesced(s Scope, n int) {
	if s < scopes && n > 0 {
		m.coalesced[s].Add(uint64(n))
	}
}

// Lost counts n events that will reach no consumer and that no gap event declares (a gap's own count is taken by
// [Metrics.Observe]).
func (m *Metrics) Lost(n int) {
	if n > 0 {
		m.lost.Add(uint64(n))
	}
}

// Observe counts one event. It keeps nothing of ev and does not allocate: about 30 ns.
//
//   - hit, miss: one read of a key, or Count reads if that is set (a summary)
//   - load: one query; its result is error if it failed, absent if it gave no row, else loaded
//   - fill: stored, or error
//   - evict: one eviction by reason
//   - gap: Count lost events
//
// A route that is not configured counts as unrouted; a kind that is not known is not counted.
func (m *Metrics) Observe(ev *event.Event) {
	m.count(m.routes[m.index[ev.Route]], facts{
		kind: ev.Kind, origin: ev.Origin, result: ev.Result, reason: ev.Reason, failed: ev.Error != "",
		bytes: ev.Bytes, rows: ev.Rows, count: ev.Count, duration: ev.Duration,
	})
}

// ObserveView is [Metrics.Observe] for an event on its way through the pipeline: give it as event.Options.Observe.
func (m *Metrics) ObserveView(v *event.View) {
	m.count(m.routes[m.index[string(v.Route)]], facts{
		kind: v.Kind, origin: v.Origin, result: v.Result, reason: v.Reason, failed: len(v.Error) > 0,
		bytes: v.Bytes, rows: v.Rows, count: v.Count, duration: v.Duration,
	})
}

// facts are what is counted of an event.
type facts struct {
	kind     event.Kind
	origin   event.Origin
	result   event.Result
	reason   event.Reason
	failed   bool // it carries an error
	rows     int
	bytes    int64
	count    int64
	duration time.Duration
}

func (m *Metrics) count(r *route, f facts) {
	if f.kind == 0 || f.kind >= kinds {
		return
	}
	m.kinds[f.kind].Add(1)
	switch f.kind {
	case event.Hit:
		if f.result == event.Stale {
			r.read(resultStale, f)
			return
		}
		r.read(resultHit, f)
	case event.Miss:
		r.read(resultOf(f.result), f)
	case event.Load:
		r.load(f)
	case event.Fill:
		r.fill(f)
	case event.Evict:
		r.evict(f.reason)
	case event.Gap:
		m.lost.Add(uint64(max(f.count, 0)))
	}
}
