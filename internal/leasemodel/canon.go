package leasemodel

import "hash/maphash"

// canonical returns a state that differs from s only in what its processes, loads and names are called, and in which of several alike is which: the same for
// most of those that are the same but for that, and its hash.
//
//go:norace
func (x *steps) canonical(s *state) (state, uint64) {
	a := *s
	if x.reduces {
		a.reduce()
	}
	first, second := a.weight(0), a.weight(1)
	if first < second {
		a.swap()
	}
	b := a
	a.order()
	ha := maphash.Comparable(x.seed, a)
	if first != second {
		return a, ha
	}
	b.swap()
	b.order()
	if hb := maphash.Comparable(x.seed, b); hb < ha {
		return b, hb
	}
	return a, ha
}

// weight is a number that does not depend on what a process, or anything but it, is called: of two processes the one with the greater comes first.
//
//go:norace
func (s *state) weight(proxy uint8) (sum uint64) {
	const mix = 0x9e3779b97f4a7c15
	for i := range s.readers {
		if r := s.readers[i]; r.proxy == proxy && (r.phase == rMissed || r.phase == rWaiting) {
			r.proxy, r.load = 0, 0
			sum += (r.key() + 1) * mix
		}
	}
	for i := range s.writers {
		if w := s.writers[i]; w.proxy == proxy && w.phase > wDrop && w.phase < wDone {
			w.proxy, w.load = 0, 0
			sum += (w.key() + 3) * mix
		}
	}
	for i := range s.loads {
		if l := &s.loads[i]; l.proxy == proxy && l.phase != lNone && !l.dead && !l.ended {
			k := l.key() &^ (15 << 52)
			sum += (k ^ k>>29) * mix
		}
	}
	return sum
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
		if l := &s.loads[i]; l.phase != lNone && l.proxy != nobodys && !(l.dead || l.ended) {
			l.proxy = 1 - l.proxy
		}
	}
}

// order sorts what is alike and numbers the names as they come. It sorts by insertion: there are few, and package slices is not free of the race detector.
//
//go:norace
func (s *state) order() {
	s.orderLoads()
	for i := 1; i < maxReaders; i++ {
		r, at := s.readers[i], i
		for k := r.key(); at > 0 && s.readers[at-1].key() > k; at-- {
			s.readers[at] = s.readers[at-1]
		}
		s.readers[at] = r
	}
	for i := 1; i < maxWriters; i++ {
		w, at := s.writers[i], i
		for k := w.key(); at > 0 && s.writers[at-1].key() > k; at-- {
			s.writers[at] = s.writers[at-1]
		}
		s.writers[at] = w
	}
	s.rename()
}

//go:norace
func (s *state) orderLoads() {
	var ids [maxLoads]uint8
	var keys [maxLoads]uint64
	var place [maxLoads + 1]uint8 // by one more than the index, so that none is none
	old, n := s.loads, 0
	for i := range old {
		if old[i].phase == lNone {
			continue
		}
		k, at := old[i].key(), n
		for ; at > 0 && keys[at-1] < k; at-- {
			keys[at], ids[at] = keys[at-1], ids[at-1]
		}
		keys[at], ids[at] = k, uint8(i)
		n++
	}
	for at := range s.loads {
		if at >= n {
			s.loads[at] = load{}
			continue
		}
		s.loads[at] = old[ids[at]]
		place[ids[at]+1] = uint8(at + 1)
	}
	for i := range s.readers {
		s.readers[i].load = place[s.readers[i].load]
	}
	for i := range s.writers {
		s.writers[i].load = place[s.writers[i].load]
	}
}

// rename numbers names.
//
//go:norace
func (s *state) rename() {
	var from [5*maxLoads + 5]Name // as many as there can be
	next := 0
	s.eachName(func(n *Name) {
		if *n == 0 || *n == theOneName {
			return
		}
		for i := range next {
			if from[i] == *n {
				*n = Name(i + 1)
				return
			}
		}
		from[next] = *n
		next++
		*n = Name(next)
	})
}

// flag is a bit.
//
//go:norace
func flag(set bool, at int) uint64 {
	if set {
		return 1 << at
	}
	return 0
}

// key orders loads by all but names: whatever is nobody's comes last.
//
//go:norace
func (l *load) key() uint64 {
	return flag(l.dead, 0) | flag(l.inTable, 1) | flag(l.ended, 2) | flag(l.sealed, 3) | flag(l.dropped, 4) | flag(l.looking, 5) | flag(l.shared, 6) |
		flag(l.waited, 7) | flag(l.lost, 8) | flag(l.fits, 9) | flag(l.token != 0, 10) | flag(l.area.Token != 0, 11) | flag(l.former != 0, 12) | flag(l.vain, 13) |
		uint64(l.phase)<<60 | uint64(l.kind)<<56 | uint64(l.proxy)<<52 | uint64(l.found)<<40 | uint64(l.row)<<32 | uint64(l.do)<<24
}

//go:norace
func (r reader) key() uint64 {
	return uint64(r.phase)<<40 | uint64(r.proxy)<<32 | uint64(r.load)<<24 | uint64(r.seen) | flag(r.late, 50)
}

//go:norace
func (w writer) key() uint64 {
	return uint64(w.kind)<<40 | uint64(w.phase)<<32 | uint64(w.proxy)<<24 | uint64(w.load)<<16 | uint64(w.version)
}
