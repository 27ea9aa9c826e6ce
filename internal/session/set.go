package session

import "math/bits"

// shards divide a set, so that it grows in small steps: by a 256th at a time.
const shards = 256

// hashSet is a set of 64-bit hashes: open addressing, linear probing, between half and three quarters full, so 11 to 16
// bytes a hash. The zero hashSet is empty.
type hashSet struct {
	parts *[shards]part // nil: empty
	n     int
	zero  bool // whether it holds 0, which marks free slots
}

type part struct {
	slots []uint64
	n     int
}

// firstSlots is the size of a part that holds anything. It is small: most sessions read thousands of keys, not millions.
const firstSlots = 8

// add adds h. grow is asked for leave to use that many more bytes; without it nothing is added, and ok is false.
func (s *hashSet) add(h uint64, grow func(bytes int64) bool) (added, ok bool) {
	if h == 0 {
		added, s.zero = !s.zero, true
		if added {
			s.n++
		}
		return added, true
	}
	if s.parts == nil {
		s.parts = new([shards]part)
	}
	p := &s.parts[h>>56]
	if i, there := p.find(h); there {
		return false, true
	} else if 4*(p.n+1) <= 3*len(p.slots) {
		p.slots[i] = h
	} else {
		size := max(firstSlots, len(p.slots)*3/2)
		if !grow(int64(size-len(p.slots)) * 8) {
			return false, false
		}
		p.resize(size)
		i, _ := p.find(h)
		p.slots[i] = h
	}
	p.n++
	s.n++
	return true, true
}

// bytes is the memory of its slots.
func (s *hashSet) bytes() (n int64) {
	if s.parts == nil {
		return 0
	}
	for i := range s.parts {
		n += int64(len(s.parts[i].slots)) * 8
	}
	return n
}

// find returns the slot of h, or the free one where it belongs; with no slots at all, anything.
func (p *part) find(h uint64) (slot int, there bool) {
	if len(p.slots) == 0 {
		return 0, false
	}
	at, _ := bits.Mul64(h<<8, uint64(len(p.slots))) // the upper 8 bits are the part's
	for i := int(at); ; {
		switch p.slots[i] {
		case h:
			return i, true
		case 0:
			return i, false
		}
		if i++; i == len(p.slots) {
			i = 0
		}
	}
}

func (p *part) resize(size int) {
	old := p.slots
	p.slots = make([]uint64, size)
	for _, h := range old {
		if h != 0 {
			i, _ := p.find(h)
			p.slots[i] = h
		}
	}
}

// has tells whether h is in the set.
func (s *hashSet) has(h uint64) bool {
	if h == 0 {
		return s.zero
	}
	if s.parts == nil {
		return false
	}
	_, there := s.parts[h>>56].find(h)
	return there
}
