package proxy

// fence makes a command that may write safe: of this client's own reads of its keys none is unresolved when it is forwarded, and
// no load begun before it can store its value after it. (cache.Engine.Fence has the interleavings of other clients' loads.)
//
// Why this client's reads must be resolved first:
//
//  1. GET k is forwarded, Redis answers nil.
//  2. SET k v2 is forwarded and done.
//  3. The load of 1 looks in Redis, finds v2 and gives it to the GET: a read that sees a write behind it.
//
// With an error, Redis has not said that others' loads are safe: the command must not be forwarded.
func (s *session) fence(cmd *command, args [][]byte) error {
	if s.routed > 0 {
		conflict := func() bool { return s.routed > 0 }
		if cmd.firstKey > 0 {
			conflict = func() bool { return s.routed > 0 && s.unresolved(cmd, args) }
		}
		if conflict() {
			s.submit()
			s.await(func() bool { return !conflict() })
		}
	}
	return s.fenceLoads(cmd, args)
}

// unresolved tells whether a routed read of one of the command's keys is not ready.
func (s *session) unresolved(cmd *command, args [][]byte) (found bool) {
	cmd.keys(args, func(key []byte) {
		for seq := s.fifo.head; seq < s.fifo.tail && !found; seq++ {
			sl := s.fifo.at(seq)
			found = sl.state != ready && sl.reads(key)
		}
	})
	return found
}

// reads tells whether the slot is a routed read of the key.
func (sl *slot) reads(key []byte) bool {
	switch {
	case sl.op == noRead || sl.route == nil:
		return sl.more != nil && sl.more.tx != nil && sl.more.tx.routed
	case sl.kind == readMany:
		for i, k := range sl.more.keys {
			if sl.more.routes[i] != nil && string(k) == string(key) {
				return true
			}
		}
		return false
	default:
		return string(sl.key) == string(key)
	}
}
