package proxy

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"

	"github.com/tidwall/redcon"

	"forebay/backend/redis/wire"
)

// RANDOMKEY may name one of Forebay's own keys. Then it is asked again, several times at once; where own keys are so many that this does not help, the
// database is scanned for another. The answer is "none" only if there is none but own ones (or if a user who may not SCAN has met nothing else).
//
//  1. A client sends SET a 1, RANDOMKEY, DEL a. Redis names a key of Forebay's.
//  2. DEL a is done. Asked once more, Redis names none: but all the while there was a key for the client to see.
//
// So what follows RANDOMKEY is not sent before it is answered.

const (
	randomTries = 16      // RANDOMKEYs of one question
	randomMore  = 64      // such questions, for who may not SCAN
	randomPage  = "1000"  // COUNT of SCAN
	askMost     = 8 << 20 // bytes of the replies to a question
)

var errAskedTooMuch = errors.New("the reply is too large")

// randomKey forwards RANDOMKEY and waits for its reply. The lock is held, and is given up meanwhile.
func (s *session) randomKey(cmd *command, frame []byte) {
	s.append(frame, s.push(randomReply, cmd, 1))
	seq := s.fifo.tail - 1
	s.drain()
	if s.gone || seq < s.fifo.head || s.fifo.at(seq).state != loading {
		return
	}
	b := s.another(s.target)
	if s.gone {
		return
	}
	s.finish(seq, s.fifo.at(seq), b)
	s.advance()
}

// holds keeps the reply of a RANDOMKEY back if it names one of Forebay's own: session.randomKey goes on with it.
func holds(sl *slot, b []byte) bool {
	if !own(b) {
		return false
	}
	sl.state = loading
	return true
}

// holdsExec keeps EXEC's reply back if a RANDOMKEY in it names one of Forebay's own keys: session.randomsOf goes on with it.
func (s *session) holdsExec(sl *slot, b []byte) bool {
	d := sl.more
	tx := d.tx
	if tx.randoms == 0 || tx.abort != nil || b[0] != '*' || null(b) || elements(b) != len(tx.cmds) || !mayName(b) {
		return false
	}
	eachElement(b, func(i int, e []byte) { tx.held = tx.held || tx.cmds[i].random > 0 && own(e) })
	if !tx.held {
		return false
	}
	d.reply = append(d.reply[:0], b...)
	sl.state = loading
	return true
}

// randomsOf puts other keys in place of Forebay's own that the RANDOMKEYs of a transaction have named: keys of a moment later. EXEC is the newest
// command. The lock is held, and is given up meanwhile.
func (s *session) randomsOf(tx *transaction) {
	if tx.randoms == 0 || tx.abort != nil {
		return
	}
	seq := s.fifo.tail - 1
	s.drain()
	if s.gone || !tx.held {
		return
	}
	sl := s.fifo.at(seq)
	d := sl.more
	out := redcon.AppendArray(nil, len(tx.cmds))
	eachElement(d.reply, func(i int, e []byte) {
		if q := &tx.cmds[i]; q.random > 0 && own(e) && !s.gone {
			t := s.target
			t.DB = q.random - 1
			e = s.another(t)
		}
		out = append(out, e...)
	})
	if s.gone {
		return
	}
	d.reply = out
	sl.state = waiting
	s.takeExec(seq, sl, tx.altered(d, out))
	s.advance()
	s.load()
}

// another finds a key for a client of that target, as the reply to its RANDOMKEY. The lock is held, and is given up meanwhile.
func (s *session) another(t wire.Target) []byte {
	s.mu.Unlock()
	defer s.mu.Lock()
	ctx, cancel := context.WithTimeout(s.srv.ctx, s.srv.opts.Budget)
	defer cancel()
	b, err := s.srv.anotherKey(ctx, t)
	var refused *wire.ReplyError
	switch {
	case errors.As(err, &refused):
		return refused.Raw
	case err != nil:
		return []byte(redisLost)
	default:
		return b
	}
}

// anotherKey is another's search, on a connection like the client's.
func (srv *Server) anotherKey(ctx context.Context, t wire.Target) ([]byte, error) {
	b, found, err := srv.tryRandom(ctx, t)
	if found || err != nil {
		return b, err
	}
	for cursor := []byte("0"); ; {
		b, err := srv.ask(ctx, t, appendCommand(nil, [][]byte{[]byte("SCAN"), cursor, []byte("COUNT"), []byte(randomPage)}), 1)
		if err != nil {
			return nil, err
		}
		if b[0] != '*' {
			break // the user may not
		}
		_, head := countOf(b)
		size := bulkSize(b[head:])
		if size == 0 {
			break
		}
		cursor = bytes.Clone(payload(b[head : head+size]))
		list := visible(b, true, true)[head+size:]
		if n, _ := countOf(list); n > 0 {
			chosen := rand.IntN(int(n))
			eachElement(list, func(i int, e []byte) {
				if i == chosen {
					b = e
				}
			})
			return b, nil
		}
		if string(cursor) == "0" {
			return []byte(nullOf(t)), nil
		}
	}
	for range randomMore {
		b, found, err := srv.tryRandom(ctx, t)
		if found || err != nil {
			return b, err
		}
	}
	return []byte(nullOf(t)), nil
}

// tryRandom asks for several random keys at once and returns the first reply that does not name one of Forebay's own: a key, none, or an error.
func (srv *Server) tryRandom(ctx context.Context, t wire.Target) (reply []byte, found bool, err error) {
	b, err := srv.ask(ctx, t, bytes.Repeat([]byte("*1\r\n$9\r\nRANDOMKEY\r\n"), randomTries), randomTries)
	for err == nil && len(b) > 0 {
		var sc wire.Scanner
		n, _, err := sc.Scan(b)
		if err != nil || !own(b) {
			return b[:n], true, err
		}
		b = b[n:]
	}
	return nil, false, err
}

// nullOf is the null of a target's protocol.
func nullOf(t wire.Target) string {
	if t.Proto == 3 {
		return "_\r\n"
	}
	return "$-1\r\n"
}

// ask sends commands that change nothing, on a shared connection of a target, and returns their n replies.
func (srv *Server) ask(ctx context.Context, t wire.Target, frames []byte, n int) ([]byte, error) {
	up, err := srv.opts.Pool.Shared(ctx, t)
	if err != nil {
		return nil, err
	}
	q := &question{left: n, done: make(chan struct{})}
	if err := up.Submit(q, frames, n, wire.Now()); err != nil {
		return nil, err
	}
	select {
	case <-q.done:
		return q.got, q.err
	case <-ctx.Done():
		return nil, ctx.Err() // what comes then is q's, which nobody looks at any more
	}
}

// question receives the replies to what one goroutine asks and waits for. Only the connection's reader touches it until done is closed.
type question struct {
	left int
	got  []byte
	err  error
	done chan struct{}
}

// Replies takes whole replies.
func (q *question) Replies(b []byte, ends []int) { q.add(b, len(ends)) }

func (q *question) add(b []byte, n int) {
	if len(q.got)+len(b) > askMost {
		q.got, q.err = nil, errAskedTooMuch
	}
	if q.err == nil {
		q.got = append(q.got, b...)
	}
	if q.left -= n; q.left == 0 && n > 0 {
		close(q.done)
	}
}

// Large tells that the connection need not wait for this one.
func (q *question) Large([]byte) bool { return false }

// Part takes a part of a large reply.
func (q *question) Part(b []byte, last bool) {
	n := 0
	if last {
		n = 1
	}
	q.add(b, n)
}

// Flush has nothing to send.
func (q *question) Flush() {}

// Broken ends the question without an answer.
func (q *question) Broken(n int, _ bool) {
	q.err = errors.New("the connection ended")
	q.add(nil, n)
}

// Stalled changes nothing: who asks has a deadline.
func (q *question) Stalled() {}
