package proxy

import (
	"time"

	"forebay/internal/near"
)

// restAfter is how long a client is silent, at least, before what it holds is made small.
const restAfter = 10 * time.Second

// A goroutine's stack grows to 4 KB when it dispatches a command, and never shrinks to the 2 KB that waiting takes: the collector halves a stack only if less
// than a quarter of it is used, the runtime's reserve included. So the goroutine of a client that has fallen silent ends, and a new one waits in its place
// (TestIdleConnections: 6.8 KB a connection before, 4.1 after). It is woken for that by a deadline in the past.
//
// Why a deadline never hits what it is not meant for, a read in the midst of a command:
//
//  1. restIdle sees, under the client's lock, that nothing of the client is being done or owed, and sets the deadline before it lets go of the lock.
//  2. Bytes have come meanwhile: the client's goroutine has read them, and waits for the lock to dispatch them.
//  3. dispatch gets the lock, and takes the deadline back before anything reads.
//
// And why the end of the server is not slept through: who takes the deadline back looks afterwards whether the client is to leave. session.leave says so first,
// and sets its own deadline after.

// idle is what a session knows of its silence. Guarded by the session's lock.
type idle struct {
	turns, seen uint64 // dispatches; how many there were when they were last looked at
	busy        bool   // a dispatch is under way
	woken       bool   // the deadline is set
	rests       bool   // since the last dispatch a new goroutine has taken over, or will
}

// restIdle has those clients rest that have been silent since it was last called.
func (srv *Server) restIdle() {
	for _, c := range srv.list() {
		c.mu.Lock()
		c.doze()
		c.mu.Unlock()
	}
}

// doze wakes the client's goroutine if it has nothing to do, so that a new one takes its place. The lock is held.
func (s *session) doze() {
	i := &s.idle
	quiet := i.turns == i.seen && i.turns > 0
	i.seen = i.turns
	if !quiet || i.busy || i.rests || s.gone || s.quit || s.own || s.raw == nil || !s.fifo.empty() || s.out.size > 0 || s.leaveBy.Load() != 0 {
		return
	}
	i.rests, i.woken = true, true
	_ = s.nc.SetReadDeadline(time.Unix(1, 0))
}

// turn begins a dispatch. The lock is held.
func (s *session) turn() {
	s.idle.turns++
	s.idle.busy, s.idle.rests = true, false
	if s.idle.woken {
		s.sleepOn()
	}
}

// sleepOn takes back the deadline that doze has set, and tells whether the client stays. The lock is held.
func (s *session) sleepOn() bool {
	s.idle.woken = false
	_ = s.nc.SetReadDeadline(time.Time{})
	if s.leaveBy.Load() != 0 {
		_ = s.nc.SetReadDeadline(time.Unix(1, 0)) // it may have been leave's
		return false
	}
	return true
}

// rested tells, after a deadline, whether another goroutine is to take over. What only a busy client needs is let go.
func (s *session) rested() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.idle.woken || !s.sleepOn() {
		return false
	}
	if s.fifo.empty() && s.batchN == 0 {
		s.fifo.ring, s.batch, s.spare = nil, nil, nil
	}
	s.args, s.scratch, s.questions = nil, nil, nil
	s.nears, s.nearRoutes, s.ahead = near.Many{}, nil, ahead{}
	return true
}
