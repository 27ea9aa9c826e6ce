package metric

import (
	"sync/atomic"

	"forebay/internal/event"
)

// kinds is one past the last event kind.
const kinds = event.End + 1

// The values of the labels, by the index of their counter.
const (
	resultHit = iota
	resultLoaded
	resultAbsent
	resultError
	resultUnrouted
	resultStale // a hit all the same
	results
)

const (
	loadLoaded = iota
	loadAbsent
	loadError
	loadResults
)

const (
	fillStored = iota
	fillError
	fillResults
)

const origins = event.FromSource + 1

// route holds the counts of one route.
type route struct {
	name      string
	reads     [results][origins]atomic.Uint64
	bytes     atomic.Uint64 // of values given to clients
	loads     [loadResults]atomic.Uint64
	loadTime  histogram
	rows      atomic.Uint64 // rows that loads gave
	fills     [fillResults]atomic.Uint64
	evictions [event.Deleted + 1]atomic.Uint64 // [0] is never shown: an eviction has a reason
}

func newRoute(name string) *route { return &route{name: name} }

// read counts a hit or miss. A summary carries the number of reads and the sum of their sizes.
func (r *route) read(result int, f facts) {
	origin := f.origin
	if origin >= origins {
		origin = event.NoOrigin
	}
	r.reads[result][origin].Add(uint64(max(f.count, 1)))
	if f.bytes > 0 {
		r.bytes.Add(uint64(f.bytes))
	}
}

func (r *route) load(f facts) {
	result := loadLoaded
	switch {
	case f.result == event.Failed || f.failed:
		result = loadError
	case f.rows == 0:
		result = loadAbsent
	}
	r.loads[result].Add(1)
	r.rows.Add(uint64(max(f.rows, 0)))
	r.loadTime.observe(f.duration)
}

func (r *route) fill(f facts) {
	result := fillStored
	if f.result == event.Failed || f.failed {
		result = fillError
	}
	r.fills[result].Add(uint64(max(f.count, 1)))
}

func (r *route) evict(reason event.Reason) {
	if reason < event.Reason(len(r.evictions)) {
		r.evictions[reason].Add(1)
	}
}

// resultOf is the index of a miss's result. A miss without one is taken for a failed one, so that it is seen.
func resultOf(r event.Result) int {
	switch r {
	case event.Loaded:
		return resultLoaded
	case event.Absent:
		return resultAbsent
	case event.Unrouted:
		return resultUnrouted
	default:
		return resultError
	}
}
