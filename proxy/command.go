package proxy

import (
	"errors"

	"github.com/tidwall/redcon"

	"forebay/backend/redis/wire"
	"forebay/internal/event"
)

// words splits a whole frame. The words alias it.
func (s *session) words(frame []byte) ([][]byte, error) {
	complete, args, _, _, err := redcon.ReadNextCommand(frame, s.args)
	s.args = args
	if err == nil && !complete {
		err = protocolError("invalid multibulk length")
	}
	return args, err
}

// inline dispatches an inline command. It returns false after a protocol error.
func (s *session) inline(b []byte) bool {
	args, ok := splitInline(b)
	if !ok {
		s.protocolError(protocolError("unbalanced quotes in request"))
		return false
	}
	if len(args) == 0 {
		return true
	}
	s.submit()
	frame := appendCommand(s.scratch[:0], args)
	s.scratch = frame
	s.noGather = true
	s.command(frame, args, nil)
	s.noGather = false
	s.submit() // frame is used again
	return true
}

func appendCommand(b []byte, args [][]byte) []byte {
	b = redcon.AppendArray(b, len(args))
	for _, a := range args {
		b = redcon.AppendBulk(b, a)
	}
	return b
}

// protocolError answers what precedes the error, then the error, and lets the client be closed.
func (s *session) protocolError(err error) {
	s.submit()
	s.reply([]byte("-ERR " + line(err.Error()) + "\r\n"))
	s.quit = true
}

// command takes one whole command, whose frame is followed by rest. used is how many bytes of rest it took too (a complete
// transaction); wait tells that it may be the start of one, and should be asked again with more bytes.
func (s *session) command(frame []byte, args [][]byte, rest []byte) (used int, wait bool) {
	cmd := s.srv.table.Load().find(args[0])
	if cmd == nil {
		cmd = &s.srv.unknown
	}
	switch {
	case s.pins.relay:
		s.relayed(cmd, frame, args)
	case s.tx != nil && cmd.name != "quit" && cmd.name != "reset":
		s.queue(cmd, frame, args)
	case s.pins.subscribed() && s.target.Proto == 2 && cmd.name != "quit" && cmd.name != "reset":
		s.subscribed(cmd, frame, args)
	default:
		return s.free(cmd, frame, args, rest)
	}
	return 0, false
}

// free takes a command of a client that is in no special state.
func (s *session) free(cmd *command, frame []byte, args [][]byte, rest []byte) (used int, wait bool) {
	if s.resending > 0 && cmd.class != local {
		// A GETEX may be sent once more: whatever follows must see what it did.
		s.submit()
		s.await(func() bool { return s.resending == 0 })
	}
	switch cmd.class {
	case local:
		s.local(cmd, frame, args)
		return 0, false
	case multi:
		if !s.own {
			if used, wait = s.gather(frame, rest); used > 0 || wait {
				return used, wait
			}
		}
		if s.takeOwn() {
			s.tx = &transaction{db: -1}
			s.forward(cmd, frame, args)
		}
	case watch, unwatch, blocking, subscribe, ownForever, relayed:
		s.special(cmd, frame, args)
	case info:
		s.leaveOwn()
		s.append(frame, s.push(infoReply, cmd, 1))
		s.slot().more = &detail{keys: copyWords(args[1:])}
	default:
		s.leaveOwn()
		s.forward(cmd, frame, args)
	}
	return 0, false
}

// special takes a command that needs a connection of the client's own.
func (s *session) special(cmd *command, frame []byte, args [][]byte) {
	if cmd.name == "script" && len(args) > 1 && equalFold(args[1], "debug") {
		if s.takeOwn() {
			s.pins.forever = true // the next EVAL of this connection goes to the debugger
			s.forward(cmd, frame, args)
		}
		return
	}
	if cmd.class == blocking && !blocks(cmd, args) {
		s.leaveOwn()
		s.forward(cmd, frame, args)
		return
	}
	if cmd.class == unwatch && !s.own {
		s.forward(cmd, frame, args)
		return
	}
	if cmd.class == watch && s.routed > 0 {
		// A value that is being loaded for this client must not be stored once it watches the key: that would abort its EXEC.
		s.submit()
		s.await(func() bool { return s.routed == 0 })
	}
	if !s.takeOwn() {
		return
	}
	switch cmd.class {
	case watch:
		s.pins.watching = true
	case unwatch:
		s.pins.watching = false
	case ownForever:
		s.pins.forever = true
	case relayed:
		s.relay(cmd, frame, args)
		return
	case subscribe:
		s.subscribe(cmd, frame, args)
		return
	}
	s.forward(cmd, frame, args)
}

// blocks tells whether a command that may block does: XREAD only with BLOCK (a group or key of that name costs a connection, no more), SCRIPT and
// FUNCTION only to KILL, which must pass what it is to end.
func blocks(cmd *command, args [][]byte) bool {
	switch cmd.name {
	case "xread", "xreadgroup":
		for _, a := range args[1:] {
			if equalFold(a, "block") {
				return true
			}
		}
		return false
	case "script", "function":
		return len(args) > 1 && equalFold(args[1], "kill")
	default:
		return true
	}
}

// forward sends a command whose reply is passed on, or looked at if it is a read that loads.
func (s *session) forward(cmd *command, frame []byte, args [][]byte) {
	if cmd.writes {
		s.fence(cmd, args)
	}
	if cmd.read != noRead && cmd.arityOK(len(args)) {
		s.read1(cmd, frame, args)
		return
	}
	if cmd.part != wholeKey && !s.ensure(cmd, args) {
		return
	}
	if m := messageOf(cmd, args); m != nil {
		sl := s.push(logReply, cmd, 1)
		sl.more = &detail{log: m}
		s.append(frame, sl)
		return
	}
	if last := s.slotIfAny(); last != nil && s.batchN > 0 && last.kind == plain && last.id == cmd.id && last.writes == cmd.writes &&
		last.state == waiting && last.at == s.now && last.n > 0 {
		last.n++
		s.extend(frame, 1)
		return
	}
	s.append(frame, s.push(plain, cmd, 1))
}

// push adds a slot that awaits n replies.
func (s *session) push(k kind, cmd *command, n int) *slot {
	sl := s.fifo.push()
	sl.kind, sl.id, sl.writes, sl.n, sl.at = k, cmd.id, cmd.writes, n, s.now
	return sl
}

// slot returns the newest slot.
func (s *session) slot() *slot { return s.fifo.at(s.fifo.tail - 1) }

func (s *session) slotIfAny() *slot {
	if s.fifo.empty() {
		return nil
	}
	return s.slot()
}

// append adds a command's frame to the batch; sl is its slot.
func (s *session) append(frame []byte, sl *slot) {
	if s.batchN == 0 {
		s.batchFrom = s.fifo.tail - 1
	}
	s.extend(frame, sl.n)
}

// extend adds bytes to the batch: without a copy where they follow it in the client's buffer, as they mostly do.
func (s *session) extend(frame []byte, n int) {
	end := len(s.batch)
	switch {
	case end == 0:
		s.batch = frame
	case cap(s.batch) >= end+len(frame) && &s.batch[:end+1][end] == &frame[0]:
		s.batch = s.batch[: end+len(frame) : cap(s.batch)]
	default:
		s.batch = append(s.batch[:end:end], frame...)
	}
	s.batchN += n
	s.owed += n
}

// reply adds a slot with a reply of our own.
func (s *session) reply(b []byte) {
	s.submit()
	sl := s.fifo.push()
	sl.at, sl.state = s.now, ready
	s.emit(s.fifo.tail-1, sl, b)
	s.advance()
}

// read1 forwards a read that loads what is missing (or, while Redis is down, has it loaded at once).
func (s *session) read1(cmd *command, frame []byte, args [][]byte) {
	if cmd.read == opMGet {
		s.readMGet(cmd, frame, args)
		return
	}
	r := s.srv.serves(s.target.DB, args[1], cmd.read)
	blind := r != nil && !s.srv.opts.Store.Up() && s.mayReadAll() // Redis will not be asked
	if !blind && s.srv.large.has(s.target.DB, args[1]) && !s.own && !s.takeOwn() {
		return
	}
	sl := s.push(readOne, cmd, 1)
	sl.op = cmd.read
	sl.key = append(sl.key[:0], args[1]...)
	if r != nil {
		sl.route = r
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
		}
		if sl.route != nil && (cmd.read == opGetEx || r.IsObject()) {
			if sl.more == nil {
				sl.more = &detail{}
			}
			sl.more.frame = append([]byte(nil), frame...) // it may be sent once more
		}
	}
	s.sendRead(frame, sl)
}

func (s *session) readMGet(cmd *command, frame []byte, args [][]byte) {
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
		if r != nil {
			sl.route = r
		}
	}
	if sl.route != nil {
		s.routed++
	}
	s.sendRead(frame, sl)
}

// sendRead forwards a read, or has it loaded at once if Redis is known to be down and the client may read what it asks for.
func (s *session) sendRead(frame []byte, sl *slot) {
	if sl.route == nil || s.srv.opts.Store.Up() || !s.mayReadAll() {
		s.append(frame, sl)
		return
	}
	sl.n = 0
	s.submit()
	s.miss(s.fifo.tail-1, s.fifo.at(s.fifo.tail-1), true)
	s.load()
}

// fence makes a command that may write safe: of this client's own reads of its keys none is unresolved when it is forwarded, and
// no load begun before it can store its value after it. (cache.Engine.Fence has the interleavings of other clients' loads.)
//
// Why this client's reads must be resolved first:
//
//  1. GET k is forwarded, Redis answers nil.
//  2. SET k v2 is forwarded and done.
//  3. The load of 1 looks in Redis, finds v2 and gives it to the GET: a read that sees a write behind it.
func (s *session) fence(cmd *command, args [][]byte) {
	if s.routed > 0 {
		conflict := func() bool { return s.routed > 0 }
		if cmd.firstKey > 0 {
			conflict = func() bool { return s.routed > 0 && s.unresolved(cmd, args) }
		}
		if conflict() {
			s.submit()
			s.await(func() bool { return !conflict() })
		}
	}
	engine := s.srv.opts.Engine
	if engine.Idle() {
		return
	}
	s.submit()
	db := s.target.DB
	s.mu.Unlock()
	if !cmd.keys(args, func(key []byte) { engine.Fence(db, key) }) {
		engine.FenceAll(-1)
	}
	s.mu.Lock()
}

// unresolved tells whether a routed read of one of the command's keys is not ready.
func (s *session) unresolved(cmd *command, args [][]byte) (found bool) {
	cmd.keys(args, func(key []byte) {
		for seq := s.fifo.head; seq < s.fifo.tail && !found; seq++ {
			sl := s.fifo.at(seq)
			found = sl.state != ready && sl.reads(key)
		}
	})
	return found
}

// reads tells whether the slot is a routed read of the key.
func (sl *slot) reads(key []byte) bool {
	switch {
	case sl.op == noRead || sl.route == nil:
		return sl.more != nil && sl.more.tx != nil && sl.more.tx.routed
	case sl.kind == readMany:
		for i, k := range sl.more.keys {
			if sl.more.routes[i] != nil && string(k) == string(key) {
				return true
			}
		}
		return false
	default:
		return string(sl.key) == string(key)
	}
}

// submit sends the batch. The lock is given up meanwhile.
func (s *session) submit() {
	for s.batchN > 0 && !s.gone {
		if s.up == nil && !s.connect() {
			return
		}
		b, n, up := s.batch, s.batchN, s.up
		s.batch, s.batchN, s.sending = nil, 0, n
		s.mu.Unlock()
		err := up.Submit(s, b, n, s.now)
		s.mu.Lock()
		s.sending = 0
		if err == nil {
			if s.own && s.ended == up {
				s.lost(n, true) // its end was told while these were not counted yet
				s.load()
			}
			return
		}
		if s.own && s.stateful() {
			s.drop(err) // what Redis knew of this client is lost; Redis itself would have closed it
			return
		}
		// The connection was retired or has ended. What it still owes this client comes first: replies must not overtake.
		// A client with a connection of its own gets another of its own: what it sends may block.
		s.await(func() bool { return s.owed == n })
		s.batch, s.batchN, s.up = b, n, nil
	}
}

// connect gives the client a connection of the kind that it had. If there is none to be had, the batch is answered without Redis, and it
// returns false.
func (s *session) connect() bool {
	t, own := s.target, s.own
	s.mu.Unlock()
	var up *wire.Conn
	var err error
	if own {
		up, err = s.srv.opts.Pool.Exclusive(s.srv.ctx, t, s)
	} else {
		up, err = s.srv.opts.Pool.Shared(s.srv.ctx, t)
	}
	s.mu.Lock()
	if err == nil {
		s.up = up
		return true
	}
	s.own = false
	s.refuse(err)
	return false
}

// refuse answers the batch without Redis: routed reads are loaded if the client may read them, the rest gets the error.
func (s *session) refuse(err error) {
	s.batch, s.batchN = nil, 0
	text := []byte(redisDown)
	var refused *wire.ReplyError
	down := !errors.As(err, &refused)
	if !down {
		text = refused.Raw
	}
	for seq := s.batchFrom; seq < s.fifo.tail; seq++ {
		sl := s.fifo.at(seq)
		if sl.n == 0 {
			continue
		}
		n := sl.n
		s.owed -= n
		sl.n = 0
		if down && sl.op != noRead && sl.route != nil && s.mayReadAll() {
			s.miss(seq, sl, true)
			continue
		}
		for range n {
			s.emit(seq, sl, text)
		}
		if sl.op != noRead {
			s.rec.Record(&event.Event{Kind: event.Error, DB: s.target.DB, Key: sl.key, Error: line(string(text[1 : len(text)-2]))})
		}
		s.ready(sl)
	}
	s.advance()
	if !down && s.target.Auth {
		s.quit = true // the password it came with is no longer good
	}
	s.load()
}

// mayReadAll tells whether the client may be given routed values that Redis was not asked about.
func (s *session) mayReadAll() bool {
	return s.srv.opts.MayRead(s.target.User)
}

// drain waits until Redis owes the client nothing, and sends the batch first.
func (s *session) drain() {
	s.submit()
	s.await(func() bool { return s.owed == 0 })
}

// takeOwn moves the client to a connection of its own, set to what the shared one was. false: there is none, the command
// was answered.
func (s *session) takeOwn() bool {
	if s.own {
		return true
	}
	s.drain()
	if s.gone {
		return false
	}
	t := s.target
	s.mu.Unlock()
	up, err := s.srv.opts.Pool.Exclusive(s.srv.ctx, t, s)
	s.mu.Lock()
	if err != nil {
		var refused *wire.ReplyError
		if errors.As(err, &refused) {
			s.reply(refused.Raw)
		} else {
			s.reply([]byte(redisDown))
		}
		return false
	}
	s.up, s.own = up, true
	return true
}

// stateful tells whether Redis holds state of this client's connection that another connection would not have.
func (s *session) stateful() bool { return s.pins != (pins{}) || s.tx != nil }

// leaveOwn moves the client back to the shared connection if nothing keeps it on its own and nothing is owed there. If
// something is, the command simply follows on the connection of its own.
func (s *session) leaveOwn() {
	if !s.own || s.stateful() || s.owed > 0 {
		return
	}
	if s.up.Target() != s.target {
		s.closeOwn() // SELECT, AUTH or HELLO made it another's: the pool would hand it out as what it was
		return
	}
	up := s.up
	s.up, s.own = nil, false
	s.mu.Unlock()
	s.srv.opts.Pool.Release(up)
	s.mu.Lock()
}

// closeOwn ends the client's own connection and waits until its reader has: what comes until then is still the client's, and its end must not
// be taken for that of the client's next one.
func (s *session) closeOwn() {
	up := s.up
	s.up = nil
	s.mu.Unlock()
	up.Close()
	up.Wait()
	s.mu.Lock()
	s.own = false
}

func equalFold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

func copyWords(args [][]byte) [][]byte {
	list := make([][]byte, len(args))
	for i, a := range args {
		list[i] = append([]byte(nil), a...)
	}
	return list
}
