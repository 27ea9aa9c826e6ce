package near

import (
	"math/bits"
	"sync/atomic"
)

const (
	// The doorkeeper's bits of one generation: 8 for each 64 bytes of the budget, so that it knows some times more keys than fit.
	minDoorBits, maxDoorBits = 1 << 16, 1 << 23
	// fullRounds is how many offers one is let in of, once the budget is used up.
	fullRounds = 16
	// fewHits: the budget is held by what hardly anybody reads when less than one read in so many is answered from it.
	fewHits = 32
)

// doorkeeper remembers which keys were offered before: those of the present generation of offers and of the one before.
//
// It is a Bloom filter of two hashes. A generation ends when it has as many keys as make about half of its bits set, so a key that
// was never offered passes once in four times at the worst: of a set of keys too large to be remembered, chance lets some in.
type doorkeeper struct {
	now   atomic.Uint32 // which of the two is the present one
	keys  atomic.Int64  // set in the present one
	limit int64
	mask  uint64
	bits  [2][]atomic.Uint64
	aging atomic.Bool
}

func newDoorkeeper(budget int64) *doorkeeper {
	n := min(max(budget/8, minDoorBits), maxDoorBits)
	n = 1 << bits.Len64(uint64(n-1))
	d := &doorkeeper{limit: n / 3, mask: uint64(n - 1)}
	for i := range d.bits {
		d.bits[i] = make([]atomic.Uint64, n/64)
	}
	return d
}

// seen tells whether the key was offered before, and remembers it.
func (d *doorkeeper) seen(id uint64) bool {
	now := d.now.Load() & 1
	a, b := id&d.mask, (id>>32|id<<32)*0x9e3779b97f4a7c15>>20&d.mask
	before := d.has(now^1, a) && d.has(now^1, b)
	if had := d.set(now, a); d.set(now, b) && had {
		return true
	}
	if d.keys.Add(1) > d.limit && d.aging.CompareAndSwap(false, true) {
		d.age(now)
	}
	return before
}

func (d *doorkeeper) has(gen uint32, bit uint64) bool {
	return d.bits[gen][bit/64].Load()&(1<<(bit%64)) != 0
}

func (d *doorkeeper) set(gen uint32, bit uint64) (had bool) {
	mask := uint64(1) << (bit % 64)
	w := &d.bits[gen][bit/64]
	return w.Load()&mask != 0 || w.Or(mask)&mask != 0
}

// age makes the older generation the new present one, empty. Offers at the same time may be forgotten.
func (d *doorkeeper) age(now uint32) {
	old := d.bits[now^1]
	for i := range old {
		old[i].Store(0)
	}
	d.keys.Store(0)
	d.now.Store(now ^ 1)
	d.aging.Store(false)
}

// gate lets few in while the budget is used up.
//
// Otter's policy alone keeps the right entries, but asks for each candidate: a copy and a PTTL for every read that misses. So few are
// shown to it. If what is held is hardly read any more, all are: another set of keys has come.
type gate struct {
	offers atomic.Uint64
	hits   atomic.Uint64 // at the last look
	wide   atomic.Bool
}

// open tells whether one more may be inserted.
func (g *gate) open(c *Cache) bool {
	n := g.offers.Add(1)
	if n%1024 == 0 {
		hits := c.counts.hits()
		g.wide.Store(hits-g.hits.Swap(hits) < 1024/fewHits)
	}
	const near = 16 // the budget is used up when only a sixteenth is left
	return c.shelf.Load().weight.Load() < c.opt.MaxBytes-c.opt.MaxBytes/near || g.wide.Load() || n%fullRounds == 0
}
