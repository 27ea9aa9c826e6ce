package metric

import (
	"runtime"
	"sync/atomic"
	"time"
)

// Commands counts commands and how long they took, by name. It is safe for concurrent use.
type Commands struct {
	shards []*Shard
	next   atomic.Uint32
}

// Shard is one part of the counts of [Commands]. It is safe for concurrent use; it is fast where few goroutines that run at
// the same time share one.
type Shard struct {
	times [commands]histogram
	_     [64]byte // keeps the neighbour's first counters off the last cache line
}

// newCommands makes twice as many shards as goroutines can run at once. The number does not grow with the
// connections: a shard is 3 KB, half of what an idle connection may cost.
func newCommands() *Commands {
	c := &Commands{shards: make([]*Shard, 2*runtime.GOMAXPROCS(0))}
	for i := range c.shards {
		c.shards[i] = new(Shard)
	}
	return c
}

// Shard returns the shard that a goroutine (or a connection) is to use for all of its life. Shards are handed out in turn
// and need not be given back.
func (c *Commands) Shard() *Shard {
	return c.shards[int(c.next.Add(1))%len(c.shards)]
}

// Observe counts one command and the time from its arrival to its reply: two atomic adds.
func (s *Shard) Observe(cmd CommandID, d time.Duration) {
	if cmd >= commands {
		cmd = Other
	}
	s.times[cmd].observe(d)
}

// sum adds up the shards.
func (c *Commands) sum() (all [commands]distribution) {
	for _, s := range c.shards {
		for i := range s.times {
			all[i].add(&s.times[i])
		}
	}
	return all
}

// total returns the number of all commands.
func (c *Commands) total() (n uint64) {
	for _, s := range c.shards {
		for i := range s.times {
			for j := range s.times[i].counts {
				n += s.times[i].counts[j].Load()
			}
		}
	}
	return n
}
