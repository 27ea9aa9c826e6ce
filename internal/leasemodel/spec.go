package leasemodel

// What must hold. The key is a register, whose value is that of the client who has set it last, if it has not been removed since; else a version of the source's
// row. Between the change of a row and the DEL that tells of it, either version is right: floor is the newest of which Redis has done the DEL.
//
// A read is right if it returns a value that was right at some moment between its beginning and its end. A read that finds its value in Redis is a moment; so Redis
// must never hold a wrong one.

//go:norace
func bit(v Value) uint16 { return 1 << (v - 1) }

// right are the values that are right now.
//
//go:norace
func (s *state) right() (set uint16) {
	if s.redis.Value.isClients() {
		return bit(s.redis.Value)
	}
	for v := s.floor; v <= s.row; v++ {
		set |= bit(Row(v))
	}
	return set
}

// observe notes for readers what is right now, and returns what is wrong with what Redis holds.
//
//go:norace
func (s *state) observe() string {
	set := s.right()
	for i := range s.readers {
		if r := &s.readers[i]; r.phase == rMissed || r.phase == rWaiting {
			r.seen |= set
		}
	}
	r := &s.redis
	if v := r.Value; v != 0 && set&bit(v) == 0 {
		return "redis holds an old row after the write that told of a newer one"
	}
	if l := &r.Lease; l.State == Marker && r.Value == 0 && l.Generation == r.Generation && l.row.version() < s.floor {
		return "redis holds a marker that is older than a write that told of a newer row"
	}
	return ""
}
