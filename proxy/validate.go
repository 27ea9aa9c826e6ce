package proxy

import (
	"bytes"

	"forebay/backend/redis/wire"
	"forebay/internal/check"
	"forebay/internal/event"
	"forebay/internal/route"
)

// What Redis holds for a key is held to the rules of the key's route, where it has any, before a byte of it leaves. A value that breaks them is
// as good as none: its slot is a miss. The flight that serves the miss looks in Redis once more, finds the value too, counts and discards it, and
// loads another (internal/cache/validate.go); so this package removes nothing, and what a client has written meanwhile is simply found there.
//
// Only whole values can be judged: GET, GETEX, GETDEL, MGET and GETRANGE 0 -1 show one, STRLEN its length. Another GETRANGE is passed on. Commands that
// work on a value within Redis have it judged before they are sent (cache.Engine.Ensure). Large values are gathered, up to gatherMax, and objects judged by their beginning, before they are streamed.

// judge holds what the reply b of a read shows of a value to the rules of r. The error is a [*check.Error] or nil.
func (op readOp) judge(r *route.Route, d *detail, b []byte) error {
	if r == nil || r.Rules == nil {
		return nil
	}
	switch {
	case op == opStrLen:
		return r.Rules.Length(op.size(b))
	case op.shows(d):
		return r.Check(payload(b))
	default:
		return nil
	}
}

// shows tells whether the operation's reply is the whole value.
func (op readOp) shows(d *detail) bool {
	switch op {
	case opGet, opGetEx, opGetDel:
		return true
	case opGetRange:
		return d != nil && d.start == 0 && d.end == -1
	default:
		return false
	}
}

// payload is the bytes of a bulk reply.
func payload(b []byte) []byte {
	from := bytes.IndexByte(b, '\n') + 1
	return b[from:max(from, len(b)-2)]
}

// admits holds the value that a reply shows to the rules of its route and tells whether it may be served. A finding is counted here if the flight that
// loads another will not come across the value: it may be served, or Redis has given it up.
func (s *session) admits(sl *slot, op readOp, key []byte, r *route.Route, d *detail, b []byte) bool {
	err := op.judge(r, d, b)
	if err == nil {
		return true
	}
	served := check.Served(err)
	if served || op == opGetDel {
		s.recordKey(sl, key, r, s.srv.opts.Engine.Finding(r, event.FromRedis, err))
	}
	return served
}

// isBad tells whether EXEC's reply e of a read is not to be served. A transaction that does more than read has had what it needs judged before
// (cache.Engine.Ensure), and what it reads since may be what it wrote itself.
func (s *session) isBad(sl *slot, q *queued, r *txRead, e []byte) bool {
	op := q.read.one()
	return r.patch && r.need < 0 && !op.absent(e) && !s.admits(sl, op, r.key, r.route, q.detail, e)
}

// gathers decides what becomes of a large value that must be judged before it is passed on: it is gathered whole, or as far as its beginning. false: it
// need not be judged.
func (s *session) gathers(sl *slot, head []byte) (gathers, blocks bool) {
	r := sl.route
	if sl.kind != readOne || r == nil || r.Rules == nil || !sl.op.shows(sl.more) {
		return false, false
	}
	if sl.more == nil {
		sl.more = &detail{}
	}
	sl.more.reply = sl.more.reply[:0]
	sl.state = gathering
	s.srv.large.add(s.target.DB, sl.key)
	if r.IsObject() || sl.op.size(head) > gatherMax-64 {
		s.streamed.head = true
		return true, true
	}
	s.streamed.gather = true
	return true, false
}

// headPart takes the next bytes of a large value until its beginning is there to be judged, and returns what is to be passed on then. If
// that breaks the rules, the rest goes nowhere, and the slot is a miss.
func (s *session) headPart(b []byte, last bool) (pass []byte) {
	st := &s.streamed
	sl := s.fifo.at(st.slot)
	d := sl.more
	d.reply = append(d.reply, b...)
	from := bytes.IndexByte(d.reply, '\n') + 1
	size := sl.op.size(d.reply)
	have := min(len(d.reply)-from, route.HeadBytes)
	if int64(have) < min(size, route.HeadBytes) && !last {
		return nil
	}
	st.head = false
	s.clock = wire.Now()
	if err := sl.route.CheckHead(d.reply[from:from+have], size); err != nil {
		served := check.Served(err)
		if served || sl.op == opGetDel {
			s.record(sl, sl.key, s.srv.opts.Engine.Finding(sl.route, event.FromRedis, err))
		}
		if !served {
			d.reply = nil
			st.skip, st.late = true, true
			s.miss(st.slot, sl, false)
			s.load()
			if last {
				s.skipped()
			}
			return nil
		}
	}
	sl.state, st.muted = streaming, sl.muted
	s.record(sl, sl.key, event.Event{Kind: event.Hit, Origin: event.FromRedis, Bytes: size})
	pass, d.reply = d.reply, nil
	return pass
}
