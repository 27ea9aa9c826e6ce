package proxy

import (
	"errors"

	"forebay/backend/redis/wire"
	"forebay/internal/event"
)

// append adds a command's frame to the batch; sl is its slot.
func (s *session) append(frame []byte, sl *slot) {
	if s.batchN == 0 {
		s.batchFrom = s.fifo.tail - 1
	}
	s.extend(frame, sl.n)
}

// extend adds bytes to the batch: without a copy where they follow it in the client's buffer, as they mostly do.
func (s *session) extend(frame []byte, n int) {
	end := len(s.batch)
	switch {
	case end == 0:
		s.batch, s.batchOwn = frame, false
	case cap(s.batch) >= end+len(frame) && &s.batch[:end+1][end] == &frame[0]:
		s.batch = s.batch[: end+len(frame) : cap(s.batch)]
	case s.batchOwn:
		s.batch = append(s.batch, frame...)
	default:
		s.batch, s.batchOwn = append(append(s.spare[:0], s.batch...), frame...), true // not over the client's buffer
		s.spare = nil
	}
	s.batchN += n
	s.owed += n
}

// submit sends the batch. The lock is given up meanwhile.
func (s *session) submit() {
	for s.batchN > 0 && !s.gone {
		if s.up == nil && !s.connect() {
			return
		}
		b, n, up, own := s.batch, s.batchN, s.up, s.batchOwn
		s.batch, s.batchN, s.batchOwn, s.sending = nil, 0, false, n
		s.mu.Unlock()
		err := up.Submit(s, b, n, s.now)
		s.mu.Lock()
		if err == nil {
			s.sending = 0
			if own && cap(b) <= keepBuffer {
				s.spare = b // its bytes were copied
			}
			if s.own && s.ended == up {
				s.lost(n, true) // its end was told while these were not counted yet
				s.load()
			}
			return
		}
		if s.own && s.stateful() {
			s.sending = 0
			s.drop(err) // what Redis knew of this client is lost; Redis itself would have closed it
			return
		}
		// The connection was retired or has ended. What it still owes this client comes first: replies must not overtake.
		// A client with a connection of its own gets another of its own: what it sends may block.
		//
		//  1. A batch is refused: the client's own connection has ended, and its reader has not told so yet.
		//  2. The reader tells (Broken) that all will not come that is owed by it: not what was refused just now, which is still being sent.
		//  3. Only that is owed then, and it goes to another connection.
		s.await(func() bool { return s.owed == n })
		s.batch, s.batchN, s.batchOwn, s.up, s.sending = b, n, own, nil, 0
	}
}

// connect gives the client a connection of the kind that it had. If there is none to be had, the batch is answered without Redis, and it
// returns false.
func (s *session) connect() bool {
	t, own := s.target, s.own
	s.mu.Unlock()
	var up *wire.Conn
	var err error
	if own {
		up, err = s.srv.opts.Pool.Exclusive(s.srv.ctx, t, s)
	} else {
		up, err = s.srv.opts.Pool.Shared(s.srv.ctx, t)
	}
	s.mu.Lock()
	if err == nil {
		s.up = up
		return true
	}
	s.own = false
	s.refuse(err)
	return false
}

// refuse answers the batch without Redis: routed reads are loaded if the client may read them, the rest gets the error.
func (s *session) refuse(err error) {
	s.batch, s.batchN, s.batchOwn = nil, 0, false
	text, down := refusal(err)
	for seq := s.batchFrom; seq < s.fifo.tail; seq++ {
		sl := s.fifo.at(seq)
		if sl.n == 0 {
			continue
		}
		n := sl.n
		s.owed -= n
		n -= sl.looks
		sl.n, sl.looks = 0, 0
		if down && sl.op != noRead && sl.route != nil && s.mayReadFor(sl) {
			s.miss(seq, sl, true)
			continue
		}
		for range n {
			s.emit(seq, sl, text)
		}
		if sl.op != noRead {
			s.rec.Record(&event.Event{Kind: event.Error, DB: s.target.DB, Key: sl.key, Error: line(string(text[1 : len(text)-2]))})
		}
		s.ready(sl)
	}
	s.advance()
	if !down && s.target.Auth {
		s.quit = true // the password it came with is no longer good
	}
	s.load()
}

// drain waits until Redis owes the client nothing, and sends the batch first.
func (s *session) drain() {
	s.submit()
	blocked := s.blocked()
	s.await(func() bool { return s.owed == 0 })
	if blocked {
		s.freed = wire.Now()
	}
}

// takeOwn moves the client to a connection of its own, set to what the shared one was. false: there is none, the command
// was answered.
func (s *session) takeOwn() bool {
	err := s.moveOwn()
	if err != nil && !errors.Is(err, errGone) {
		text, _ := refusal(err)
		s.reply(text)
	}
	return err == nil
}

// errGone is why nothing is done for a client.
var errGone = errors.New("it has gone")

// moveOwn is takeOwn, but answers nothing.
func (s *session) moveOwn() error {
	if s.own {
		return nil
	}
	s.drain()
	if s.gone {
		return errGone
	}
	if s.takeStandby() {
		return nil
	}
	t := s.target
	s.mu.Unlock()
	up, err := s.srv.opts.Pool.Exclusive(s.srv.ctx, t, s)
	s.mu.Lock()
	if err == nil && s.standby != nil && s.takeStandby() {
		up.Close() // somebody has made one meanwhile: see standBy
		return nil
	}
	if err == nil {
		s.up, s.own = up, true
	}
	return err
}

// refusal is what a client is told for whom there is no connection. down: for it was Redis that did not answer.
func refusal(err error) (text []byte, down bool) {
	var refused *wire.ReplyError
	if errors.As(err, &refused) {
		return refused.Raw, false
	}
	return []byte(redisDown), true
}

// stateful tells whether Redis holds state of this client's connection that another connection would not have.
func (s *session) stateful() bool { return s.pins != (pins{}) || s.tx != nil }

// leaveOwn moves the client back to the shared connection if nothing keeps it on its own and nothing is owed there. If
// something is, the command simply follows on the connection of its own.
func (s *session) leaveOwn() {
	if !s.own || s.stateful() || s.owed > 0 || s.named > 0 {
		return
	}
	if s.up.Target() != s.target {
		s.closeOwn() // SELECT, AUTH or HELLO made it another's: the pool would hand it out as what it was
		return
	}
	up := s.up
	s.up, s.own = nil, false
	s.mu.Unlock()
	s.srv.opts.Pool.Release(up)
	s.mu.Lock()
}
