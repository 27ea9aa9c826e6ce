package proxy

import (
	"errors"
	"fmt"
	"strconv"

	"forebay/backend/redis/wire"
)

// local answers a command about the client's own connection. If that is the client's alone and Redis holds state of it, the command
// goes there, and what it changes is followed by its reply.
func (s *session) local(cmd *command, frame []byte, args [][]byte) {
	if !cmd.arityOK(len(args)) {
		s.reply(fmt.Appendf(nil, "-ERR wrong number of arguments for '%s' command\r\n", cmd.name))
		return
	}
	switch cmd.name {
	case "quit":
		s.reply([]byte("+OK\r\n"))
		s.quit = true
	case "reset":
		s.reset()
	case "hello":
		s.hello(cmd, frame, args)
	case "auth":
		s.auth(cmd, frame, args)
	case "select":
		s.selectDB(cmd, frame, args)
	case "client":
		s.client(cmd, frame, args)
	case "forebay":
		s.forebay(cmd, args)
	}
}

// follow forwards a command on the client's own connection and calls then with its reply if it is not an error.
func (s *session) follow(cmd *command, frame []byte, then func()) {
	s.submit()
	s.await(func() bool { return s.fifo.empty() }) // what is being loaded is answered in the protocol it was asked in
	s.append(frame, s.push(plain, cmd, 1))
	s.slot().kind = helloReply // only HELLO's reply has an id to replace
	s.slot().more = &detail{then: then}
	s.drain()
}

// move makes t the client's target if Redis lets it. The error is what the client is told.
func (s *session) move(t wire.Target) []byte {
	s.drain()
	s.await(func() bool { return s.fifo.empty() }) // what is being loaded is answered in the protocol it was asked in
	s.leaveOwn()
	if s.gone {
		return nil
	}
	s.mu.Unlock()
	up, err := s.srv.opts.Pool.Shared(s.srv.ctx, t)
	s.mu.Lock()
	if err != nil {
		var refused *wire.ReplyError
		if errors.As(err, &refused) {
			return refused.Raw
		}
		return []byte(redisDown)
	}
	s.target, s.up = t, up
	return nil
}

// selectDB changes the database.
func (s *session) selectDB(cmd *command, frame []byte, args [][]byte) {
	db, ok := parseInt(args[1])
	if s.own && s.stateful() {
		s.follow(cmd, frame, func() { s.target.DB = int(db) })
		return
	}
	t := s.target
	t.DB = int(db)
	switch {
	case ok && t == s.target && !s.srv.opts.Store.Up() && s.mayReadAll():
		s.reply([]byte("+OK\r\n"))
	case !ok || db < 0 || db > 1<<20 || t == s.target:
		s.pass1(cmd, frame) // it is there already, or Redis says what is wrong
	default:
		if !s.permitted(cmd, "SELECT", strconv.Itoa(s.target.DB)) {
			return
		}
		if refused := s.move(t); refused != nil {
			s.reply(refused)
			return
		}
		s.reply([]byte("+OK\r\n"))
	}
}

// auth asks Redis, on a fresh connection, whether it lets the client in: a password that was good once may have been changed.
func (s *session) auth(cmd *command, frame []byte, args [][]byte) {
	if len(args) > 3 {
		s.reply([]byte("-ERR syntax error\r\n"))
		return
	}
	id, _ := identityOf(args)
	if s.own && s.stateful() {
		s.follow(cmd, frame, func() { s.target.Identity = id })
		return
	}
	t := s.target
	t.Identity = id
	if refused := s.verify(t); refused != nil {
		s.reply(refused)
		return
	}
	if refused := s.move(t); refused != nil {
		s.reply(refused)
		return
	}
	s.reply([]byte("+OK\r\n"))
}

// verify returns Redis's refusal of a target, nil if it lets it in.
func (s *session) verify(t wire.Target) []byte {
	s.drain()
	s.mu.Unlock()
	err := s.srv.opts.Pool.Verify(s.srv.ctx, t)
	s.mu.Lock()
	var refused *wire.ReplyError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused):
		return refused.Raw
	default:
		return []byte(redisDown)
	}
}

// reset makes the client what a new one is.
func (s *session) reset() {
	s.drain()
	s.await(func() bool { return s.fifo.empty() })
	if s.own && s.up != nil {
		s.closeOwn()
	}
	s.up, s.own, s.tx, s.pins = nil, false, nil, pins{}
	s.target = wire.Target{Proto: 2}
	s.setName("")
	if s.mute == muted {
		s.mute = loud
	}
	s.reply([]byte("+RESET\r\n"))
}
