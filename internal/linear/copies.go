package linear

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Copies is what was seen of one key whose writers take turns, by clients of several processes that keep copies of it. Versions are counted by its writers,
// from 1; 0 is what was there before. What is promised of a reader in a process:
//
//  1. A version is not seen before its write begins.
//  2. It is at least that of every write through the same process that was answered before the read began.
//  3. It is at least that of every write, wherever from, that was answered the bound before the read began.
//  4. It is at least what any read through the same process gave that was answered before this one began: nobody goes back.
//
// It is safe for concurrent use.
type Copies struct {
	Bound time.Duration

	mu            sync.Mutex
	writes, reads []access
}

// access is a read or write of a version, through a process.
type access struct {
	process   int
	version   int
	call, ret int64
}

// Wrote adds a write, whose version is the next; nobody else may write between call and ret. A process below zero is none of those that are read through.
func (c *Copies) Wrote(process, version int, call, ret int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writes = append(c.writes, access{process, version, call, ret})
}

// Read adds a read.
func (c *Copies) Read(process, version int, call, ret int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reads = append(c.reads, access{process, version, call, ret})
}

// Len is how many writes and reads there are, and how many reads gave a version that was older than one written before they began.
func (c *Copies) Len() (writes, reads, old int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := floor(c.writes, func(access) bool { return true })
	for _, r := range c.reads {
		if r.version < all.before(r.call) {
			old++
		}
	}
	return len(c.writes), len(c.reads), old
}

// Check returns the reads that break the promise.
func (c *Copies) Check() (list []error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	begun := map[int]int64{0: -1}
	for _, w := range c.writes {
		begun[w.version] = w.call
	}
	everywhere := floor(c.writes, func(access) bool { return true })
	own, seen := map[int]levels{}, map[int]levels{}
	for _, r := range c.reads {
		if _, ok := own[r.process]; !ok {
			here := func(a access) bool { return a.process == r.process }
			own[r.process], seen[r.process] = floor(c.writes, here), floor(c.reads, here)
		}
		var why string
		at, known := begun[r.version]
		switch {
		case !known || at > r.ret:
			why = "which nobody had begun to write"
		case r.version < own[r.process].before(r.call):
			why = fmt.Sprintf("after %d was written through the same process", own[r.process].before(r.call))
		case r.version < everywhere.before(r.call-int64(c.Bound)):
			why = fmt.Sprintf("over %v after %d was written", c.Bound, everywhere.before(r.call-int64(c.Bound)))
		case r.version < seen[r.process].before(r.call):
			why = fmt.Sprintf("after %d was read through the same process", seen[r.process].before(r.call))
		default:
			continue
		}
		list = append(list, fmt.Errorf("read of process %d, %.3f to %.3f ms, gave version %d, %s",
			r.process, float64(r.call)/1e6, float64(r.ret)/1e6, r.version, why))
	}
	return list
}

// levels are accesses by the time of their answers, each with the highest version so far.
type levels []access

func floor(list []access, which func(access) bool) (l levels) {
	for _, a := range list {
		if which(a) {
			l = append(l, a)
		}
	}
	slices.SortFunc(l, func(a, b access) int { return cmp.Compare(a.ret, b.ret) })
	for i := 1; i < len(l); i++ {
		l[i].version = max(l[i].version, l[i-1].version)
	}
	return l
}

// before returns the highest version that was answered before a time, 0 if there is none.
func (l levels) before(t int64) int {
	i, _ := slices.BinarySearchFunc(l, t, func(a access, t int64) int { return cmp.Compare(a.ret, t) })
	if i == 0 {
		return 0
	}
	return l[i-1].version
}
