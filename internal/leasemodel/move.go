package leasemodel

import "hash/maphash"

// act is a kind of step.
type act uint8

// The steps. who is the index of a reader, writer or load, or a process; how a choice.
const (
	aMiss act = iota
	aJoin
	aAsk
	aDropped
	aAcquire
	aAnswer
	aLookAgain
	aQuery
	aQueryFails
	aTakeRow
	aFinish
	aSettle
	aSettled
	aEnter
	aReadAhead
	aStoreAhead
	aChange
	aDrop
	aNote
	aFence
	aWrite
	aEndLease
	aEvict
	aEvictGeneration
	aEvictArea
	aCrash
	aBreakAsk
	aBreakSettle
	aRefresh
	aAhead
)

// step is one of those that a state allows. No two of a state are the same.
type step struct {
	act act
	who uint8
	how uint8
}

// move is a state being changed by a step.
type move struct {
	state
	step    step
	problem string
	crowded bool // there is no room for a load: the model is too small
}

// steps finds what a state allows.
type steps struct {
	*Scenario
	seed    maphash.Seed
	reduces bool
	from    *state
	out     []move
}

// next returns the states that follow. They are borrowed until it is called again.
//
//go:norace
func (x *steps) next(s *state) []move {
	x.from, x.out = s, x.out[:0]
	x.readers()
	for i := range s.loads {
		x.load(i)
	}
	for i := range s.writers {
		x.writer(i)
	}
	x.world()
	for i := range x.out {
		if m := &x.out[i]; m.problem == "" {
			m.problem = m.observe()
		}
	}
	return x.out
}

// try adds a step. What it returns is to be changed at once.
//
//go:norace
func (x *steps) try(a act, who, how int) *move {
	x.out = append(x.out, move{state: *x.from, step: step{a, uint8(who), uint8(how)}})
	return &x.out[len(x.out)-1]
}

// fail says what is wrong, the first time.
//
//go:norace
func (m *move) fail(problem string) {
	if m.problem == "" {
		m.problem = problem
	}
}

// token is one for a question.
//
//go:norace
func (x *steps) token(m *move) Name {
	if x.Rules.OneToken {
		return theOneName
	}
	return m.name()
}

// add gives a load its place.
//
//go:norace
func (m *move) add(l load) int {
	for i := range m.loads {
		if m.loads[i].phase == lNone {
			m.loads[i] = l
			return i
		}
	}
	m.crowded = true
	return -1
}

//go:norace
func (x *steps) readers() {
	s := x.from
	for i := range s.readers {
		switch r := &s.readers[i]; r.phase {
		case rIdle:
			for p := 0; p < Proxies && s.redis.Value == 0; p++ {
				m := x.try(aMiss, i, p)
				m.readers[i] = reader{phase: rMissed, proxy: uint8(p)}
			}
		case rMissed:
			m := x.try(aJoin, i, 0)
			m.join(i)
		}
	}
}

// join joins the process's flight of the key, or begins it (flights.join).
//
//go:norace
func (m *move) join(i int) {
	r := &m.readers[i]
	at := m.flight(r.proxy)
	if at < 0 {
		at = m.add(load{phase: lBegun, proxy: r.proxy, inTable: true})
		if at < 0 {
			return
		}
	} else {
		l := &m.loads[at]
		l.shared = l.shared || l.looking
		r.late = l.sealed
	}
	r.phase, r.load = rWaiting, uint8(at+1)
}

// end ends a flight (flights.end). Its readers get the value, or, if that is 0, look again, or with failed leave.
//
//go:norace
func (m *move) end(at int, value Value, failed bool) {
	for i := range m.readers {
		r := &m.readers[i]
		if r.phase != rWaiting || int(r.load) != at+1 {
			continue
		}
		switch {
		case r.late || value == 0 && !failed:
			r.phase, r.load, r.late = rMissed, 0, false
		case !failed && r.seen&bit(value) == 0:
			m.fail("a reader is given what was not right at any moment since it came")
		default:
			m.readers[i] = reader{phase: rDone}
		}
	}
	for i := range m.writers {
		if w := &m.writers[i]; w.phase == wWaits && int(w.load) == at+1 {
			w.phase, w.load = wWrite, 0
		}
	}
	l := &m.loads[at]
	l.inTable, l.ended = false, true
	if l.phase != lSettles {
		*l = load{}
	}
}
