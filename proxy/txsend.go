package proxy

import (
	"bytes"
	"strings"
)

// gatherTx is the most bytes of a transaction that are waited for so that it can ride the shared connection.
const gatherTx = 1 << 20

// gather looks for a complete transaction in what follows MULTI. If it is there, and has only commands that leave the connection as it
// is, it is sent on the shared connection in one piece, and used tells its length. wait asks for more bytes.
func (s *session) gather(first, rest []byte) (used int, wait bool) {
	if s.target.Proto == 2 && s.pins.subscribed() {
		return 0, false
	}
	var cmds []*command
	f := framer{maxArgs: s.framer.maxArgs, maxBytes: s.framer.maxBytes}
	n := 0
	for {
		size, kind, err := f.next(rest[n:])
		if err != nil || kind == largeRESP || kind == wholeLine || kind == nothing {
			return 0, false
		}
		if kind == needMore {
			if s.noGather || len(rest) > gatherTx {
				s.noGather = false
				return 0, false
			}
			return 0, true
		}
		args, err := s.words(rest[n : n+size])
		if err != nil {
			return 0, false
		}
		cmd := s.srv.table.Load().find(args[0])
		if cmd == nil {
			return 0, false
		}
		cmds = append(cmds, cmd)
		n += size
		if cmd.class == exec {
			if !cmd.arityOK(len(args)) {
				return 0, false // Redis will refuse it
			}
			break
		}
		if !stateless(cmd) {
			return 0, false
		}
	}
	s.noGather = false
	s.sendTx(first, rest[:n], cmds)
	return n, false
}

// stateless tells whether a command queued in a transaction leaves its connection as it was. What blocks does not block there.
func stateless(cmd *command) bool {
	return cmd.class == shared || cmd.class == info || cmd.class == pubsub || cmd.class == keyspace || cmd.class == blocking && cmd.name != "debug" && cmd.name != "script"
}

// sendTx sends a complete transaction: body is what follows MULTI, EXEC included. What must be loaded first is, and what the commands may write
// is made safe, before any of them is sent: the bytes must go up in one piece.
func (s *session) sendTx(first, body []byte, cmds []*command) {
	tx := &transaction{db: -1}
	s.eachFrame(body, func(i int, _ []byte, args [][]byte) {
		if cmds[i].class != exec {
			tx.queue(s, cmds[i], args)
		}
	})
	if !s.plan(tx) {
		// Nothing is sent: the shared connection is not left in a transaction that its user might not be allowed to discard.
		s.reply(append([]byte("+OK\r\n"+strings.Repeat("+QUEUED\r\n", len(cmds)-1)), tx.abort...))
		return
	}
	var undropped error
	s.eachFrame(body, func(i int, _ []byte, args [][]byte) {
		if cmds[i].writes && undropped == nil {
			undropped = s.fence(cmds[i], args)
		}
	})
	if undropped != nil {
		s.reply(append([]byte("+OK\r\n"+strings.Repeat("+QUEUED\r\n", len(cmds)-1)), undroppedReply(undropped)...))
		return
	}
	s.eachFrame(body, func(i int, _ []byte, args [][]byte) {
		if cmds[i].writes {
			s.fenceNear(cmds[i], args)
		}
	})
	s.submit()
	multi := s.srv.table.Load().find([]byte("multi"))
	s.append(first, s.push(plain, multi, 1))
	s.eachFrame(body, func(i int, frame []byte, _ [][]byte) {
		if cmds[i].class == exec {
			s.append(frame, s.pushExec(cmds[i], tx))
			return
		}
		s.append(frame, s.push(plain, cmds[i], 1))
		s.slot().writes = cmds[i].writes
	})
	s.holdFences()
	s.randomsOf(tx)
}

// undroppedReply is what EXEC is answered if nothing was done since loads of what it writes could not be made safe.
func undroppedReply(err error) []byte {
	return append([]byte("-EXECABORT Transaction discarded: "), errorReply(err)[1:]...)
}

func (s *session) eachFrame(b []byte, f func(i int, frame []byte, args [][]byte)) {
	fr := framer{maxArgs: s.framer.maxArgs, maxBytes: s.framer.maxBytes}
	for i, n := 0, 0; n < len(b); i++ {
		size, _, err := fr.next(b[n:])
		if err != nil || size == 0 {
			return
		}
		args, err := s.words(b[n : n+size])
		if err != nil {
			return
		}
		f(i, b[n:n+size], args)
		n += size
	}
}

func (s *session) pushExec(cmd *command, tx *transaction) *slot {
	sl := s.push(execReply, cmd, 1)
	sl.writes = true
	sl.more = &detail{tx: tx}
	if tx.routed {
		s.routed++
	}
	return sl
}

// queue takes a command between MULTI and EXEC on a connection of the client's own.
func (s *session) queue(cmd *command, frame []byte, args [][]byte) {
	switch cmd.class {
	case exec:
		if cmd.arityOK(len(args)) {
			s.exec(cmd, frame, args)
			return
		}
		s.tx = nil // refused, and Redis discards the transaction
		s.pins.watching = false
	case discard:
		if cmd.arityOK(len(args)) {
			s.tx = nil
			s.pins.watching = false
		}
	case local:
		s.tx.relay = s.tx.relay || cmd.name == "client" && len(args) > 1 && equalFold(args[1], "reply")
		before := len(s.tx.cmds)
		if s.tx.queue(s, cmd, args); len(s.tx.cmds) > before {
			s.queueLocal(cmd, args)
		}
	case subscribe, ownForever, relayed:
		s.pins.forever = true // executes in EXEC, and changes the connection
		s.tx.queue(s, cmd, args)
	case multi, watch:
	default:
		if cmd.writes {
			_ = s.fence(cmd, args) // what must be gone is gone before EXEC
		}
		s.tx.queue(s, cmd, args)
	}
	s.append(frame, s.push(plain, cmd, 1))
	s.slot().writes = cmd.writes
}

// exec takes the EXEC of a client that has a connection of its own.
func (s *session) exec(cmd *command, frame []byte, args [][]byte) {
	tx := s.tx
	if tx.relay {
		s.tx = nil
		s.relay(cmd, frame, args)
		return
	}
	s.listQueued(tx)
	if s.plan(tx) && s.fenceTx(tx) {
		s.fenceNearTx(tx)
		s.append(frame, s.pushExec(cmd, tx))
		s.holdFences()
	} else {
		tx.routed = false
		s.append([]byte("*1\r\n$7\r\nDISCARD\r\n"), s.pushExec(cmd, tx))
		s.slot().writes = false
	}
	s.tx = nil
	s.pins.watching = false
	if s.pins.forever || tx.alters {
		s.drain() // a SELECT in it may have changed the database
	}
	s.randomsOf(tx)
}

// discarded answers the EXEC in whose place a DISCARD was sent: b is its reply. Whose user may EXEC and not DISCARD is still in the transaction, and
// whoever gets the connection next would be too: it is closed.
func (s *session) discarded(seq uint64, sl *slot, b []byte) {
	if bytes.HasPrefix(b, []byte("-NOPERM")) && s.up != nil {
		s.up.Close()
	}
	s.finish(seq, sl, sl.more.tx.abort)
}

// fenceTx fences what the transaction may write, now that it is about to:
//
//  1. W queues DEL k, and passes the fence of k.
//  2. A reader misses k, and its load reads the old row. W's user changes the row.
//  3. W sends EXEC: k is removed. Then the load is stored: the old row, after the delete.
//
// false: that cannot be done, and tx.abort says so.
func (s *session) fenceTx(tx *transaction) bool {
	err := s.fenceTxLoads(tx)
	if err != nil {
		tx.abort = undroppedReply(err)
	}
	return err == nil
}
