package proxy

import (
	"bytes"

	"github.com/tidwall/redcon"

	"forebay/internal/cache"
	"forebay/internal/event"
)

// takeExec looks at EXEC's reply: reads in it that are absent, and that no command before them in it may have made so, are
// patched with what is loaded.
func (s *session) takeExec(seq uint64, sl *slot, b []byte) {
	d := sl.more
	tx := d.tx
	if tx.abort != nil {
		s.discarded(seq, sl, b)
		return
	}
	if b[0] != '*' || null(b) || elements(b) != len(tx.cmds) {
		s.finish(seq, sl, b)
		return
	}
	missing, before := false, s.target.DB
	eachElement(b, func(i int, e []byte) {
		q := &tx.cmds[i]
		if q.db > 0 && e[0] != '-' {
			s.target.DB = q.db - 1
		}
		if q.log != nil {
			s.log(q.log, e)
		}
		if q.read == noRead || e[0] == '-' {
			return
		}
		q.each(e, func(r *txRead, e []byte) {
			r.bad = s.isBad(sl, q, r, e)
			if tx.lacks(q, r, e) {
				missing = true
				return
			}
			s.recordKey(sl, r.key, r.route, tx.event(q, r, e))
		})
	})
	if !missing {
		s.finish(seq, sl, b)
		return
	}
	if len(d.reply) == 0 {
		d.reply = append(d.reply, b...)
	}
	after := s.target.DB
	s.target.DB = before // what is loaded is of the database that the client was in until now
	s.miss(seq, sl, false)
	s.load()
	s.target.DB = after
}

// vague tells whether a reply of the operation may mean that there is no such key, or that there is one that holds nothing there.
func (op readOp) vague() bool {
	switch op {
	case opStrLen, opGetRange, opHGet, opHMGet, opHExists, opHStrLen:
		return true
	default:
		return false
	}
}

// lacks tells whether the reply e of a read is to be replaced by what is loaded. What was loaded before EXEC may have been evicted since.
func (tx *transaction) lacks(q *queued, r *txRead, e []byte) bool {
	switch {
	case r.bad:
		return true
	case !r.patch || !q.read.one().absent(e):
		return false
	case r.need < 0:
		return true
	default:
		// Behind a vague reply, only a look can tell; where the transaction wrote the key since, it would see that.
		return tx.needs[r.need].found != cache.FoundNowhere && !(q.read.vague() && tx.blind(r, e))
	}
}

// blind tells that Redis must not be looked at for what a read lacks: the transaction may have written the key behind it, and the read must not see that.
func (tx *transaction) blind(r *txRead, e []byte) bool {
	return tx.wrote[string(r.key)] || tx.unsure && null(e)
}

// event is that of a read whose reply stands. The first read of what was loaded before EXEC is the miss that it was.
func (tx *transaction) event(q *queued, r *txRead, e []byte) event.Event {
	if q.read.one().absent(e) {
		if r.route == nil {
			return event.Event{Kind: event.Miss, Result: event.Unrouted}
		}
		return event.Event{Kind: event.Miss, Result: event.Absent}
	}
	size := q.read.one().size(e)
	if r.need >= 0 && tx.needs[r.need].found == cache.FoundInSource {
		tx.needs[r.need].found = cache.FoundInRedis
		return event.Event{Kind: event.Miss, Result: event.Loaded, Origin: event.FromSource, Bytes: size}
	}
	return event.Event{Kind: event.Hit, Origin: event.FromRedis, Bytes: size}
}

// one is the operation on each key.
func (op readOp) one() readOp {
	if op == opMGet {
		return opGet
	}
	return op
}

// each calls f for each key's part of the command's reply e.
func (q *queued) each(e []byte, f func(r *txRead, e []byte)) {
	if q.read != opMGet {
		f(&q.reads[0], e)
		return
	}
	eachElement(e, func(k int, e []byte) {
		if k < len(q.reads) {
			f(&q.reads[k], e)
		}
	})
}

// elements is the number that an array reply announces.
func elements(b []byte) int {
	end := bytes.IndexByte(b, '\r')
	if end < 1 {
		return -1
	}
	n, ok := parseInt(b[1:end])
	if !ok {
		return -1
	}
	return int(n)
}

// wantExec asks for what EXEC's reply lacks.
func (m *miss) wantExec(d *detail) {
	tx := d.tx
	eachElement(d.reply, func(i int, e []byte) {
		q := &tx.cmds[i]
		if q.read == noRead || e[0] == '-' {
			return
		}
		k := -1
		q.each(e, func(r *txRead, e []byte) {
			if k++; !tx.lacks(q, r, e) {
				return
			}
			if tx.unsure || len(tx.wrote) > 0 {
				m.blind = append(m.blind, tx.blind(r, e))
			}
			m.wants = append(m.wants, cache.Want{Key: r.key, Route: r.route})
			m.index = append(m.index, i)
			m.sub = append(m.sub, k)
		})
	})
}

// loadedExec makes EXEC's reply of Redis's and what was loaded. A failed load fails it. If the transaction wrote, it was done all the same, and only what
// it read cannot be told: what it reads was loaded before, but has left Redis since.
func (s *session) loadedExec(m *miss, sl *slot, results []cache.Result) {
	d := sl.more
	var failed error
	for i := range results {
		r := &d.tx.cmds[m.index[i]].reads[m.sub[i]]
		s.recordLoad(sl, r.key, r.route, &results[i])
		if results[i].Err != nil {
			failed = results[i].Err
		}
	}
	if failed != nil {
		reply := abortReply(failed)
		if d.tx.writes {
			reply = append([]byte("-EXECABORT Transaction was done, but a read in it failed: "), errorReply(failed)[1:]...)
		}
		s.finish(m.seq, sl, reply)
		return
	}
	out := redcon.AppendArray(nil, len(d.tx.cmds))
	next := 0
	eachElement(d.reply, func(i int, e []byte) {
		q := &d.tx.cmds[i]
		if next == len(m.index) || m.index[next] != i {
			out = append(out, e...)
			return
		}
		if q.read == opMGet {
			out = redcon.AppendArray(out, len(q.reads))
		}
		k := -1
		q.each(e, func(r *txRead, e []byte) {
			k++
			if next == len(m.index) || m.index[next] != i || m.sub[next] != k {
				out = append(out, e...)
				return
			}
			if res := &results[next]; r.need >= 0 && q.read.vague() && res.Cached {
				out = append(out, e...) // it was there all along
			} else {
				out = s.appendResult(out, q.read.one(), q.detail, res)
			}
			next++
		})
	})
	s.finish(m.seq, sl, out)
}
