package proxy

import (
	"errors"

	"forebay/internal/route"
)

// read1 forwards a read that loads what is missing (or, while Redis is down, has it loaded at once).
func (s *session) read1(cmd *command, frame []byte, args [][]byte) {
	if cmd.read == opMGet {
		s.readMGet(cmd, frame, args)
		return
	}
	r := s.srv.serves(s.target.DB, args[1], cmd.read)
	if r != nil && cmd.read == opGet && s.nearOne(cmd, r, args[1]) {
		return
	}
	blind := r != nil && !s.redisUp() && s.mayRead(r) // Redis will not be asked
	if !blind && s.srv.large.has(s.target.DB, args[1]) && !s.ownFor(r) {
		return
	}
	sl := s.push(readOne, cmd, 1)
	sl.op = cmd.read
	sl.key = append(sl.key[:0], args[1]...)
	if r != nil {
		sl.route, sl.token = r, s.srv.opts.Near.Token(s.target.DB, args[1])
		s.routed++
		switch {
		case cmd.read == opGetRange:
			start, ok1 := parseInt(args[2])
			end, ok2 := parseInt(args[3])
			if !ok1 || !ok2 { // Redis will say what is wrong
				sl.route = nil
				s.routed--
				break
			}
			sl.more = &detail{start: start, end: end}
		case cmd.read.isHash():
			sl.more = &detail{keys: copyWords(args[2:])}
		case cmd.read == opGetEx:
			sl.more = &detail{}
			s.resending++
		case cmd.read == opGetDel:
			s.resending++
		}
		if sl.route != nil && (cmd.read == opGetEx || r.IsObject()) {
			if sl.more == nil {
				sl.more = &detail{}
			}
			sl.more.frame = append([]byte(nil), frame...) // it may be sent once more
		}
	}
	s.askAge(sl)
	s.sendRead(frame, sl)
}

// ownFor moves the client to a connection of its own for a large value of a route, or nil. If Redis gives none, the value is loaded at once. false: the read
// was answered.
func (s *session) ownFor(r *route.Route) bool {
	err := s.moveOwn()
	if err == nil || errors.Is(err, errGone) {
		return err == nil
	}
	text, down := refusal(err)
	if down && r != nil && s.mayRead(r) {
		s.noRedis = true
		return true
	}
	s.reply(text)
	return false
}

func (s *session) readMGet(cmd *command, frame []byte, args [][]byte) {
	if s.nearMany(cmd, args) {
		return
	}
	sl := s.push(readMany, cmd, 1)
	sl.op = opMGet
	arena := sl.key[:0]
	for _, a := range args[1:] {
		arena = append(arena, a...)
	}
	sl.key = arena
	sl.more = s.srv.details.get(len(args) - 1)
	for _, a := range args[1:] {
		sl.more.keys = append(sl.more.keys, arena[:len(a):len(a)])
		arena = arena[len(a):]
		r := s.srv.serves(s.target.DB, a, opMGet)
		sl.more.routes = append(sl.more.routes, r)
		sl.more.tokens = append(sl.more.tokens, s.srv.opts.Near.Token(s.target.DB, a))
		if r != nil {
			sl.route = r
		}
	}
	if sl.route != nil {
		s.routed++
	}
	s.askAges(sl)
	s.sendRead(frame, sl)
}

// sendRead forwards a read, or has it loaded at once if Redis is known to be down and the client may read what it asks for.
func (s *session) sendRead(frame []byte, sl *slot) {
	if sl.route == nil || s.redisUp() || !s.mayReadFor(sl) {
		if sl.looks > 0 {
			s.appendAged(frame, sl)
			return
		}
		s.append(frame, sl)
		return
	}
	sl.n, sl.looks = 0, 0
	s.submit()
	s.miss(s.fifo.tail-1, s.fifo.at(s.fifo.tail-1), true)
	s.load()
}
