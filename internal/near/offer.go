package near

import (
	"bytes"
	"slices"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"forebay/backend"
)

// maxDatabases bounds the databases of which values are kept: an invalidation is looked up in each.
const maxDatabases = 128

// Offer tells that Redis answered a client's question for a key, asked at t, with value. Call it before the client gets the reply. It keeps
// a copy, perhaps; it never waits for Redis, and allocates only if it keeps one. Whatever else is held of the key is dropped.
func (c *Cache) Offer(db int, key, value []byte, t Token) {
	if c == nil {
		return
	}
	p := c.place(db, key)
	if c.known(db, key, value, p) {
		return
	}
	if why := c.admit(db, len(key), int64(len(value)), p, t); why != nil {
		why.Add(1)
		return
	}
	c.ask(&waiting{entry: newEntry(db, key, value, t.epoch), place: p, token: t})
}

// ask asks for the TTL of a value that is to be kept.
func (c *Cache) ask(w *waiting) {
	if !c.asking.add(w) {
		c.counts.busy.Add(1)
		return
	}
	if !c.opt.Tracker.AskTTL(w.entry.db, []byte(w.entry.key), w.ticket) {
		c.asking.done(w)
		c.counts.busy.Add(1)
	}
}

// known tells whether the same value is here already or on its way. Another value of the key is dropped: see 3 in the package's comment.
func (c *Cache) known(db int, key, value []byte, p place) bool {
	if c.asking.some.Load() > 0 {
		if same, other := c.asking.find(p.id, db, key, value); same {
			return true
		} else if other {
			c.remove(p.id) // it may have been inserted just before it was voided
		}
	}
	found, ok := c.shelf.Load().GetEntryQuietly(p.id)
	if !ok {
		return false
	}
	e := found.Value
	if e.is(db, key) && e.epoch == c.epoch.Load() && c.opt.Now() < e.expires && bytes.Equal(e.value, value) {
		return true
	}
	c.remove(p.id)
	return false
}

// admit decides whether a value is to be kept: nil, or the counter of why not.
func (c *Cache) admit(db, key int, size int64, p place, t Token) *atomic.Uint64 {
	switch {
	case size > c.opt.MaxValue || size+int64(key)+entryBytes > c.opt.MaxBytes:
		return &c.counts.large
	case c.opt.Now() >= c.until.Load():
		return &c.counts.untracked
	case !c.holds(p, t):
		return &c.counts.changed
	case !c.door.seen(p.id):
		return &c.counts.first
	case !c.gate.open(c):
		return &c.counts.full
	case !c.register(db):
		return &c.counts.untracked
	}
	return nil
}

// register makes a database one in which invalidations are looked up.
func (c *Cache) register(db int) bool {
	if slices.Contains(*c.dbs.Load(), db) {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	dbs := *c.dbs.Load()
	if slices.Contains(dbs, db) {
		return true
	}
	if len(dbs) >= maxDatabases {
		return false
	}
	dbs = append(slices.Clone(dbs), db)
	c.dbs.Store(&dbs)
	return true
}

// insert takes the answer to a question of the time asked.
func (c *Cache) insert(w *waiting, asked int64, left time.Duration) {
	switch {
	case left == backend.NotTold:
		c.counts.untracked.Add(1)
		return
	case left == backend.NoExpiry || left > MaxAge:
		left = MaxAge
	case left <= time.Millisecond: // Redis counts whole milliseconds: the last may be over
		c.counts.gone.Add(1)
		return
	default:
		left -= time.Millisecond
	}
	e, s := w.entry, c.shelf.Load()
	if c.opt.Reserve != nil {
		if left -= c.opt.Reserve(e.db, []byte(e.key)); left <= 0 {
			c.counts.gone.Add(1)
			return
		}
	}
	e.expires = asked + int64(left)
	s.inserting.Add(1)
	defer s.inserting.Add(-1)
	s.Compute(w.place.id, func(old *entry, _ bool) (*entry, otter.ComputeOp) {
		if w.void.Load() || !c.holds(w.place, w.token) {
			c.counts.changed.Add(1)
			return old, otter.CancelOp
		}
		s.count(c, e, 1)
		c.counts.inserts.Add(1)
		return e, otter.WriteOp
	})
}
