package leasemodel

// reduce forgets what makes no difference to anything that may come, so that fewer states are different, and goes ahead with what can only be waited for. It
// reasons with the rules, and is not used where they are broken. TestReduction compares what can be seen of states with it and without, and
// TestReductionHidesNothing what is found of broken rules that it does not reason with.
//
//   - A lease, marker or area of another generation than the present one counts for nothing, and a generation's name is never used again.
//   - A load whose lease or area has gone is refused, whatever it has read; its token is never used again. What is on its way from it to Redis does nothing, and
//     is not there if nobody waits for it. (Of a reading ahead others may take the row, and must know of which area it is.)
//   - A generation that nobody knows is as good as none.
//   - What only other phases than a load's look at is forgotten (settle).
//   - That a reader has seen a value is forgotten once no load, nor Redis, nor the source has it: it can be given to nobody any more (forget).
//   - A lease that is being given up may end by itself at any time: that it is given up adds nothing.
//   - A refresh is no process's: one that has died does what one does that has stopped for good.
//   - A flight that will be refused ends at once (letGo). Until then its readers, and those who come, wait, and a writer may: all that they can do meanwhile they can
//     do, or not, after its end, too. Not so while a connection may break: what nobody has heard of is handed out.
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
		if l.reduce(r, s.breaks > 0); l.phase == lNone {
			continue
		}
		if l.inVain(s.breaks > 0) {
			s.letGo(i)
			continue
		}
		if l.dead || l.ended {
			l.proxy = 0
		}
		known = known || l.generation != 0 || l.area.Generation != 0
	}
	if !known {
		r.Generation = 0
	}
	s.forget()
}

// reduce is that of one load. It may be gone then.
//
//go:norace
func (l *load) reduce(r *Redis, breaks bool) {
	if l.kind == refreshes {
		l.proxy = nobodys
	}
	if l.settle(breaks); l.phase != lTaken && l.phase != lRead && l.phase != lSettles {
		return
	}
	switch {
	case l.token != 0 && (r.Lease.State != Held || r.Lease.Token != l.token):
	case l.token == 0 && l.area.Token != 0 && r.Area != l.area:
	case l.phase == lSettles && l.ended && l.do == GiveUp:
		*l = load{}
		return
	default:
		return
	}
	l.shared = l.shared || breaks && l.area.Token != 0 // all that unheard asks of it
	l.generation, l.token, l.area, l.found, l.lost, l.vain = 0, 0, Area{}, 0, false, true
	if !breaks {
		l.row = 0
	}
	if l.kind == refreshes || l.phase == lSettles && l.ended {
		*l = load{}
	}
}

// settle forgets of a load what its phase, and those that follow, do not look at.
//
//go:norace
func (l *load) settle(breaks bool) {
	switch l.phase {
	case lBegun: // it is asked for anew, and so noted who has joined
		l.looking, l.shared = false, false
	case lAsked:
		l.waited = false
	case lFound:
		l.dropped = false
		if l.shared {
			l.found = 0
		}
	case lLooks:
		l.dropped, l.looking, l.shared = false, false, false
	case lTaken, lRead, lSettles:
		if !breaks {
			l.looking, l.shared = false, false
		}
		if l.phase == lSettles {
			l.lost, l.dropped = false, false
		}
	case lSettled:
		l.looking, l.lost, l.dropped, l.waited, l.vain, l.do = false, false, false, false, false, 0
		l.shared = l.shared && breaks
	}
}

// inVain tells whether a load's readers will have to look again, whatever comes, and do nothing but wait for that.
//
//go:norace
func (l *load) inVain(breaks bool) bool {
	switch l.phase {
	case lBegun:
		return l.waited && l.dropped
	case lRead:
		return l.dropped || l.vain && !breaks
	case lTaken, lSettles:
		return l.vain && !breaks
	case lSettled:
		return !l.fits && !breaks
	default:
		return false
	}
}

// letGo ends a load whose readers are to look again.
//
//go:norace
func (s *state) letGo(at int) {
	for i := range s.readers {
		if r := &s.readers[i]; r.phase == rWaiting && int(r.load) == at+1 {
			r.phase, r.load, r.late = rMissed, 0, false
		}
	}
	for i := range s.writers {
		if w := &s.writers[i]; w.phase == wWaits && int(w.load) == at+1 {
			w.phase, w.load = wWrite, 0
		}
	}
	s.loads[at] = load{}
}

// forget forgets of readers that they have seen what nobody can give them any more.
//
//go:norace
func (s *state) forget() {
	has := uint16(0)
	note := func(v Value) {
		if v != 0 {
			has |= bit(v)
		}
	}
	note(s.redis.Value)
	if s.redis.Lease.State == Marker {
		note(s.redis.Lease.row)
	}
	note(Row(s.row))
	for i := range s.loads {
		if l := &s.loads[i]; l.phase != lNone {
			note(l.row)
			if l.kind != refreshes {
				note(l.found)
			}
		}
	}
	for i := range s.readers {
		s.readers[i].seen &= has
	}
}
