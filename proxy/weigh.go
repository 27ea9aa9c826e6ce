package proxy

import (
	"errors"
	"sync/atomic"
	"time"
)

// unit is what clients' memory is counted in: the size of a pooled buffer. Who holds less holds nothing.
const unit = 16 << 10

// tooHeavy is told to a client that is closed because all of them together hold too much: to one that owes the rest of a command. One that does not take
// its replies would read it in the middle of one.
const tooHeavy = "-ERR closed: clients hold more than listen.limits.total_bytes together, and this one the most\r\n"

var errTooHeavy = errors.New("clients hold too much together, and this one the most")

// weights is what all clients hold together, in units, and who must know when it is too much.
type weights struct {
	total atomic.Int64
	most  int64
	over  chan struct{} // of one: total may be above most
}

// weigh notes that a part of a client now holds so many bytes. It is called when they change by about a unit, not for each command.
func (w *weights) weigh(part *atomic.Int64, bytes int) {
	units := int64(bytes / unit)
	if part.Load() == units {
		return
	}
	old := part.Swap(units)
	if w.total.Add(units-old) > w.most && units > old {
		select {
		case w.over <- struct{}{}:
		default: // it was said already
		}
	}
}

// weighIn notes the bytes of commands that wait. It is for whoever reads from the client at the time.
func (s *session) weighIn() {
	n := 0
	if s.in != nil {
		n = cap(*s.in)
	}
	s.srv.weights.weigh(&s.inUnits, n)
}

// weighOut notes the bytes of replies that wait: for the client, for an earlier one, or to be whole. The lock is held.
func (s *session) weighOut() {
	if s.gone {
		return
	}
	s.srv.weights.weigh(&s.outUnits, s.out.size+s.held+s.gathered)
}

// weighNothing is for a client that is being closed: what it holds is about to be free.
func (s *session) weighNothing() {
	s.srv.weights.weigh(&s.inUnits, 0)
	s.srv.weights.weigh(&s.outUnits, 0)
}

// care keeps what clients hold small, until done is closed.
func (srv *Server) care(done <-chan struct{}) {
	tick := time.NewTicker(restAfter)
	defer tick.Stop()
	for {
		select {
		case <-srv.weights.over:
			srv.relieve()
		case <-tick.C:
			srv.restIdle()
		case <-done:
			return
		}
	}
}

// relieve closes the heaviest clients while all hold too much together.
func (srv *Server) relieve() {
	w := &srv.weights
	for w.total.Load() > w.most {
		var heaviest *session
		var most int64
		for _, c := range srv.list() {
			if n := c.inUnits.Load() + c.outUnits.Load(); n > most {
				heaviest, most = c, n
			}
		}
		if heaviest == nil {
			return
		}
		srv.log.Warn("client closed: all hold too much together",
			"client", heaviest.id, "addr", heaviest.nc.RemoteAddr().String(), "bytes", most*unit)
		heaviest.expel()
	}
}

// expel closes the client, and tells it why if it is owed nothing.
func (s *session) expel() {
	s.mu.Lock()
	if s.expelled { // it has read a last piece since, and is on its way out
		s.weighNothing()
		s.mu.Unlock()
		return
	}
	if s.gone || s.own || !s.fifo.empty() || s.out.size > 0 {
		s.drop(errTooHeavy)
		s.weighNothing()
		s.mu.Unlock()
		return
	}
	s.write([]byte(tooHeavy))
	s.quit, s.expelled = true, true
	s.weighNothing()
	s.mu.Unlock()
	s.Flush()
	_ = s.nc.SetReadDeadline(time.Unix(1, 0)) // its goroutine waits for the rest of a command
}
