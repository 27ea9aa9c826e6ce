package metric

import (
	"context"
	"sync"
	"time"
)

// Point is what one route did in one second.
type Point struct {
	Time      time.Time `json:"time"`
	Hits      uint64    `json:"hits"`
	Misses    uint64    `json:"misses"`
	Loads     uint64    `json:"loads"`
	Evictions uint64    `json:"evictions"`
	Bytes     uint64    `json:"bytes"`
}

// Series is the recent past of one route, oldest first.
type Series struct {
	Route  string  `json:"route"`
	Points []Point `json:"points"`
}

const (
	sampleEvery = time.Second
	longWindow  = 10 // samples
	kept        = 61 // samples, for a minute of points
)

// past keeps the totals of the last minute. [0] of totals is the sum of all routes, then the routes as in Metrics.routes.
type past struct {
	mu      sync.Mutex
	samples []sample // oldest first, at most kept
}

type sample struct {
	time   time.Time
	totals []Totals
}

// Run takes a sample every second, from which rates and the past are made, until ctx ends. Without it rates are zero.
func (m *Metrics) Run(ctx context.Context) {
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	m.sample()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			m.sample()
		}
	}
}

func (m *Metrics) sample() {
	s := sample{time: time.Now(), totals: m.totals()}
	m.past.mu.Lock()
	defer m.past.mu.Unlock()
	if len(m.past.samples) == kept {
		copy(m.past.samples, m.past.samples[1:])
		m.past.samples = m.past.samples[:kept-1]
	}
	m.past.samples = append(m.past.samples, s)
}

// rates returns the rates over the last n samples, or over as many as there are; nil before there are two.
func (p *past) rates(n int) []Rates {
	last := len(p.samples) - 1
	if last < 1 {
		return nil
	}
	from, to := p.samples[max(last-n, 0)], p.samples[last]
	seconds := to.time.Sub(from.time).Seconds()
	if seconds <= 0 {
		return make([]Rates, len(to.totals))
	}
	rates := make([]Rates, len(to.totals))
	for i, t := range to.totals {
		pt := difference(from.totals[i], t)
		rates[i] = Rates{
			Hits: float64(pt.Hits) / seconds, Misses: float64(pt.Misses) / seconds, Loads: float64(pt.Loads) / seconds,
			Evictions: float64(pt.Evictions) / seconds, Bytes: float64(pt.Bytes) / seconds,
			HitRatio: ratio(float64(pt.Hits), float64(pt.Misses)),
		}
	}
	return rates
}

// difference is what happened between two samples.
func difference(from, to Totals) Point {
	return Point{
		Hits: to.Hits - from.Hits, Misses: to.Misses - from.Misses, Loads: to.Loads - from.Loads,
		Evictions: to.Evictions - from.Evictions, Bytes: to.Bytes - from.Bytes,
	}
}

// History returns the last minute, second by second: the sum of all routes under the name "", then the routes in the order of
// Snapshot.Routes.
func (m *Metrics) History() []Series {
	m.past.mu.Lock()
	defer m.past.mu.Unlock()
	series := func(i int, name string) Series {
		s := Series{Route: name, Points: []Point{}}
		for j := 1; j < len(m.past.samples); j++ {
			p := difference(m.past.samples[j-1].totals[i], m.past.samples[j].totals[i])
			p.Time = m.past.samples[j].time
			s.Points = append(s.Points, p)
		}
		return s
	}
	all := []Series{series(0, "")}
	for i, r := range m.routes[1:] {
		all = append(all, series(i+2, r.name))
	}
	return append(all, series(1, UnroutedLabel))
}
