package leasemodel

// load adds what one load can do: it follows internal/cache (fly, look, lookAgain, wait, finish).
//
//go:norace
func (x *steps) load(at int) {
	l := &x.from.loads[at]
	switch l.phase {
	case lBegun:
		x.begun(at)
	case lAsked:
		x.asked(at)
	case lFound:
		x.found(at)
	case lLooks:
		m := x.try(aLookAgain, at, 0)
		g := m.redis.Acquire(Ask{})
		m.end(at, g.Value, false) // Absent's is the version that the marker stands for; otherwise 0
	case lTaken:
		x.taken(at)
	case lRead:
		x.read(at)
	case lSettles:
		x.settles(at)
	case lSettled:
		m := x.try(aSettled, at, 0)
		if l.fits || x.Rules.HandOutRefused {
			m.end(at, l.row, false)
		} else {
			m.end(at, 0, false)
		}
		x.unheard(at)
	case lEnters, lEntered, lPassed:
		x.ahead(at)
	}
}

// begun asks for the lease: at once, or after another process's.
//
//go:norace
func (x *steps) begun(at int) {
	if l := &x.from.loads[at]; l.waited && l.dropped {
		x.try(aDropped, at, 0).end(at, 0, false)
		return
	}
	m := x.try(aAsk, at, 0)
	l := &m.loads[at]
	l.token = x.token(m)
	l.phase, l.looking, l.shared = lAsked, true, false
}

// asked is Redis's step. The answer to a question of the dead is nobody's.
//
//go:norace
func (x *steps) asked(at int) {
	m := x.try(aAcquire, at, 0)
	l := &m.loads[at]
	g := m.redis.Acquire(Ask{Token: l.token, Former: l.former, Take: true, Refresh: l.kind == refreshes})
	if g.State == Taken && !x.Rules.OneToken && !x.Rules.OneTry { // where tokens are alike, it is about what becomes of that
		m.alone(at)
	}
	switch {
	case l.dead:
		*l = load{}
	case g.State == Taken && l.kind == refreshes && g.Value == 0: // it has gone: there is nothing to refresh
		l.generation, l.do, l.ended, l.phase = g.Generation, GiveUp, true, lSettles
	case g.State == Taken:
		l.generation, l.found, l.former, l.phase = g.Generation, g.Value, 0, lTaken
	case l.kind == refreshes:
		*l = load{}
	case g.State == Busy:
		l.token, l.former, l.waited, l.phase = 0, 0, true, lBegun
	default:
		l.token, l.former, l.found, l.phase = 0, 0, g.Value, lFound
	}
	x.broken(at)
}

// broken has the connection of a question end: it may arrive still, and is asked once more (Client.Acquire).
//
//go:norace
func (x *steps) broken(at int) {
	if l := &x.from.loads[at]; l.dead || x.from.breaks == 0 {
		return
	}
	m := x.try(aBreakAsk, at, 0)
	l := &m.loads[at]
	m.breaks--
	m.add(load{kind: l.kind, phase: lAsked, proxy: l.proxy, dead: true, ended: true, token: l.token})
	if !x.Rules.OneTry {
		l.former = l.token
		l.token = x.token(m)
	}
}

// alone checks that nobody else loads the key: whose lease was not lost, and who has neither died nor is through.
//
//go:norace
func (m *move) alone(at int) {
	for i := range m.loads {
		o := &m.loads[i]
		if i != at && !o.dead && !o.lost && (o.phase == lTaken || o.phase == lRead) && o.token != 0 {
			m.fail("two load the key, though no lease was lost")
		}
	}
}

// found is the answer that there is something: for all who had joined when it was asked for.
//
//go:norace
func (x *steps) found(at int) {
	m := x.try(aAnswer, at, 0)
	l := &m.loads[at]
	l.sealed = true
	if l.shared && !x.Rules.LookForAll {
		l.phase, l.found = lLooks, 0
		return
	}
	m.end(at, l.found, false)
}

// taken asks the source, or takes the row from a reading ahead.
//
//go:norace
func (x *steps) taken(at int) {
	m := x.try(aQuery, at, 0)
	l := &m.loads[at]
	l.row, l.phase = Row(m.row), lRead

	m = x.try(aQueryFails, at, 0)
	l = &m.loads[at]
	l.phase, l.do, l.sealed = lSettles, GiveUp, true
	m.end(at, 0, true)

	for i := range x.from.loads {
		a := &x.from.loads[i]
		if a.phase != lPassed || a.proxy != l.proxy || a.dropped || l.kind != forReaders {
			continue
		}
		m := x.try(aTakeRow, at, i)
		l := &m.loads[at]
		l.row, l.area, l.phase = a.row, a.area, lRead
	}
}

// read seals the flight and settles it.
//
//go:norace
func (x *steps) read(at int) {
	l := &x.from.loads[at]
	absent := x.Absent>>l.row.version()&1 != 0
	finish := func(do Ending) {
		m := x.try(aFinish, at, int(do))
		l := &m.loads[at]
		l.phase, l.do, l.sealed = lSettles, do, !x.Rules.SealLate
		if do == GiveUp {
			l.row = 0
			m.end(at, 0, false)
		}
	}
	switch {
	case l.dropped:
		finish(GiveUp)
	case absent: // a refresh removes what it has seen
		finish(Mark)
	case l.kind == refreshes:
		finish(Refresh)
	default:
		finish(Store)
	}
}

// settles is Redis's step. A Redis that is full refuses values that it would have taken.
//
//go:norace
func (x *steps) settles(at int) {
	l := &x.from.loads[at]
	for full := range 2 {
		if full == 1 && l.do != Store && l.do != Refresh {
			break
		}
		m := x.try(aSettle, at, full)
		l := &m.loads[at]
		before := m.redis.Value
		m.redis.Full = full == 1
		e := Entry{Do: l.do, Generation: l.generation, Token: l.token, Since: l.area, Value: l.row, Seen: l.found, row: l.row}
		l.fits, _ = m.redis.Settle(e, x.Rules)
		m.redis.Full = false
		if before.isClients() && m.redis.Value != before && l.found != before {
			m.fail("what a client has set is replaced by one who has not seen it")
		}
		if l.ended || l.kind == refreshes {
			*l = load{}
			continue
		}
		l.phase = lSettled
		l.shared = l.shared || l.area.Token != 0 // all that unheard asks of it
		l.generation, l.token, l.area, l.found = 0, 0, Area{}, 0
		if x.Rules.SealLate && l.dropped {
			l.fits = false
		}
	}
	x.unheard(at)
}

// unheard has the connection end on which a fill, or its answer, is on its way. It may be done still. Its value goes to those who had joined when the lease was
// asked for, for whom it is right whether it was stored or not; if others have come since, or it was read ahead, all look again.
//
//go:norace
func (x *steps) unheard(at int) {
	l := &x.from.loads[at]
	if l.ended || l.kind == refreshes || x.from.breaks == 0 {
		return
	}
	m := x.try(aBreakSettle, at, 0)
	m.breaks--
	value := l.row
	if (l.shared || l.area.Token != 0) && !x.Rules.HandOutUnheard {
		value = 0
	}
	m.loads[at].dead = l.phase == lSettles
	m.excuse(at, value)
	m.end(at, value, false) // what is on its way keeps its place
}

// excuse lets readers of an unheard fill have a row that is newer than what any write has told of, while Redis holds what a client has set: the writer of that row
// has not deleted the key yet.
//
//go:norace
func (m *move) excuse(at int, v Value) {
	for i := range m.readers {
		if r := &m.readers[i]; int(r.load) == at+1 && v != 0 && v.version() > m.floor {
			r.seen |= bit(v)
		}
	}
}

// ahead is the reading of the key's partition, in which nobody has asked for the key (aheadread.go).
//
//go:norace
func (x *steps) ahead(at int) {
	l := &x.from.loads[at]
	switch l.phase {
	case lEnters:
		m := x.try(aEnter, at, 0)
		m.loads[at].area = m.redis.Enter(x.token(m))
		m.loads[at].phase = lEntered
	case lEntered:
		m := x.try(aReadAhead, at, 0)
		m.loads[at].row, m.loads[at].phase = Row(m.row), lPassed
	default:
		m := x.try(aStoreAhead, at, 0)
		l := &m.loads[at]
		if m.flight(l.proxy) >= 0 || l.dropped || x.Absent>>l.row.version()&1 != 0 {
			*l = load{}
			return
		}
		*l = load{phase: lRead, proxy: l.proxy, inTable: true, area: l.area, row: l.row}
	}
}
