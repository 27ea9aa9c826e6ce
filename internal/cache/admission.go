package cache

import "sync"

// admits tells whether Redis may be given a value of so many bytes. What it may not is served all the same; see Options.Admit.
func (e *Engine) admits(bytes int) bool { return e.opts.Admit == nil || e.opts.Admit(bytes) }

// Gate is stable admission: it stops fills while Redis is nearly full, instead of having Redis evict for them.
//
// An epoch reads each of its keys once. If they do not all fit, a cache that evicts the oldest evicts each just before it is read again: with
// half of them in it, it hits none in order, and 15 in 100 shuffled. One that keeps what it has hits one half, and none can do better.
//
// Redis is asked for its memory now and then. Between two answers the Gate adds what it admits itself; what others write shows in the next
// one. It closes at the share of the most that Redis may use, and opens when reopen less is used: values expire, or are given back.
type Gate struct {
	share  float64
	budget int64

	mu       sync.Mutex
	used     int64 // as Redis last said
	most     int64 // 0: nothing is known, or there is no bound
	admitted int64 // since then
	closed   bool
}

const (
	// reopen is how much of Redis's memory must become free, in parts of it, before a closed Gate opens: else it would open for each value that goes.
	reopen = 0.01
	// entryBytes is what a key costs in Redis beside its value, about: the key, the dictionary's entry, the TTL's, and the mark of the fill.
	entryBytes = 160
)

// NewGate returns a Gate that closes when Redis uses this share (above 0, at most 1) of its maxmemory, or of budget, in bytes, if that is above zero
// and lower. It is open until Told.
func NewGate(share float64, budget int64) *Gate { return &Gate{share: share, budget: budget} }

// Mark returns what was admitted up to now, for Told. Call it before Redis is asked.
func (g *Gate) Mark() (admitted int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.admitted
}

// Told takes what Redis said of its memory: the bytes used, and the most it may use (0: no bound). mark is what Mark returned before.
func (g *Gate) Told(used, most, mark int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.budget > 0 && (most == 0 || g.budget < most) {
		most = g.budget
	}
	g.used, g.most = used, most
	g.admitted -= mark
	g.judge()
}

// Admit is for Options.Admit.
func (g *Gate) Admit(bytes int) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	if bytes > 0 {
		g.admitted += int64(bytes) + int64(bytes)/8 + entryBytes // an allocator's classes are an eighth apart, or less
		g.judge()
	}
	return true
}

// judge closes or opens. The lock is held.
func (g *Gate) judge() {
	used := float64(g.used + g.admitted)
	high := g.share * float64(g.most)
	switch {
	case g.most == 0:
		g.closed = false
	case used >= high:
		g.closed = true
	case used < high-reopen*float64(g.most):
		g.closed = false
	}
}
