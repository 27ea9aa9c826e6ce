package proxy

import (
	"bytes"
	"time"

	"forebay/backend/redis/wire"
	"forebay/internal/event"
	"forebay/internal/route"
)

var _ wire.Receiver = (*session)(nil)

// Replies takes whole replies of Redis, in the order of the commands, and gives each to its slot.
func (s *session) Replies(b []byte, ends []int) {
	now := wire.Now()
	s.mu.Lock()
	s.clock = now
	if s.gone {
		s.owed -= len(ends)
		s.unfenceLeft()
		s.mu.Unlock()
		return
	}
	from := 0
	for i := 0; i < len(ends); {
		one := b[from:ends[i]]
		if s.own && s.unsolicited(one) {
			s.write(one)
			from, i = ends[i], i+1
			continue
		}
		if s.fifo.orphans > 0 { // its reader was answered long ago
			s.fifo.orphans--
			s.owed--
			s.advance() // who drains waits for it too
			from, i = ends[i], i+1
			continue
		}
		seq, sl := s.fifo.next()
		if sl == nil {
			if s.own {
				s.write(b[from:]) // SUBSCRIBE in a transaction: Redis says more than it was asked
			}
			break
		}
		k := 1
		if sl.kind == plain {
			k = min(sl.n, len(ends)-i)
			s.emit(seq, sl, b[from:ends[i+k-1]])
			s.count(sl, k)
			if sl.n -= k; sl.n == 0 {
				s.ready(sl)
			}
		} else {
			s.take(seq, sl, one)
		}
		s.owed -= k
		from, i = ends[i+k-1], i+k
		s.advance()
	}
	s.load()
	if s.own && s.out.size > s.srv.opts.Limits.ReplyBytes {
		// Nobody else waits for this connection: its reader does, and Redis bounds what it keeps for it.
		s.mu.Unlock()
		s.Flush()
		s.mu.Lock()
		s.await(func() bool { return s.out.size <= s.srv.opts.Limits.ReplyBytes })
	}
	s.mu.Unlock()
}

// take gives one reply to a slot that looks at it.
func (s *session) take(seq uint64, sl *slot, b []byte) {
	if sl.kind == subReply {
		s.confirm(seq, sl, b)
		return
	}
	sl.n--
	if sl.state != waiting {
		return // answered without Redis: it came too late
	}
	if sl.looks > 0 {
		s.takeAge(sl, b)
		return
	}
	switch sl.kind {
	case readOne:
		s.takeRead(seq, sl, b)
	case readMany:
		s.takeMGet(seq, sl, b)
	case execReply:
		if !s.holdsExec(sl, b) {
			s.takeExec(seq, sl, sl.more.tx.altered(sl.more, b))
		}
	case keysReply, scanReply:
		s.finish(seq, sl, visible(b, sl.kind == scanReply, false))
	case randomReply:
		if !holds(sl, b) {
			s.finish(seq, sl, b)
		}
	case infoReply:
		s.finish(seq, sl, s.srv.addInfo(b, sl.more.keys))
	case alteredReply:
		s.finish(seq, sl, sl.more.alter(b))
	case logReply:
		s.log(sl.more.log, b)
		s.finish(seq, sl, b)
	case helloReply:
		if sl.more != nil && b[0] != '-' {
			sl.more.then()
		}
		s.finish(seq, sl, replaceID(b, s.id))
	}
}

// finish gives a slot its whole reply.
func (s *session) finish(seq uint64, sl *slot, b []byte) {
	s.count(sl, 1)
	s.emit(seq, sl, b)
	s.ready(sl)
}

// takeRead looks at the reply of a read of one key: passed on if it is a value, loaded if it is none and the key has a route.
func (s *session) takeRead(seq uint64, sl *slot, b []byte) {
	switch {
	case b[0] == '-':
		s.record(sl, sl.key, event.Event{Kind: event.Error, Error: line(string(bytes.TrimSpace(b[1:])))})
	case sl.age != route.Fresh && !sl.op.absent(b) && s.tooOld(sl.key, sl.route, sl.age):
		s.miss(seq, sl, false)
		return
	case !sl.op.absent(b) && s.admits(sl, sl.op, sl.key, sl.route, sl.more, b):
		s.record(sl, sl.key, event.Event{Kind: event.Hit, Origin: event.FromRedis, Bytes: sl.op.size(b)})
		if sl.op == opGet && sl.route != nil && sl.age == route.Fresh {
			s.offer(sl.key, b, sl.token)
		}
	case sl.route == nil:
		s.record(sl, sl.key, event.Event{Kind: event.Miss, Result: event.Unrouted})
	default:
		s.miss(seq, sl, false)
		return
	}
	s.finish(seq, sl, b)
}

// absent tells whether the reply means, or may mean, that there is no such key: STRLEN 0 and GETRANGE "" do not tell.
func (op readOp) absent(b []byte) bool {
	if op.isHash() {
		return op.absentHash(b)
	}
	switch op {
	case opStrLen:
		return len(b) == 4 && b[1] == '0'
	case opGetRange:
		return null(b) || (len(b) > 1 && b[1] == '0')
	default:
		return null(b)
	}
}

// size is the value's size as the reply tells it.
func (op readOp) size(b []byte) int64 {
	if op.isHash() {
		return op.sizeHash(b)
	}
	end := bytes.IndexByte(b, '\r')
	if end < 1 {
		return 0
	}
	n, _ := parseInt(b[1:end])
	return n
}

// null tells whether b begins with a null of either protocol.
func null(b []byte) bool {
	return b[0] == '_' || (len(b) >= 5 && (b[0] == '$' || b[0] == '*') && b[1] == '-')
}

// takeMGet looks at an MGET's reply: passed on if nothing is missing that has a route.
func (s *session) takeMGet(seq uint64, sl *slot, b []byte) {
	d := sl.more
	if b[0] != '*' {
		s.record(sl, nil, event.Event{Kind: event.Error, Error: line(string(bytes.TrimSpace(b[1:])))})
		s.finish(seq, sl, b)
		return
	}
	missing := false
	eachElement(b, func(i int, e []byte) {
		if i >= len(d.keys) {
			return
		}
		switch {
		case d.ages != nil && !null(e) && s.tooOld(d.keys[i], d.routes[i], d.ages[i]):
			missing = true
			d.bad = append(d.bad, i)
		case !null(e) && s.admits(sl, opGet, d.keys[i], d.routes[i], nil, e):
			s.recordKey(sl, d.keys[i], d.routes[i], event.Event{Kind: event.Hit, Origin: event.FromRedis, Bytes: opGet.size(e)})
			if d.routes[i] != nil {
				s.offer(d.keys[i], e, d.tokens[i])
			}
		case d.routes[i] == nil:
			s.recordKey(sl, d.keys[i], nil, event.Event{Kind: event.Miss, Result: event.Unrouted})
		default:
			missing = true
			if !null(e) {
				d.bad = append(d.bad, i)
			}
		}
	})
	if !missing {
		s.finish(seq, sl, b)
		return
	}
	if len(d.reply) == 0 {
		d.reply = append(d.reply, b...)
	}
	s.miss(seq, sl, false)
}

// eachElement calls f for each element of an array reply, nested ones whole.
func eachElement(b []byte, f func(i int, e []byte)) {
	pos := bytes.IndexByte(b, '\n') + 1
	var sc wire.Scanner
	for i := 0; pos < len(b); i++ {
		n, done, err := sc.Scan(b[pos:])
		if err != nil || !done {
			return
		}
		f(i, b[pos:pos+n])
		pos += n
	}
}

// record records an event of a slot's key.
func (s *session) record(sl *slot, key []byte, ev event.Event) {
	s.recordKey(sl, key, sl.route, ev)
}

// count counts n commands of a slot as answered.
func (s *session) count(sl *slot, n int) {
	d := time.Duration(s.clock - sl.at)
	for range n {
		s.shard.Observe(sl.id, d)
	}
}

// emit passes reply bytes on: to the client if the slot is the oldest, else they are kept with it.
func (s *session) emit(seq uint64, sl *slot, b []byte) {
	if sl.muted {
		return
	}
	if seq == s.fifo.head {
		s.write(b)
		return
	}
	sl.buf = append(sl.buf, b...)
	s.held += len(b)
}

// ready ends a slot.
func (s *session) ready(sl *slot) {
	sl.state = ready
	if sl.fences != nil {
		s.unfence(sl.fences)
		sl.fences = nil
	}
	if sl.op != noRead && sl.route != nil || sl.kind == execReply && sl.more != nil && sl.more.tx.routed {
		s.routed--
	}
	if sl.kind == readOne && (sl.op == opGetEx || sl.op == opGetDel) && sl.route != nil {
		s.resending--
	}
	if sl.kind == readMany {
		s.srv.details.put(sl.more)
		sl.more = nil
	}
}

// advance passes on what is ready at the head of the FIFO.
func (s *session) advance() {
	for !s.fifo.empty() {
		sl := s.fifo.at(s.fifo.head)
		if len(sl.buf) > 0 {
			s.held -= len(sl.buf)
			s.write(sl.buf)
			sl.buf = sl.buf[:0]
		}
		if sl.state != ready {
			break
		}
		s.fifo.pop()
	}
	if s.fifo.empty() && len(s.fifo.ring) > idleSlots {
		s.fifo.ring = nil
	}
	if s.waiters > 0 {
		s.cond.Broadcast()
	}
}

// idleSlots is how many slots a client keeps while nothing is asked.
const idleSlots = 16

// Broken takes the news that the connection has ended: n replies will not come.
func (s *session) Broken(n int, sent bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.own && s.up != nil && n == 0 && s.up.Closed() {
		s.ended = s.up
		if s.stateful() && !(s.quit && s.pins.relay) {
			s.drop(nil)
		}
		n = s.owed - s.batchN - s.sending
	}
	if s.gone {
		s.owed -= n
		s.unfenceLeft()
		return
	}
	s.lost(n, sent)
	s.load()
	if s.waiters > 0 {
		s.cond.Broadcast()
	}
}

// lost ends the n oldest replies awaited: they will not come.
func (s *session) lost(n int, sent bool) {
	s.clock = wire.Now()
	for ; n > 0; n-- {
		s.owed--
		if s.fifo.orphans > 0 {
			s.fifo.orphans--
			continue
		}
		seq, sl := s.fifo.next()
		if sl == nil {
			break
		}
		s.unanswered(seq, sl, sent)
		s.advance()
	}
}

// unanswered ends one reply that will not come.
func (s *session) unanswered(seq uint64, sl *slot, sent bool) {
	sl.n--
	if sl.looks > 0 && sl.state == waiting {
		sl.looks-- // the read that follows will not be answered either
		return
	}
	switch {
	case sl.state == loading, sl.state == ready: // answered without it
	case sl.state == streaming:
		s.drop(nil) // it has the beginning of a reply that will never be whole
	case sl.writes && sent:
		// It may have been done or not, and nobody can know: an error would claim the one, silence the other.
		s.drop(nil)
	case sl.kind != plain && sl.route != nil && s.mayReadFor(sl):
		if sl.kind == readMany {
			sl.more.reply = sl.more.reply[:0] // the beginning of one that broke off
		}
		s.miss(seq, sl, false) // asked once more: only this connection may have ended
	default:
		s.emit(seq, sl, []byte(redisLost))
		s.count(sl, 1)
		if sl.op != noRead {
			s.record(sl, sl.key, event.Event{Kind: event.Error, Error: line(redisLost[1:])})
		}
		if sl.n == 0 {
			s.ready(sl)
		}
	}
}

// Stalled has routed reads loaded that Redis has owed for too long; their replies, when they come, are thrown away. What else the
// client asked for goes on waiting, as it would on Redis.
func (s *session) Stalled() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone || s.stateful() {
		return
	}
	before := wire.Now() - int64(s.srv.opts.StoreBudget)
	for seq := s.fifo.head; seq < s.fifo.tail; seq++ {
		sl := s.fifo.at(seq)
		pure := sl.kind != plain && !sl.writes && sl.route != nil
		if pure && sl.n == 1+sl.looks && sl.state == waiting && sl.at < before && s.mayReadFor(sl) {
			s.miss(seq, sl, true)
		}
	}
	s.load()
}
