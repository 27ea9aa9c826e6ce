package proxy

import (
	"sync/atomic"

	"github.com/cespare/xxhash/v2"

	"forebay/backend/redis/wire"
	"forebay/internal/event"
)

// gatherMax is the most of a reply that is gathered to be looked at: an MGET's, a transaction's.
const gatherMax = 64 << 20

// large takes the frame at the front of the client's buffer, of which only the beginning is there, and streams it to Redis on a connection
// of the client's own. What must be looked at whole is gathered instead. The lock is held.
func (s *session) large() {
	args := words((*s.in)[s.off:], s.args)
	s.args = args
	cmd := &s.srv.unknown
	if len(args) > 0 {
		if c := s.srv.table.Load().find(args[0]); c != nil {
			cmd = c
		}
	}
	if cmd.read != noRead || (cmd.class != shared && !s.pins.relay) || s.mayNeed(cmd, args) {
		s.framer.whole = true
		return
	}
	if s.mute == mutesNext {
		s.mute = mutesThis
		defer func() { s.mute = loud }()
	}
	var undropped error
	if cmd.writes {
		known := *cmd
		if known.firstKey == 0 || known.lastKey != known.firstKey || len(args) <= known.firstKey {
			known.firstKey = 0 // keys may come later in the frame
		}
		if undropped = s.fence(&known, args); s.tx != nil {
			undropped = nil // it is only queued: EXEC makes it safe, or is refused
		}
		if undropped == nil {
			s.fenceNear(&known, args)
		} else if s.pins.relay {
			s.drop(undropped)
		} else {
			s.reply([]byte(errorReply(undropped)))
		}
	}
	defer s.holdFences()
	ok := undropped == nil && s.takeOwn()
	if ok && !s.pins.relay {
		sl := s.push(plain, cmd, 1)
		sl.writes = true // a part of it may have been done whatever happens
		s.owed++
		if s.tx != nil {
			s.tx.add(true)
		}
	}
	s.mu.Unlock()
	err := s.stream(ok)
	s.mu.Lock()
	if err != nil {
		s.drop(err)
		if ok {
			s.up.Close() // it holds half a command
		}
	}
}

// stream copies the frame from the client to its connection (or, without one, to nowhere) as it arrives, until its end. Bound: the connection's
// write buffer, which makes the client wait, and the client's own.
func (s *session) stream(send bool) error {
	for {
		b := (*s.in)[s.off:]
		n, done, err := s.framer.rest(b)
		if err != nil {
			return err
		}
		if send && n > 0 {
			if err := s.up.Submit(s, b[:n], 0, s.now); err != nil {
				return err
			}
		}
		s.off += n
		if s.off == len(*s.in) {
			*s.in, s.off = (*s.in)[:0], 0
		}
		if done {
			s.backlog = len(*s.in) > 0
			if !s.backlog {
				s.srv.ins.put(s.in)
				s.in = nil
			}
			return nil
		}
		if cap(*s.in) < streamAt {
			bigger := append(make([]byte, 0, streamAt), (*s.in)[s.off:]...)
			s.in, s.off = &bigger, 0
		}
		if err := s.read(); err != nil {
			return err
		}
	}
}

// stream is a large reply on its way from Redis to a slot.
type stream struct {
	slot   uint64
	gather bool   // it is looked at whole
	head   bool   // its beginning is looked at before it is passed on
	list   bool   // its keys are gathered, so that Forebay's own can be left out
	skip   bool   // it goes nowhere: its reader was answered long ago, or has left
	late   bool   // it is still owed, to a slot that was answered without it
	push   bool   // it answers no command
	over   bool   // it is gathered and came to more than gatherMax
	keep   []byte // of it so far, for the near copy; nil: that does not want it
	muted  bool   // the client is not to have it
}

// Large takes the news of a large reply and decides what becomes of it.
func (s *session) Large(head []byte) (blocks bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clock = wire.Now()
	s.keepEnd()
	s.streamed = stream{}
	switch {
	case s.own && s.unsolicited(head):
		s.streamed.push = true
		return true
	case s.fifo.orphans > 0:
		s.streamed.skip, s.streamed.late = true, true
		return false
	}
	seq, sl := s.fifo.next()
	if sl == nil || s.gone {
		s.streamed.skip = true
		return false
	}
	s.streamed.slot = seq
	if sl.state == waiting && sl.kind == readOne && s.tooOld(sl.key, sl.route, sl.age) {
		s.srv.large.add(s.target.DB, sl.key)
		s.streamed.skip, s.streamed.late = true, true
		s.miss(seq, sl, false)
		s.load()
		return false
	}
	if sl.state == waiting {
		if gathers, blocks := s.gathers(sl, head); gathers {
			return blocks
		}
	}
	switch {
	case sl.state != waiting: // answered without Redis: it came too late
		s.streamed.skip, s.streamed.late = true, true
		return false
	case sl.kind == keysReply || sl.kind == scanReply:
		s.listBegin(sl)
		return true
	case sl.kind != plain && sl.kind != readOne:
		s.streamed.gather = true
		if sl.more == nil {
			sl.more = &detail{}
		}
		sl.more.reply = sl.more.reply[:0]
		sl.state = gathering
		return false
	}
	sl.state, s.streamed.muted = streaming, sl.muted
	if sl.kind == readOne {
		s.srv.large.add(s.target.DB, sl.key)
		s.record(sl, sl.key, event.Event{Kind: event.Hit, Origin: event.FromRedis, Bytes: sl.op.size(head)})
		s.keepBegin(sl, head)
	}
	return true
}

// Part takes the next bytes of a large reply. If they are passed on, it waits until the client takes them.
func (s *session) Part(b []byte, last bool) {
	s.mu.Lock()
	st := &s.streamed
	switch {
	case st.skip || s.gone:
		if last && st.late && !s.gone {
			s.skipped()
		}
		s.mu.Unlock()
		return
	case st.gather:
		s.gatherPart(b, last)
		s.mu.Unlock()
		return
	case st.head:
		if b = s.headPart(b, last); b == nil {
			s.mu.Unlock()
			return
		}
	case st.list:
		if b = s.listPart(b, last); b == nil {
			s.mu.Unlock()
			return
		}
	}
	if !st.push {
		s.await(func() bool { return s.fifo.head == st.slot })
		s.gathered = 0 // of a list: what was gathered is about to be written
	}
	s.keepPart(b, last)
	if !s.streamed.muted {
		s.pass(b, !s.own)
	}
	if last && !st.push && !s.gone {
		sl := s.fifo.at(st.slot)
		s.clock = wire.Now()
		s.count(sl, 1)
		s.owed--
		sl.state = waiting
		if sl.n--; sl.n == 0 {
			s.ready(sl)
		}
		s.advance()
	}
	s.mu.Unlock()
	s.Flush()
}

// skipped ends a large reply that came too late. Until then it is owed like any other: if the connection breaks before, Broken counts it.
// Its slot may have been popped meanwhile.
func (s *session) skipped() {
	if s.fifo.orphans > 0 {
		s.fifo.orphans--
	} else if _, sl := s.fifo.next(); sl != nil {
		sl.n--
	}
	s.owed--
	s.advance()
}

// gatherPart keeps the next bytes of a reply that is looked at whole.
func (s *session) gatherPart(b []byte, last bool) {
	seq := s.streamed.slot
	sl := s.fifo.at(seq)
	d := sl.more
	switch {
	case s.streamed.over:
	case len(d.reply)+len(b) > gatherMax:
		s.streamed.over = true
		d.reply = nil
	default:
		d.reply = append(d.reply, b...)
	}
	s.gathered = len(d.reply)
	s.weighOut()
	if !last {
		return
	}
	s.gathered = 0
	s.owed--
	sl.state = waiting
	if s.streamed.over {
		sl.n--
		s.finish(seq, sl, []byte("-ERR reply of more than 64 MiB; ask for fewer keys at once\r\n"))
	} else {
		s.take(seq, sl, d.reply)
	}
	s.advance()
	s.load()
}

// largeKeys remembers, approximately, which keys had large values, so that they are asked for on other connections. The zero value is ready.
// It is a table of hashes: a key can be forgotten, when another takes its place, and never mistaken but for one in 2^64.
type largeKeys struct {
	slots [4096]atomic.Uint64
	any   atomic.Bool
}

func (l *largeKeys) place(db int, key []byte) (*atomic.Uint64, uint64) {
	h := xxhash.Sum64(key)*31 + uint64(db) + 1
	return &l.slots[h%uint64(len(l.slots))], h
}

func (l *largeKeys) add(db int, key []byte) {
	p, h := l.place(db, key)
	p.Store(h)
	l.any.Store(true)
}

func (l *largeKeys) has(db int, key []byte) bool {
	if !l.any.Load() {
		return false
	}
	p, h := l.place(db, key)
	return p.Load() == h
}
