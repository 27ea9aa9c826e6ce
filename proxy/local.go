package proxy

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/tidwall/redcon"

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
		s.forebay(args)
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
	case !ok:
		s.reply([]byte("-ERR value is not an integer or out of range\r\n"))
	case db != int64(int32(db)):
		s.reply([]byte("-ERR value is out of range, value must between -2147483648 and 2147483647\r\n"))
	case db < 0 || db > 1<<20:
		s.reply([]byte("-ERR DB index is out of range\r\n"))
	case t == s.target:
		s.reply([]byte("+OK\r\n"))
	default:
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
	id := wire.Identity{User: "default", Pass: string(args[1]), Auth: true, Legacy: true}
	if len(args) == 3 {
		id = wire.Identity{User: string(args[1]), Pass: string(args[2]), Auth: true}
	}
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

// helloArgs is a parsed HELLO.
type helloArgs struct {
	proto   int // 0: not given
	auth    *wire.Identity
	name    []byte
	setName bool
}

func parseHello(args [][]byte) (h helloArgs, refused string) {
	if len(args) == 1 {
		return h, ""
	}
	v, ok := parseInt(args[1])
	if !ok {
		return h, "-ERR Protocol version is not an integer or out of range\r\n"
	}
	if v != 2 && v != 3 {
		return h, "-NOPROTO unsupported protocol version\r\n"
	}
	h.proto = int(v)
	for i := 2; i < len(args); i++ {
		switch left := len(args) - 1 - i; {
		case equalFold(args[i], "auth") && left >= 2:
			h.auth = &wire.Identity{User: string(args[i+1]), Pass: string(args[i+2]), Auth: true}
			i += 2
		case equalFold(args[i], "setname") && left >= 1:
			h.name, h.setName = args[i+1], true
			if !goodName(h.name) {
				return h, badName
			}
			i++
		default:
			return h, "-ERR Syntax error in HELLO option '" + line(string(args[i])) + "'\r\n"
		}
	}
	return h, ""
}

// hello changes protocol, user and name, and forwards the bare HELLO, so that the reply is Redis's own but for the id.
func (s *session) hello(cmd *command, frame []byte, args [][]byte) {
	h, refused := parseHello(args)
	if refused != "" {
		s.reply([]byte(refused))
		return
	}
	t := s.target
	if h.proto != 0 {
		t.Proto = h.proto
	}
	if h.auth != nil {
		t.Identity = *h.auth
	}
	named := func() {
		if h.setName {
			s.setName(string(h.name))
		}
	}
	if s.own && s.stateful() {
		s.follow(cmd, frame, func() {
			s.target = t
			named()
		})
		return
	}
	if h.auth != nil {
		if refused := s.verify(t); refused != nil {
			s.reply(refused)
			return
		}
	}
	if t != s.target || !s.srv.opts.Store.Up() {
		if refused := s.move(t); refused != nil {
			if string(refused) == redisDown && !t.Auth {
				s.target, s.up = t, nil // it can still read what has a route
				named()
				s.reply(s.helloDown())
				return
			}
			s.reply(refused)
			return
		}
	}
	named()
	bare := [][]byte{[]byte("HELLO")}
	if h.proto != 0 {
		bare = append(bare, args[1])
	}
	s.submit()
	s.append(appendCommand(nil, bare), s.push(helloReply, cmd, 1))
}

// helloDown is HELLO's reply while Redis does not answer.
func (s *session) helloDown() []byte {
	var b []byte
	if s.target.Proto == 3 {
		b = append(b, "%7\r\n"...)
	} else {
		b = redcon.AppendArray(b, 14)
	}
	text := func(k, v string) { b = redcon.AppendBulkString(redcon.AppendBulkString(b, k), v) }
	text("server", "redis")
	text("version", "7.0.0")
	b = redcon.AppendInt(redcon.AppendBulkString(b, "proto"), int64(s.target.Proto))
	b = redcon.AppendInt(redcon.AppendBulkString(b, "id"), s.id)
	text("mode", "standalone")
	text("role", "master")
	return redcon.AppendArray(redcon.AppendBulkString(b, "modules"), 0)
}

// replaceID puts the client's own id into HELLO's reply.
func replaceID(b []byte, id int64) []byte {
	mark := []byte("$2\r\nid\r\n:")
	i := bytes.Index(b, mark)
	if i < 0 {
		return b
	}
	i += len(mark)
	end := i + bytes.IndexByte(b[i:], '\r')
	out := strconv.AppendInt(append([]byte(nil), b[:i]...), id, 10)
	return append(out, b[end:]...)
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
	s.reply([]byte("+RESET\r\n"))
}

const badName = "-ERR Client names cannot contain spaces, newlines or special characters.\r\n"

func goodName(name []byte) bool {
	for _, c := range name {
		if c < '!' || c > '~' {
			return false
		}
	}
	return true
}

func (s *session) setName(name string) {
	if name == s.name {
		return
	}
	if s.name != "" {
		s.srv.opts.Sessions.Close(s.name)
	}
	if name != "" {
		s.srv.opts.Sessions.Open(name)
	}
	s.name = name
	s.rec.SetSession(name)
}

// client answers CLIENT: what is about this connection here, what changes it on one of its own, the rest by Redis.
func (s *session) client(cmd *command, frame []byte, args [][]byte) {
	sub := strings.ToLower(string(args[1]))
	switch {
	case sub == "id" && len(args) == 2:
		s.reply(redcon.AppendInt(nil, s.id))
	case sub == "getname" && len(args) == 2:
		if s.name == "" {
			s.reply([]byte(s.null()))
			return
		}
		s.reply(redcon.AppendBulkString(nil, s.name))
	case sub == "setname" && len(args) == 3:
		if !goodName(args[2]) {
			s.reply([]byte(badName))
			return
		}
		s.setName(string(args[2]))
		s.reply([]byte("+OK\r\n"))
	case sub == "setinfo" && len(args) == 4:
		s.setInfo(args)
	case sub == "info" && len(args) == 2:
		s.reply(s.text(s.describe()))
	case sub == "list":
		match, ok := listFilter(args[2:])
		if !ok {
			s.leaveOwn()
			s.append(frame, s.push(plain, cmd, 1))
			return
		}
		s.reply(s.text(s.srv.describeAll(s, match)))
	case sub == "kill" && len(args) >= 3:
		s.reply(s.srv.kill(s, args[2:]))
	case sub == "maint_notifications":
		s.reply([]byte("-ERR unknown subcommand 'MAINT_NOTIFICATIONS'. Try CLIENT HELP.\r\n"))
	case sub == "reply":
		if s.takeOwn() {
			s.relay(cmd, frame, args)
		}
	case sub == "tracking" || sub == "caching" || sub == "no-evict" || sub == "no-touch" || sub == "getredir" || sub == "trackinginfo":
		if s.takeOwn() {
			s.pins.forever = true
			s.append(frame, s.push(plain, cmd, 1))
		}
	default:
		s.leaveOwn()
		s.append(frame, s.push(plain, cmd, 1))
	}
}

func (s *session) setInfo(args [][]byte) {
	switch {
	case !goodName(args[3]):
		s.reply(fmt.Appendf(nil, "-ERR %s cannot contain spaces, newlines or special characters.\r\n", strings.ToLower(line(string(args[2])))))
	case equalFold(args[2], "lib-name"):
		s.libName = string(args[3])
		s.reply([]byte("+OK\r\n"))
	case equalFold(args[2], "lib-ver"):
		s.libVer = string(args[3])
		s.reply([]byte("+OK\r\n"))
	default:
		s.reply(fmt.Appendf(nil, "-ERR Unrecognized option '%s'\r\n", line(string(args[2]))))
	}
}

// text is a reply of several lines: verbatim in RESP3, as Redis has it.
func (s *session) text(t string) []byte {
	if s.target.Proto == 3 {
		return fmt.Appendf(nil, "=%d\r\ntxt:%s\r\n", len(t)+4, t)
	}
	return redcon.AppendBulkString(nil, t)
}
