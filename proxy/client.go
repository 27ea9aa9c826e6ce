package proxy

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/tidwall/redcon"
)

// client answers CLIENT. Whether the client may is for Redis to say, and so is what is wrong with its words (consult). What is about clients is about those
// of this process: one that shares its connection with others is none to Redis.
func (s *session) client(cmd *command, frame []byte, args [][]byte) {
	sub := strings.ToLower(string(args[1]))
	switch {
	case sub == "id" && len(args) == 2:
		if s.permitted(cmd, "CLIENT", "ID") {
			s.reply(redcon.AppendInt(nil, s.id))
		}
	case sub == "getname" && len(args) == 2:
		if s.permitted(cmd, "CLIENT", "GETNAME") {
			s.reply(s.bulkOrNull(s.name))
		}
	case sub == "setname" && len(args) == 3:
		s.clientSetName(cmd, args[2])
	case sub == "setinfo" && len(args) == 4:
		s.setInfo(cmd, frame, args)
	case sub == "info" && len(args) == 2:
		if s.permitted(cmd, "CLIENT", "INFO") {
			s.reply(s.text(s.describe()))
		}
	case sub == "list":
		s.clientList(cmd, frame, args)
	case sub == "kill" && len(args) >= 3:
		s.clientKill(cmd, frame, args)
	case sub == "unblock" && (len(args) == 3 || len(args) == 4):
		s.unblock(cmd, frame, args)
	case sub == "maint_notifications":
		// Of a server that has it: it would tell one client of what concerns the connection of many. Redis says so whoever asks.
		s.reply(fmt.Appendf(nil, "-ERR unknown subcommand '%.128s'. Try CLIENT HELP.\r\n", line(string(args[1]))))
	case sub == "reply" && len(args) == 3:
		s.clientReply(cmd, frame, args)
	default:
		s.clientState(cmd, sub, frame, args)
	}
}

// clientState takes a subcommand that changes, or tells, what Redis knows of a connection.
func (s *session) clientState(cmd *command, sub string, frame []byte, args [][]byte) {
	switch sub {
	case "help", "id", "getname", "setname", "setinfo", "info", "kill", "unblock", "reply":
		s.pass1(cmd, frame) // HELP, or the wrong number of words
	case "pause", "unpause":
		s.pause(cmd, sub, frame, args)
	case "tracking":
		s.tracking(cmd, frame, args)
	case "caching":
		s.pass1(cmd, frame) // without tracking, an error
	case "getredir", "trackinginfo":
		s.append(frame, s.push(alteredReply, cmd, 1))
		s.slot().more = &detail{alter: s.withRedirect}
	case "no-evict", "no-touch":
		s.keptOwn(cmd, frame, func() {
			on := equalFold(args[2], "on")
			if sub == "no-evict" {
				s.pins.noEvict = on
			} else {
				s.pins.noTouch = on
			}
		})
	default: // of a newer server: nobody knows what it changes
		s.keptOwn(cmd, frame, func() { s.pins.forever = true })
	}
}

// keptOwn forwards a command on a connection of the client's own. Once it is done, then notes why that is kept, if it is.
func (s *session) keptOwn(cmd *command, frame []byte, then func()) {
	if s.takeOwn() {
		s.follow(cmd, frame, then)
	}
}

// bulkOrNull is a string, or a null for an empty one.
func (s *session) bulkOrNull(text string) []byte {
	if text == "" {
		return []byte(s.null())
	}
	return redcon.AppendBulkString(nil, text)
}

// clientSetName asks with an empty name: Redis's connection may be that of many.
func (s *session) clientSetName(cmd *command, name []byte) {
	switch {
	case !s.permitted(cmd, "CLIENT", "SETNAME", ""):
	case !goodName(name):
		s.reply([]byte(badName))
	default:
		s.setName(string(name))
		s.reply([]byte("+OK\r\n"))
	}
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

// setInfo is CLIENT SETINFO: Redis, if it has it, judges the words, and keeps them for its connection too, where they do no harm.
func (s *session) setInfo(cmd *command, frame []byte, args [][]byte) {
	b := s.consultFrame(cmd, frame)
	switch {
	case b == nil:
		return
	case b[0] == '-':
	case equalFold(args[2], "lib-name"):
		s.libName = string(args[3])
	case equalFold(args[2], "lib-ver"):
		s.libVer = string(args[3])
	}
	s.reply(b)
}

// text is a reply of several lines: verbatim in RESP3, as Redis has it.
func (s *session) text(t string) []byte {
	if s.target.Proto == 3 {
		return fmt.Appendf(nil, "=%d\r\ntxt:%s\r\n", len(t)+4, t)
	}
	return redcon.AppendBulkString(nil, t)
}

// body is the text of a reply that is a bulk or, in RESP3, verbatim; nil if it is neither.
func body(b []byte) []byte {
	end := bytes.IndexByte(b, '\n') + 1
	switch {
	case end == 0 || null(b) || len(b) < end+2:
		return nil
	case b[0] == '$':
		return b[end : len(b)-2]
	case b[0] == '=' && len(b) >= end+len("txt:")+2:
		return b[end+len("txt:") : len(b)-2]
	default:
		return nil
	}
}
