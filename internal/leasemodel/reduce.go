package leasemodel

// reduce forgets what makes no difference to anything that may come, so that fewer states are different. It reasons with the rules, and is not used where they
// are broken. TestReduction compares what can be seen of states with it and without.
//
//   - A lease, marker or area of another generation than the present one counts for nothing, and a generation's name is never used again.
//   - A load whose lease or area has gone is refused, whatever it has read; its token is never used again. What is on its way from it to Redis does nothing, and
//     is not there if nobody waits for it. (Of a reading ahead others may take the row, and must know of which area it is.)
//   - A generation that nobody knows is as good as none.
//
//go:norace
func (s *state) reduce() {
	r := &s.redis
	if r.Lease.Generation != r.Generation {
		r.Lease = Lease{}
	}
	if r.Area.Generation != r.Generation {
		r.Area = Area{}
	}
	known := r.Lease.State != Free || r.Area.Token != 0
	for i := range s.loads {
		l := &s.loads[i]
		if l.phase == lNone {
			continue
		}
		l.reduce(r, s.breaks > 0)
		if l.dead || l.ended {
			l.proxy = 0
		}
		known = known || l.generation != 0 || l.area.Generation != 0
	}
	if !known {
		r.Generation = 0
	}
}

//go:norace
func (l *load) reduce(r *Redis, breaks bool) {
	switch l.phase {
	case lAsked:
		l.waited = false
		return
	case lTaken, lRead, lSettles:
	default:
		return
	}
	if !breaks {
		l.looking, l.shared = false, false
	}
	if l.phase == lSettles {
		l.lost, l.dropped = false, false
	}
	switch {
	case l.token != 0 && (r.Lease.State != Held || r.Lease.Token != l.token):
	case l.token == 0 && l.area.Token != 0 && r.Area != l.area:
	default:
		return
	}
	l.shared = l.shared || breaks && l.area.Token != 0 // all that unheard asks of it
	l.generation, l.token, l.area, l.found, l.vain = 0, 0, Area{}, 0, true
	if !breaks {
		l.row = 0
	}
	if l.phase == lSettles && l.ended {
		*l = load{}
	}
}
