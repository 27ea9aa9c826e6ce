package leasemodel

import (
	"cmp"
	"hash/maphash"
	"slices"
)

// canonical returns a state that differs from s only in what its processes, loads and names are called, and in which of several alike is which: the same for
// most of those that are the same but for that, and its hash.
//
//go:norace
func (x *steps) canonical(s *state) (state, uint64) {
	a := *s
	if x.reduces {
		a.reduce()
	}
	b := a
	b.swap()
	a.order()
	b.order()
	ha, hb := maphash.Comparable(x.seed, a), maphash.Comparable(x.seed, b)
	if ha <= hb {
		return a, ha
	}
	return b, hb
}

// swap gives the two processes each other's places.
//
//go:norace
func (s *state) swap() {
	for i := range s.readers {
		if r := &s.readers[i]; r.phase == rMissed || r.phase == rWaiting {
			r.proxy = 1 - r.proxy
		}
	}
	for i := range s.writers {
		if w := &s.writers[i]; w.phase > wDrop && w.phase < wDone {
			w.proxy = 1 - w.proxy
		}
	}
	for i := range s.loads {
		if l := &s.loads[i]; l.phase != lNone && !(l.dead || l.ended) {
			l.proxy = 1 - l.proxy
		}
	}
}

// order sorts what is alike and numbers the names as they come.
//
//go:norace
func (s *state) order() {
	var ids, place [maxLoads]uint8
	var keys [maxLoads]uint64
	for i := range s.loads {
		ids[i], keys[i] = uint8(i), s.loads[i].key()
	}
	slices.SortStableFunc(ids[:], func(a, b uint8) int { return cmp.Compare(keys[b], keys[a]) })
	old := s.loads
	for to, from := range ids {
		s.loads[to] = old[from]
		place[from] = uint8(to)
	}
	for i := range s.readers {
		if r := &s.readers[i]; r.load > 0 {
			r.load = place[r.load-1] + 1
		}
	}
	for i := range s.writers {
		if w := &s.writers[i]; w.load > 0 {
			w.load = place[w.load-1] + 1
		}
	}
	slices.SortFunc(s.readers[:], func(a, b reader) int { return cmp.Compare(a.key(), b.key()) })
	slices.SortFunc(s.writers[:], func(a, b writer) int { return cmp.Compare(a.key(), b.key()) })
	var number [1 << 8]Name
	number[theOneName] = theOneName
	next := Name(0)
	s.eachName(func(n *Name) {
		if *n == 0 {
			return
		}
		if number[*n] == 0 {
			next++
			number[*n] = next
		}
		*n = number[*n]
	})
}

// key orders loads by all but names: whatever is nobody's comes last.
//
//go:norace
func (l *load) key() uint64 {
	k := uint64(0)
	for i, flag := range [...]bool{l.dead, l.inTable, l.ended, l.sealed, l.dropped, l.looking, l.shared, l.waited, l.lost, l.fits, l.token != 0, l.area.Token != 0, l.former != 0, l.vain} {
		if flag {
			k |= 1 << i
		}
	}
	return k | uint64(l.phase)<<60 | uint64(l.kind)<<56 | uint64(l.proxy)<<52 | uint64(l.found)<<40 | uint64(l.row)<<32 | uint64(l.do)<<24
}

//go:norace
func (r reader) key() uint64 {
	k := uint64(r.phase)<<40 | uint64(r.proxy)<<32 | uint64(r.load)<<24 | uint64(r.seen)
	if r.late {
		k |= 1 << 50
	}
	return k
}

//go:norace
func (w writer) key() uint64 {
	return uint64(w.kind)<<40 | uint64(w.phase)<<32 | uint64(w.proxy)<<24 | uint64(w.load)<<16 | uint64(w.version)
}
