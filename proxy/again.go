package proxy

import (
	"forebay/backend/redis/wire"
	"forebay/internal/check"
)

// resend forwards a GETEX once more, now that its value is stored.
func (s *session) resend(seq uint64, t wire.Target) {
	s.mu.Lock()
	if s.gone {
		s.mu.Unlock()
		return
	}
	d := s.fifo.at(seq).more
	s.mu.Unlock()
	r := &again{s: s, seq: seq}
	up, err := s.srv.opts.Pool.Shared(s.srv.ctx, t)
	if err == nil {
		err = up.Submit(r, d.frame, 1, wire.Now())
	}
	if err != nil {
		r.end(d.reply) // the value is right; only its new expiry was not set, as Redis cannot be asked
	}
}

// again receives the reply of a command that was sent once more.
type again struct {
	s   *session
	seq uint64
}

func (a *again) end(b []byte) {
	a.s.mu.Lock()
	defer a.s.mu.Unlock()
	if a.s.gone {
		return
	}
	a.s.finish(a.seq, a.s.fifo.at(a.seq), b)
	a.s.advance()
}

// Replies takes the one reply: nil if the value has left Redis again, or was not stored; the loaded one is given then, and also in place of one that
// breaks the rules of its route, which the next read of it finds.
func (a *again) Replies(b []byte, _ []int) {
	a.s.mu.Lock()
	if !a.s.gone {
		sl := a.s.fifo.at(a.seq)
		if err := opGetEx.judge(sl.route, nil, b); null(b) || b[0] == '$' && err != nil && !check.Served(err) {
			b = sl.more.reply
		}
	}
	a.s.mu.Unlock()
	a.end(b)
}

// Large is told of a value of more than wire.StreamAt: the loaded copy of it is given, and Redis's is not waited for.
func (a *again) Large([]byte) bool { return false }

// Part throws the large reply away but for its end.
func (a *again) Part(_ []byte, last bool) {
	if last {
		a.Replies([]byte("_\r\n"), nil)
	}
}

// Flush sends what the client is owed.
func (a *again) Flush() { a.s.Flush() }

// Broken closes the client if the command may have been done: it changes an expiry.
func (a *again) Broken(_ int, sent bool) {
	if sent {
		a.s.mu.Lock()
		a.s.drop(nil)
		a.s.mu.Unlock()
		return
	}
	a.Replies([]byte("_\r\n"), nil)
}

// Stalled changes nothing: the client waits, as it would on Redis.
func (a *again) Stalled() {}
