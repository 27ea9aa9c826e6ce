package near

import "sync/atomic"

// numWords is how many generations there are, by hash: 512 KiB of them.
const numWords = 1 << 16

// A word is a generation and, in its lower bits, how many fences are up. 24 bits count more fences than clients can have
// commands under way, 40 bits more generations than a word is raised while a value is asked for.
type word = atomic.Uint64

const (
	fenceBits  = 24
	oneFence   = uint64(1)
	generation = uint64(1) << fenceBits
)

func fenced(w uint64) bool { return w&(generation-1) != 0 }

// word is the key's own, shared with those of like hash. The upper bits of the hash choose it, the lower ones the entry's place.
func (c *Cache) word(p place) *word { return &c.words[p.hash>>(64-16)] }

// Fence begins a client's write of a key: until [Cache.Unfence] there is no hit of it and no insert. Call it before the write is sent. Fences of several
// clients add up.
func (c *Cache) Fence(db int, key []byte) {
	if c == nil {
		return
	}
	p := c.place(db, key)
	c.word(p).Add(generation + oneFence) // first: see 8 in the package's comment
	c.remove(p.id)
}

// Unfence ends a Fence: call it once for each, when the reply to the write is known or will never be.
func (c *Cache) Unfence(db int, key []byte) {
	if c == nil {
		return
	}
	c.word(c.place(db, key)).Add(generation - oneFence)
}

// FenceAll is Fence for a write whose keys are not known. Everything is dropped.
func (c *Cache) FenceAll() {
	if c == nil {
		return
	}
	c.epoch.Add(generation + oneFence)
	c.counts.flushes.Add(1)
	c.clear()
}

// UnfenceAll ends a FenceAll.
func (c *Cache) UnfenceAll() {
	if c == nil {
		return
	}
	c.epoch.Add(generation - oneFence)
}

// Drop forgets a key's value: it is known to have changed outside.
func (c *Cache) Drop(db int, key []byte) {
	if c == nil {
		return
	}
	p := c.place(db, key)
	c.word(p).Add(generation)
	c.remove(p.id)
}

// remove removes an entry. It waits for an insert of it that is under way.
//
// Most writes are of keys that are not here, and otter's Invalidate costs more than all the rest (BenchmarkGet/fence: 360 ns against 45). It is spared if
// no insert is under way and the key is absent. That misses none: whoever calls has raised a word. An insert that found its token good before that was counted in
// inserting still earlier; it is counted yet, or is done, and then its entry is seen.
func (c *Cache) remove(id uint64) {
	s := c.shelf.Load()
	if s.inserting.Load() == 0 {
		if _, ok := s.GetEntryQuietly(id); !ok {
			return
		}
	}
	if _, ok := s.Invalidate(id); ok {
		c.counts.drops.Add(1)
	}
}

// clear forgets every entry. They are worth nothing already, since the epoch was raised: this gives their memory back.
func (c *Cache) clear() {
	c.replaced.Lock()
	defer c.replaced.Unlock()
	if c.shelf.Load().entries.Load() > 0 {
		c.shelf.Store(newShelf(c))
	}
}
