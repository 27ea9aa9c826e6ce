package proxy

import (
	"bytes"
	"strings"

	"github.com/tidwall/redcon"

	"forebay/backend/redis/wire"
)

// queueLocal notes a command about its own client that was queued, the last of the transaction: Redis runs it in EXEC, and knows of a connection what it
// should tell of a client. So its part of EXEC's reply is replaced, and what it changed is followed.
func (s *session) queueLocal(cmd *command, args [][]byte) {
	tx := s.tx
	if len(tx.cmds) == 0 {
		return
	}
	q := &tx.cmds[len(tx.cmds)-1]
	s.pins.forever = s.pins.forever || cmd.name != "client" || changes(args)
	switch cmd.name {
	case "client":
		if len(args) > 1 {
			s.queueClient(q, args)
		}
	case "hello":
		s.queueHello(q, args)
	case "auth":
		if id, ok := identityOf(args); ok {
			q.alter = done(func() { s.target.Identity = id })
		}
	}
	tx.alters = tx.alters || q.alter != nil || q.list != nil
}

// changes tells whether a subcommand of CLIENT may change its connection in a way that is not followed.
func changes(args [][]byte) bool {
	if len(args) < 2 {
		return false
	}
	switch strings.ToLower(string(args[1])) {
	case "id", "getname", "setname", "setinfo", "info", "list", "kill", "unblock", "getredir", "trackinginfo", "help":
		return false
	default:
		return true
	}
}

func (s *session) queueClient(q *queued, args [][]byte) {
	switch sub := strings.ToLower(string(args[1])); {
	case sub == "id":
		q.alter = instead(func([]byte) []byte { return redcon.AppendInt(nil, s.id) })
	case sub == "getname":
		q.alter = instead(func([]byte) []byte { return s.bulkOrNull(s.name) })
	case sub == "info":
		q.alter = instead(func([]byte) []byte { return s.text(s.describe()) })
	case sub == "setname" && len(args) == 3:
		name := string(args[2])
		q.alter = done(func() { s.setName(name) })
	case sub == "list":
		if f, ok := listFilter(args[2:]); ok {
			q.list = &f
		}
	case sub == "getredir", sub == "trackinginfo":
		q.alter = s.withRedirect
	}
}

// queueHello follows HELLO, whose reply has Redis's id.
func (s *session) queueHello(q *queued, args [][]byte) {
	h, refused := parseHello(args)
	if refused != "" {
		return
	}
	h.name = bytes.Clone(h.name)
	q.alter = instead(func(b []byte) []byte {
		s.greeted(&h)
		return replaceID(b, s.id)
	})
}

// identityOf is who AUTH makes of its client.
func identityOf(args [][]byte) (id wire.Identity, ok bool) {
	switch len(args) {
	case 2:
		return wire.Identity{User: "default", Pass: string(args[1]), Auth: true, Legacy: true}, true
	case 3:
		return wire.Identity{User: string(args[1]), Pass: string(args[2]), Auth: true}, true
	default:
		return id, false
	}
}

// instead makes another reply of one that is no error.
func instead(f editor) editor {
	return func(b []byte) []byte {
		if b[0] == '-' {
			return b
		}
		return f(b)
	}
}

// done calls f if the reply is no error.
func done(f func()) editor {
	return instead(func(b []byte) []byte {
		f()
		return b
	})
}

// listQueued describes the clients that queued CLIENT LISTs ask for, before EXEC is sent: once its reply comes, no other session may be locked.
func (s *session) listQueued(tx *transaction) {
	if !tx.alters {
		return
	}
	for i := range tx.cmds {
		q := &tx.cmds[i]
		if q.list == nil {
			continue
		}
		lines, direct := s.srv.describeAll(s, *q.list), len(q.list.direct) > 0
		q.alter = instead(func(b []byte) []byte {
			if direct {
				return s.text(lines + string(body(b)))
			}
			return s.text(lines)
		})
	}
}

// altered is EXEC's reply with what queueLocal puts in place of Redis's. Where it is gathered, it is changed there too.
func (tx *transaction) altered(d *detail, b []byte) []byte {
	if !tx.alters && !(tx.lists && mayName(b)) || tx.abort != nil || b[0] != '*' || null(b) || elements(b) != len(tx.cmds) {
		return b
	}
	out := redcon.AppendArray(nil, len(tx.cmds))
	eachElement(b, func(i int, e []byte) {
		if alter := tx.cmds[i].alter; alter != nil {
			e = alter(e)
		}
		out = append(out, e...)
	})
	if len(d.reply) > 0 {
		d.reply = append(d.reply[:0], out...)
		return d.reply
	}
	return out
}
