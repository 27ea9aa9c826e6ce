package metric

import (
	"time"

	"forebay/internal/event"
)

// Totals are counts since the process started.
type Totals struct {
	Hits      uint64 `json:"hits"`
	NearHits  uint64 `json:"near_hits"` // those of Hits that were answered from this process's memory
	Misses    uint64 `json:"misses"`    // of any result
	Errors    uint64 `json:"errors"`    // those of Misses that ended in an error
	Loads     uint64 `json:"loads"`     // queries to the source
	Rows      uint64 `json:"rows"`      // rows they gave
	Fills     uint64 `json:"fills"`     // values stored in Redis
	Evictions uint64 `json:"evictions"` // for any reason
	Bytes     uint64 `json:"bytes"`     // of values given to clients
}

// Rates are counts a second over a window. HitRatio is hits by reads, nil where nothing was read.
type Rates struct {
	Hits      float64  `json:"hits"`
	Misses    float64  `json:"misses"`
	Loads     float64  `json:"loads"`
	Evictions float64  `json:"evictions"`
	Bytes     float64  `json:"bytes"`
	HitRatio  *float64 `json:"hit_ratio"`
}

// RouteStats are the counts and rates of one route.
type RouteStats struct {
	Route    string   `json:"route"`
	Total    Totals   `json:"total"`
	HitRatio *float64 `json:"hit_ratio"` // since the start; nil where nothing was read
	Last1s   Rates    `json:"last_1s"`
	Last10s  Rates    `json:"last_10s"`
}

// Snapshot is what the statistics page shows. It shares nothing with the counts.
type Snapshot struct {
	Time          time.Time       `json:"time"`
	UptimeSeconds float64         `json:"uptime_seconds"`
	All           RouteStats      `json:"all"`    // the sum over the routes, and what is unrouted
	Routes        []RouteStats    `json:"routes"` // in the order of the configuration, then what is unrouted
	Requests      uint64          `json:"requests"`
	EventsLost    uint64          `json:"events_lost"`
	Coalesced     uint64          `json:"coalesced"`
	Clients       *int64          `json:"clients,omitempty"`
	NearBytes     *int64          `json:"near_bytes,omitempty"`
	SpoolBytes    *int64          `json:"spool_bytes,omitempty"`
	RedisUsed     *int64          `json:"redis_memory_used_bytes,omitempty"`
	RedisMax      *int64          `json:"redis_memory_max_bytes,omitempty"`
	Backends      map[string]bool `json:"backends,omitempty"`
}

// totals returns the sum over all routes, then each of them.
func (m *Metrics) totals() []Totals {
	all := make([]Totals, len(m.routes)+1)
	for i, r := range m.routes {
		t := r.totals()
		all[i+1] = t
		all[0] = all[0].plus(t)
	}
	return all
}

func (r *route) totals() (t Totals) {
	for result := range r.reads {
		for origin := range r.reads[result] {
			n := r.reads[result][origin].Load()
			switch result {
			case resultHit, resultStale:
				t.Hits += n
				if event.Origin(origin) == event.FromNear {
					t.NearHits += n
				}
			case resultError:
				t.Errors += n
				t.Misses += n
			default:
				t.Misses += n
			}
		}
	}
	for i := range r.loads {
		t.Loads += r.loads[i].Load()
	}
	for i := range r.evictions {
		t.Evictions += r.evictions[i].Load()
	}
	t.Rows, t.Fills, t.Bytes = r.rows.Load(), r.fills[fillStored].Load(), r.bytes.Load()
	return t
}

func (t Totals) plus(u Totals) Totals {
	return Totals{
		Hits: t.Hits + u.Hits, NearHits: t.NearHits + u.NearHits, Misses: t.Misses + u.Misses, Errors: t.Errors + u.Errors,
		Loads: t.Loads + u.Loads, Rows: t.Rows + u.Rows, Fills: t.Fills + u.Fills,
		Evictions: t.Evictions + u.Evictions, Bytes: t.Bytes + u.Bytes,
	}
}

func (t Totals) ratio() *float64 { return ratio(float64(t.Hits), float64(t.Misses)) }

func ratio(hits, misses float64) *float64 {
	if hits+misses == 0 {
		return nil
	}
	r := hits / (hits + misses)
	return &r
}

// Snapshot returns the counts of now and the rates as of the last sample. It costs microseconds and may be called by anyone.
func (m *Metrics) Snapshot() Snapshot {
	now, totals := time.Now(), m.totals()
	s := Snapshot{
		Time: now, UptimeSeconds: now.Sub(m.start).Seconds(),
		Requests: m.commands.total(), EventsLost: m.lost.Load(),
	}
	for i := range m.coalesced {
		s.Coalesced += m.coalesced[i].Load()
	}
	m.past.mu.Lock()
	short, long := m.past.rates(1), m.past.rates(longWindow)
	m.past.mu.Unlock()
	stats := func(i int, name string) RouteStats {
		r := RouteStats{Route: name, Total: totals[i], HitRatio: totals[i].ratio()}
		if short != nil {
			r.Last1s, r.Last10s = short[i], long[i]
		}
		return r
	}
	s.All = stats(0, "")
	for i, r := range m.routes[1:] {
		s.Routes = append(s.Routes, stats(i+2, r.name))
	}
	s.Routes = append(s.Routes, stats(1, UnroutedLabel))
	m.gauges.Load().snapshot(&s)
	return s
}

// snapshot asks the gauges; a nil receiver has none.
func (g *Gauges) snapshot(s *Snapshot) {
	if g == nil {
		return
	}
	ask := func(f func() int64) *int64 {
		if f == nil {
			return nil
		}
		v := f()
		return &v
	}
	s.Clients, s.NearBytes, s.SpoolBytes = ask(g.ConnectedClients), ask(g.NearBytes), ask(g.SpoolBytes)
	if g.RedisMemory != nil {
		if used, limit, ok := g.RedisMemory(); ok {
			s.RedisUsed, s.RedisMax = &used, &limit
		}
	}
	for _, b := range g.Backends {
		if s.Backends == nil {
			s.Backends = make(map[string]bool, len(g.Backends))
		}
		s.Backends[b.Name] = b.Up()
	}
}
