package proxy

import (
	"context"
	"strconv"
	"sync"

	"forebay/backend/redis/wire"
	"forebay/internal/cache"
)

// rereads is how often a read of an object is sent again: between its being stored and its being read it may be evicted.
const rereads = 3

// reread forwards a read once more, on a connection of its own, now that Redis holds its value: an object, which was stored there
// without passing through here. The reply is streamed to the client as it comes.
func (s *session) reread(seq uint64, t wire.Target, tries int) {
	s.mu.Lock()
	if s.gone {
		s.mu.Unlock()
		return
	}
	sl := s.fifo.at(seq)
	frame := sl.takeFrame()
	if frame == nil {
		frame = sl.more.frame
		s.srv.large.add(t.DB, sl.key)
	}
	s.mu.Unlock()
	var undropped error
	if sl.op == opGetDel {
		undropped = s.srv.opts.Engine.Fence(t.DB, sl.key)
	}
	r := &reread{s: s, seq: seq, target: t, tries: tries, takes: sl.op == opGetDel}
	if undropped != nil {
		r.answer(errorReply(undropped))
		s.Flush()
		return
	}
	up, err := s.srv.opts.Pool.Exclusive(s.srv.ctx, t, r)
	if err != nil {
		r.refused(err)
		return
	}
	r.up = up
	if err := up.Submit(r, frame, 1, wire.Now()); err != nil {
		r.refused(err)
	}
}

// refused takes the news that Redis does not answer the read: the value is loaded without it. A GETDEL's is not, as it might stay there.
func (r *reread) refused(err error) {
	text, down := refusal(err)
	if down && !r.takes && r.tries+1 < rereads {
		r.load(cache.Mode{NoLook: true, NoFill: true})
		return
	}
	r.answer(string(text))
	r.s.Flush()
}

// reread receives the reply of a read that was sent once more.
type reread struct {
	s      *session
	seq    uint64
	target wire.Target
	up     *wire.Conn
	tries  int
	takes  bool // it is a GETDEL

	once    sync.Once // the slot is answered, or has gone
	partial bool      // the client has the beginning of the reply; only the connection's reader touches it
}

// answer gives the slot its whole reply, an error or one that is not large.
func (r *reread) answer(text string) {
	r.once.Do(func() {
		r.s.mu.Lock()
		defer r.s.mu.Unlock()
		if r.s.gone {
			return
		}
		r.s.finish(r.seq, r.s.fifo.at(r.seq), []byte(text))
		r.s.advance()
	})
}

// Replies takes a reply that is not large: a part of the object, its length, an error; or nil, if the object has left Redis again.
func (r *reread) Replies(b []byte, _ []int) {
	if null(b) {
		r.again()
	} else {
		r.answer(string(b))
	}
	r.s.srv.opts.Pool.Release(r.up)
}

// again has the object loaded once more.
func (r *reread) again() {
	if r.tries+1 == rereads {
		r.answer(errorReply(cache.ErrContended))
		return
	}
	r.load(cache.Mode{NoFill: r.takes})
}

// load has the value loaded, and the slot answered with what comes.
func (r *reread) load(mode cache.Mode) {
	r.once.Do(func() {
		s := r.s
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.gone {
			return
		}
		sl := s.fifo.at(r.seq)
		want := []cache.Want{{Key: sl.key, Route: sl.route, Track: s.tracks(sl.route)}}
		s.srv.wg.Add(1) // the session is counted still: its FIFO is not empty
		go func() {
			defer s.srv.wg.Done()
			res := s.srv.opts.Engine.Read(context.Background(), r.target.DB, want, mode)[0]
			switch {
			case res.Err != nil:
				(&reread{s: s, seq: r.seq}).answer(errorReply(res.Err))
			case res.Stored || sl.takes(&res):
				s.reread(r.seq, r.target, r.tries+1)
			case sl.handsOut(&res):
				s.handOut(r.seq, res.Value)
			default:
				s.mu.Lock()
				if !s.gone {
					sl := s.fifo.at(r.seq)
					s.finish(r.seq, sl, s.appendResult(nil, sl.op, sl.more, &res))
					s.advance()
				}
				s.mu.Unlock()
			}
			s.Flush()
		}()
	})
}

// Large tells that the connection may wait for this client: it is nobody else's.
func (r *reread) Large([]byte) bool { return true }

// Part passes the next bytes on when it is the slot's turn, as the client takes them.
func (r *reread) Part(b []byte, last bool) {
	r.partial = true
	if !r.s.part(r.seq, b, last) {
		r.up.Close() // the client has gone, and nobody wants the rest
		return
	}
	if last {
		r.once.Do(func() {})
		r.partial = false
		r.s.srv.opts.Pool.Release(r.up)
	}
}

// part writes bytes of a slot's reply once it is the oldest. false: the client has gone.
func (s *session) part(seq uint64, b []byte, last bool) bool {
	s.mu.Lock()
	s.await(func() bool { return s.fifo.head == seq })
	if !s.fifo.at(seq).muted {
		s.pass(b, false) // what it comes on is nobody else's
	}
	if s.gone {
		s.mu.Unlock()
		return false
	}
	if last {
		sl := s.fifo.at(seq)
		s.clock = wire.Now()
		s.count(sl, 1)
		s.ready(sl)
		s.advance()
	}
	s.mu.Unlock()
	s.Flush()
	return true
}

// Flush sends what the client is owed.
func (r *reread) Flush() { r.s.Flush() }

// Broken has the value loaded without Redis, or ends a client that has a part of the reply, or of which a GETDEL may have been done.
func (r *reread) Broken(_ int, sent bool) {
	if r.partial || sent && r.takes {
		r.s.mu.Lock()
		r.s.drop(nil)
		r.s.mu.Unlock()
		return
	}
	r.refused(wire.ErrClosed)
}

// Stalled changes nothing: the client waits, as it would on Redis.
func (r *reread) Stalled() {}

// handsOut tells whether the reply is a value so large that no copy of it is made.
func (sl *slot) handsOut(res *cache.Result) bool {
	return (sl.op == opGet || sl.op == opGetDel) && res.Err == nil && len(res.Value) > streamAt
}

// handOut gives a large value, which many readers may share, to the client piece by piece: no copy of it is made.
func (s *session) handOut(seq uint64, value []byte) {
	head := append(strconv.AppendInt([]byte{'$'}, int64(len(value)), 10), "\r\n"...)
	if s.part(seq, head, false) && s.pieces(seq, value, false) {
		s.part(seq, []byte("\r\n"), true)
	}
}

// pieces gives the client bytes of a slot's reply piece by piece, to its end if they are the last. false: the client has gone.
func (s *session) pieces(seq uint64, b []byte, last bool) bool {
	for len(b) > 0 {
		n := min(len(b), streamAt)
		if !s.part(seq, b[:n], last && n == len(b)) {
			return false
		}
		b = b[n:]
	}
	return true
}

// fetch gets the values of objects that were stored without passing through here, for replies that are made of several values. One that has
// left Redis again is an error: it is no absence.
func (srv *Server) fetch(db int, wants []cache.Want, results []cache.Result) {
	for i := range results {
		res := &results[i]
		for tries := 0; res.Err == nil && res.Stored; tries++ {
			if tries == rereads {
				res.Err = cache.ErrContended
				return
			}
			ctx, cancel := context.WithTimeout(srv.ctx, srv.opts.Budget)
			values, errs, err := srv.opts.Store.Get(ctx, db, [][]byte{wants[i].Key})
			cancel()
			switch {
			case err != nil:
				res.Err = err
			case errs[0] != nil:
				res.Err = errs[0]
			case values[0] != nil:
				res.Value, res.Stored = values[0], false
			default:
				*res = srv.opts.Engine.Read(context.Background(), db, wants[i:i+1], cache.Mode{})[0]
			}
		}
	}
}
