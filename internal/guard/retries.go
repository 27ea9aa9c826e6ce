package guard

import "sync/atomic"

const (
	retryUnit = 1000           // parts of one retry
	retryMost = 20 * retryUnit // what may be saved up
	retryHave = retryMost / 2  // what there is at the start
)

// Retries bounds retries to a share of all queries: each query earns its share of one, and each retry costs one. What is earned is saved up to 20, so that the
// first queries after a quiet time may be retried, and a source that fails all it is asked is not asked twice as much. It is safe for concurrent use.
//
// (failsafe-go's budget bounds retries under way by queries under way, which at one query at a time is none or all.)
type Retries struct {
	share int64 // of a retry that a query earns, in units
	saved atomic.Int64
	spent atomic.Int64
}

// NewRetries returns a budget for so many retries a query, 0 to 1.
func NewRetries(share float64) *Retries {
	r := &Retries{share: int64(share * retryUnit)}
	if r.share > 0 {
		r.saved.Store(retryHave)
	}
	return r
}

func (r *Retries) earn() {
	if r == nil || r.share == 0 {
		return
	}
	for {
		was := r.saved.Load()
		if was >= retryMost || r.saved.CompareAndSwap(was, min(was+r.share, retryMost)) {
			return
		}
	}
}

// Spend tells whether a query may be retried, and counts it.
func (r *Retries) Spend() bool {
	for {
		was := r.saved.Load()
		if was < retryUnit {
			return false
		}
		if r.saved.CompareAndSwap(was, was-retryUnit) {
			r.spent.Add(1)
			return true
		}
	}
}

// Spent is how many retries there were.
func (r *Retries) Spent() int64 { return r.spent.Load() }
