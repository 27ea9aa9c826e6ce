package route

import (
	"fmt"
	"time"
)

// A value of a route with any of Spec.RefreshAhead, StaleWhileRevalidate and StaleIfError is kept in Redis for its TTL and the longer of the two stale times, the
// window, and passes through four ages, told by what is left of that:
//
//	|──────────── fresh ────────────|── aging ──|── stale ──|── overdue ──|
//	stored            RefreshAhead before ┘     └ its TTL   └ StaleWhileRevalidate on

// Age is how old a value is that Redis holds. The zero Age is Fresh.
type Age uint8

// The ages.
const (
	Fresh   Age = iota // as good as loaded; so is each value of a route without ages, and each that a client has written
	Aging              // the same, and to be loaded anew before long
	Stale              // too old, and served for the time being
	Overdue            // too old to be served while the source can be asked
)

// Ages tells whether the age of this route's values matters.
func (r *Route) Ages() bool {
	return r.spec.RefreshAhead > 0 || r.spec.StaleWhileRevalidate > 0 || r.spec.StaleIfError > 0
}

// Window is how long a value is kept in Redis beyond its TTL.
func (r *Route) Window() time.Duration { return max(r.spec.StaleWhileRevalidate, r.spec.StaleIfError) }

// Age is the age of a value of which Redis says that it has so much left; negative: no end, which nothing has that Forebay has stored.
func (r *Route) Age(left time.Duration) Age {
	window := r.Window()
	switch {
	case left < 0 || left > window+r.spec.RefreshAhead:
		return Fresh
	case left > window:
		return Aging
	case left > r.OverdueBelow():
		return Stale
	default:
		return Overdue
	}
}

// DueBelow is how much a value has left at most that is to be refreshed, and OverdueBelow one that is to be loaded first; below zero: none is.
func (r *Route) DueBelow() time.Duration { return r.Window() + r.spec.RefreshAhead }

// OverdueBelow is for Overdue what DueBelow is for all but Fresh.
func (r *Route) OverdueBelow() time.Duration {
	if r.spec.StaleIfError <= r.spec.StaleWhileRevalidate {
		return -1
	}
	return r.Window() - r.spec.StaleWhileRevalidate
}

// RefreshEvery is the least time between two attempts of one process to refresh a value.
func (r *Route) RefreshEvery() time.Duration {
	return min(max((r.DueBelow()-max(r.OverdueBelow(), 0))/4, 10*time.Millisecond), 5*time.Second)
}

// Reserve is the part of a value's TTL in Redis in which its reads are to go there: to be extended, or refreshed, in time.
func (r *Route) Reserve() time.Duration {
	if r.Ages() {
		return r.DueBelow()
	}
	return r.SlideBelow()
}

// Stamps tells whether it matters that a value is Forebay's own: where its age does, or it slides.
func (r *Route) Stamps() bool { return r.Ages() || r.spec.Sliding }

// checkAges checks the fields that give a route ages.
func (s *Spec) checkAges() (problems []error) {
	bad := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	for _, f := range []struct {
		name string
		d    time.Duration
	}{{"refresh_ahead", s.RefreshAhead}, {"stale_while_revalidate", s.StaleWhileRevalidate}, {"stale_if_error", s.StaleIfError}} {
		switch {
		case f.d < 0:
			bad("%s: %v is below 0", f.name, f.d)
		case f.d > 0 && s.Sliding:
			bad("%s: has no meaning with sliding, by which reads extend the TTL; give one or the other", f.name)
		case f.d > 0 && s.Object != nil:
			bad("%s: is for routes of rows: an object is loaded anew when its TTL is over", f.name)
		}
	}
	if least := time.Duration((1 - s.Jitter) * float64(s.TTL)); s.RefreshAhead > 0 && s.RefreshAhead >= least {
		bad("refresh_ahead: %v is not below %v, the shortest TTL that jitter leaves: every hit would refresh", s.RefreshAhead, least)
	}
	return problems
}
