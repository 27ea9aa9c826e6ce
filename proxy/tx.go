package proxy

import (
	"bytes"

	"github.com/tidwall/redcon"

	"forebay/internal/cache"
	"forebay/internal/event"
	"forebay/internal/route"
)

// gatherTx is the most bytes of a transaction that are waited for so that it can ride the shared connection.
const gatherTx = 1 << 20

// transaction is what was queued since MULTI.
type transaction struct {
	cmds   []queued
	routed bool // a read in it has a route
	unsure bool // a command was queued of which the keys are not known for certain: scripts may write more than they declare
	hides  bool // and of which nothing is known: absent reads behind it may be absent by its doing
	wrote  map[string]bool
	db     int  // of a SELECT in it; −1: none
	relay  bool // CLIENT REPLY is in it: its replies are not one a command
}

// queued is one command of a transaction.
type queued struct {
	read   readOp
	keys   [][]byte
	routes []*route.Route // nil too where a command before it may have written the key
	detail *detail
	log    *message // a training message that it publishes
	db     int      // of a SELECT: its database and 1
}

// add queues a command: args is nil if its words are not known.
func (tx *transaction) add(q *queued, writes bool) {
	if q == nil {
		q = &queued{}
	}
	tx.unsure, tx.hides = tx.unsure || writes, tx.hides || writes
	tx.cmds = append(tx.cmds, *q)
}

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
	return cmd.class == shared || cmd.class == info || cmd.class == blocking && cmd.name != "debug" && cmd.name != "script"
}

// sendTx sends a complete transaction: body is what follows MULTI, EXEC included.
func (s *session) sendTx(first, body []byte, cmds []*command) {
	// What the commands may write is made safe before any of them is sent: the bytes must go up in one piece.
	s.eachFrame(body, func(i int, _ []byte, args [][]byte) {
		if cmds[i].writes {
			s.fence(cmds[i], args)
		}
	})
	s.submit()
	tx := &transaction{db: -1}
	multi := s.srv.table.Load().find([]byte("multi"))
	s.append(first, s.push(plain, multi, 1))
	s.eachFrame(body, func(i int, frame []byte, args [][]byte) {
		if cmds[i].class == exec {
			s.append(frame, s.pushExec(cmds[i], tx))
			return
		}
		tx.queue(s, cmds[i], args)
		s.append(frame, s.push(plain, cmds[i], 1))
		s.slot().writes = cmds[i].writes
	})
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

// queue notes a command of the transaction.
func (tx *transaction) queue(s *session, cmd *command, args [][]byte) {
	q := queued{log: messageOf(cmd, args)}
	if cmd.read != noRead && cmd.arityOK(len(args)) {
		q.read = cmd.read
		words := args[1:2]
		if cmd.read == opMGet {
			words = args[1:]
		}
		q.detail = &detail{}
		if cmd.read == opGetRange {
			start, ok1 := parseInt(args[2])
			end, ok2 := parseInt(args[3])
			q.detail.start, q.detail.end = start, end
			if !ok1 || !ok2 {
				q.read = noRead
			}
		}
		q.keys = copyWords(words)
		if cmd.read.isHash() {
			q.detail.keys = copyWords(args[2:])
		}
		for _, k := range q.keys {
			r := s.srv.serves(s.target.DB, k, cmd.read)
			if r != nil && (tx.db < 0 || tx.db == s.target.DB) && !tx.hides && !tx.wrote[string(k)] {
				q.routes = append(q.routes, r)
				tx.routed = true
				continue
			}
			q.routes = append(q.routes, nil)
		}
	}
	if cmd.writes && cmd.read != opGetEx { // an expiry, not a value
		wrote := func(key []byte) {
			if tx.wrote == nil {
				tx.wrote = map[string]bool{}
			}
			tx.wrote[string(key)] = true
		}
		if !cmd.keys(args, wrote) {
			tx.unsure = true
			tx.hides = !cmd.declared(args, wrote) || tx.hides
		}
	}
	if cmd.name == "select" && len(args) == 2 {
		if db, ok := parseInt(args[1]); ok {
			tx.db, q.db = int(db), int(db)+1
		}
	}
	tx.cmds = append(tx.cmds, q)
}

// queue takes a command between MULTI and EXEC on a connection of the client's own.
func (s *session) queue(cmd *command, frame []byte, args [][]byte) {
	switch cmd.class {
	case exec:
		if cmd.arityOK(len(args)) {
			tx := s.tx
			if tx.relay {
				s.tx = nil
				s.relay(cmd, frame, args)
				return
			}
			s.fenceTx(tx)
			s.append(frame, s.pushExec(cmd, tx))
			s.tx = nil
			s.pins.watching = false
			if s.pins.forever {
				s.drain() // a SELECT in it may have changed the database
			}
			return
		}
	case discard:
		if cmd.arityOK(len(args)) {
			s.tx = nil
			s.pins.watching = false
		}
	case local, subscribe, ownForever, relayed:
		s.pins.forever = true // executes in EXEC, and changes the connection
		s.tx.relay = s.tx.relay || cmd.name == "client" && len(args) > 1 && equalFold(args[1], "reply")
		s.tx.queue(s, cmd, args)
	case multi, watch:
	default:
		if cmd.writes {
			s.fence(cmd, args)
		}
		s.tx.queue(s, cmd, args)
	}
	s.append(frame, s.push(plain, cmd, 1))
	s.slot().writes = cmd.writes
}

// fenceTx fences what the transaction may write, now that it is about to:
//
//  1. W queues DEL k, and passes the fence of k.
//  2. A reader misses k, and its load reads the old row. W's user changes the row.
//  3. W sends EXEC: k is removed. Then the load is stored: the old row, after the delete.
func (s *session) fenceTx(tx *transaction) {
	engine := s.srv.opts.Engine
	if engine.Idle() {
		return
	}
	s.submit()
	db := s.target.DB
	s.mu.Unlock()
	if tx.unsure || tx.db >= 0 {
		engine.FenceAll(-1)
	}
	for key := range tx.wrote {
		engine.Fence(db, []byte(key))
	}
	s.mu.Lock()
}

// takeExec looks at EXEC's reply: reads in it that are absent, and that no command before them in it may have made so, are
// patched with what is loaded.
func (s *session) takeExec(seq uint64, sl *slot, b []byte) {
	d := sl.more
	tx := d.tx
	if b[0] != '*' || null(b) || elements(b) != len(tx.cmds) {
		s.finish(seq, sl, b)
		return
	}
	missing, db := false, s.target.DB
	eachElement(b, func(i int, e []byte) {
		q := &tx.cmds[i]
		if q.db > 0 && e[0] != '-' {
			db = q.db - 1
		}
		if q.log != nil {
			s.log(q.log, e)
		}
		if q.read == noRead || e[0] == '-' {
			return
		}
		q.each(e, func(k int, e []byte) {
			switch {
			case !q.read.one().absent(e):
				s.recordKey(sl, q.keys[k], q.routes[k], event.Event{Kind: event.Hit, Origin: event.FromRedis, Bytes: q.read.one().size(e)})
			case q.routes[k] == nil:
				s.recordKey(sl, q.keys[k], s.srv.route(s.target.DB, q.keys[k]), unroutedMiss(s.srv.route(s.target.DB, q.keys[k])))
			default:
				missing = true
			}
		})
	})
	if !missing {
		s.target.DB = db
		s.finish(seq, sl, b)
		return
	}
	if len(d.reply) == 0 {
		d.reply = append(d.reply, b...)
	}
	s.miss(seq, sl, false)
	s.load() // from the database that the client was in until now
	s.target.DB = db
}

// unroutedMiss is the event of an absent key that is not loaded: without a route, or removed by the transaction itself.
func unroutedMiss(r *route.Route) event.Event {
	if r == nil {
		return event.Event{Kind: event.Miss, Result: event.Unrouted}
	}
	return event.Event{Kind: event.Miss, Result: event.Absent}
}

// one is the operation on each key.
func (op readOp) one() readOp {
	if op == opMGet {
		return opGet
	}
	return op
}

// each calls f for each key's part of the command's reply e.
func (q *queued) each(e []byte, f func(k int, e []byte)) {
	if q.read != opMGet {
		f(0, e)
		return
	}
	eachElement(e, func(k int, e []byte) {
		if k < len(q.keys) {
			f(k, e)
		}
	})
}

// elements is the number that an array reply announces.
func elements(b []byte) int {
	end := bytes.IndexByte(b, '\r')
	if end < 1 {
		return -1
	}
	n, ok := parseInt(b[1:end])
	if !ok {
		return -1
	}
	return int(n)
}

// wantExec asks for what EXEC's reply lacks. Where the transaction writes the key behind the read, Redis must not be looked at for it: it holds what the
// read must not see. (Without a look, an empty GETRANGE of such a key counts as absent.)
func (m *miss) wantExec(d *detail) {
	eachElement(d.reply, func(i int, e []byte) {
		q := &d.tx.cmds[i]
		if q.read == noRead || e[0] == '-' {
			return
		}
		q.each(e, func(k int, e []byte) {
			if q.routes[k] != nil && q.read.one().absent(e) {
				if d.tx.unsure || len(d.tx.wrote) > 0 {
					m.blind = append(m.blind, d.tx.wrote[string(q.keys[k])] || d.tx.unsure && null(e))
				}
				m.wants = append(m.wants, cache.Want{Key: q.keys[k], Route: q.routes[k]})
				m.index = append(m.index, i)
				m.sub = append(m.sub, k)
			}
		})
	})
}

// loadedExec makes EXEC's reply of Redis's and what was loaded. A failed load fails it: the transaction was done, but what it read cannot be told.
func (s *session) loadedExec(m *miss, sl *slot, results []cache.Result) {
	d := sl.more
	var failed error
	for i := range results {
		q := &d.tx.cmds[m.index[i]]
		s.recordLoad(sl, q.keys[m.sub[i]], q.routes[m.sub[i]], &results[i])
		if results[i].Err != nil {
			failed = results[i].Err
		}
	}
	if failed != nil {
		s.finish(m.seq, sl, append([]byte("-EXECABORT Transaction was done, but a read in it failed: "), errorReply(failed)[1:]...))
		return
	}
	out := redcon.AppendArray(nil, len(d.tx.cmds))
	next := 0
	eachElement(d.reply, func(i int, e []byte) {
		q := &d.tx.cmds[i]
		if next == len(m.index) || m.index[next] != i {
			out = append(out, e...)
			return
		}
		if q.read == opMGet {
			out = redcon.AppendArray(out, len(q.keys))
		}
		q.each(e, func(k int, e []byte) {
			if next < len(m.index) && m.index[next] == i && m.sub[next] == k {
				out = s.appendResult(out, q.read.one(), q.detail, &results[next])
				next++
				return
			}
			out = append(out, e...)
		})
	})
	s.finish(m.seq, sl, out)
}
