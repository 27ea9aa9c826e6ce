package proxy

import (
	"bytes"
	"strconv"

	"github.com/tidwall/redcon"

	"forebay/backend/redis/wire"
)

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
	bare := [][]byte{[]byte("HELLO")}
	if h.proto != 0 {
		bare = append(bare, args[1])
	}
	s.follow(cmd, appendCommand(nil, bare), named) // unless Redis refuses it
}

// greeted follows a HELLO that Redis has executed in a transaction. The lock is held.
func (s *session) greeted(h *helloArgs) {
	if h.proto != 0 {
		s.target.Proto = h.proto
	}
	if h.auth != nil {
		s.target.Identity = *h.auth
	}
	if h.setName {
		s.setName(string(h.name))
	}
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
