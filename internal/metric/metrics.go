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
	Query                // "query": another key's query to the same partition
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

// Refused counts n fills that were not stored because another value or a newer write was there first, or admission
// said no. A fill that was stored or that failed is an event.
func (m *Metrics) Refused(routeName string, n int) {
	if n > 0 {
		m.route(routeName).fills[fillRefused].Add(uint64(n))
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
	if ev.Kind == 0 || ev.Kind >= kinds {
		return
	}
	m.kinds[ev.Kind].Add(1)
	switch ev.Kind {
	case event.Hit:
		m.route(ev.Route).read(resultHit, ev)
	case event.Miss:
		m.route(ev.Route).read(resultOf(ev.Result), ev)
	case event.Load:
		m.route(ev.Route).load(ev)
	case event.Fill:
		m.route(ev.Route).fill(ev)
	case event.Evict:
		m.route(ev.Route).evict(ev.Reason)
	case event.Gap:
		m.lost.Add(uint64(max(ev.Count, 0)))
	}
}

// route returns the counts of the named route, those of what is unrouted for a name that is not known.
func (m *Metrics) route(name string) *route {
	return m.routes[m.index[name]]
}
