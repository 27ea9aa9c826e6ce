package near

import (
	"fmt"
	"sync/atomic"
)

// stripes is how many counters of reads there are, so that clients on several cores do not wait for one cache line.
const stripes = 32

// counts are a Cache's counters.
type counts struct {
	reads [stripes]reads

	inserts, evicted, drops, flushes, lost             atomic.Uint64
	large, first, full, changed, busy, gone, untracked atomic.Uint64
}

type reads struct {
	hits, misses atomic.Uint64
	_            [48]byte // a cache line each
}

func (n *counts) of(p place) *reads { return &n.reads[p.hash%stripes] }

func (n *counts) hits() (sum uint64) {
	for i := range n.reads {
		sum += n.reads[i].hits.Load()
	}
	return sum
}

// Stats are counts since the beginning, and what is held now.
type Stats struct {
	Bytes, MaxBytes int64 // of keys, values and their upkeep; the most there may be
	Entries         int64

	Hits, Misses uint64 // of Get
	Inserts      uint64 // values kept
	Evicted      uint64 // removed since there is no room
	Drops        uint64 // removed since the key was written, changed outside, expired or found to have another value
	Flushes      uint64 // times that all were dropped
	Lost         uint64 // times that the tracking ended

	Refused Refused

	Connected bool // changes are told
	Valid     bool // values are given out now
}

// Refused counts the offers that were not kept, by reason.
type Refused struct {
	First     uint64 // the key was not offered before
	Full      uint64 // there is no room, and it was not this one's turn
	Large     uint64 // over MaxValue
	Changed   uint64 // the key was written or changed since it was asked for, or all were dropped
	Busy      uint64 // too many values wait for their TTL, or one of the same key
	Gone      uint64 // the key was gone or about to go when its TTL was asked
	Untracked uint64 // changes are not told now, or the server does not tell the TTL
}

// Stats returns the counters. They are read one after the other: sums may be off by what happens meanwhile.
func (c *Cache) Stats() Stats {
	if c == nil {
		return Stats{}
	}
	n, shelf := &c.counts, c.shelf.Load()
	s := Stats{
		Bytes: shelf.bytes.Load(), MaxBytes: c.opt.MaxBytes, Entries: shelf.entries.Load(),
		Inserts: n.inserts.Load(), Evicted: n.evicted.Load(), Drops: n.drops.Load(), Flushes: n.flushes.Load(), Lost: n.lost.Load(),
		Refused: Refused{
			First: n.first.Load(), Full: n.full.Load(), Large: n.large.Load(), Changed: n.changed.Load(),
			Busy: n.busy.Load(), Gone: n.gone.Load(), Untracked: n.untracked.Load(),
		},
		Connected: c.tracked.err() == nil,
	}
	for i := range n.reads {
		s.Hits += n.reads[i].hits.Load()
		s.Misses += n.reads[i].misses.Load()
	}
	s.Valid = s.Connected && c.valid()
	return s
}

// Err tells why nothing is given out: nil if values are.
func (c *Cache) Err() error {
	if c == nil {
		return errOff
	}
	if err := c.tracked.err(); err != nil {
		return err
	}
	if !c.valid() {
		return errSilent
	}
	return nil
}

func (c *Cache) valid() bool { return c.opt.Now() < c.until.Load() }

// Health is one line for an operator.
func (c *Cache) Health() string {
	if err := c.Err(); err != nil {
		return "off: " + err.Error()
	}
	s := c.Stats()
	return fmt.Sprintf("%d values in %.1f of %.1f MiB", s.Entries, float64(s.Bytes)/(1<<20), float64(s.MaxBytes)/(1<<20))
}
