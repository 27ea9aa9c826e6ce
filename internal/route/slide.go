package route

import "time"

// A sliding TTL is at least least long when it is set: jitter shortens it.
func (r *Route) least() time.Duration { return time.Duration((1 - r.Jitter) * float64(r.TTL)) }

// SlideBelow is how much of a value's TTL must be left at most for a read to extend it: three quarters. 0: the TTL is fixed.
func (r *Route) SlideBelow() time.Duration {
	if !r.spec.Sliding {
		return 0
	}
	return max(r.least()*3/4, time.Millisecond)
}

// SlideEvery is the least time between two extensions: a quarter of the TTL.
func (r *Route) SlideEvery() time.Duration { return max(r.least()/4, time.Millisecond) }
