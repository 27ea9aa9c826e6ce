package proxy

import (
	"errors"

	"github.com/tidwall/redcon"

	"forebay/backend"
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
		s.protocolError(protocolError("unbalanced quotes in request"), b)
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

// protocolError answers what precedes the error, then the error, and lets the client be closed. bad is what was sent.
func (s *session) protocolError(err error, bad []byte) {
	s.submit()
	if s.pins.relay {
		s.relayEnd(append(bad[:len(bad):len(bad)], "\r\n"...)) // Redis judges a header once it has its end
		return
	}
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
	before := s.mute
	if before == mutesNext {
		s.mute = mutesThis
	}
	used, wait = s.dispatch1(cmd, frame, args, rest)
	switch {
	case wait:
		s.mute = before
		return used, wait
	case s.mute == mutesThis:
		s.mute = loud
	}
	return used, wait
}

// dispatch1 gives a command the path that the client's state asks for.
func (s *session) dispatch1(cmd *command, frame []byte, args [][]byte, rest []byte) (used int, wait bool) {
	s.last.set(cmd, args)
	s.noRedis = false
	if s.srv.opts.Invalid.Pending() && !s.settle(cmd, args) {
		return 0, false
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
		if !cmd.arityOK(len(args)) {
			s.forward(cmd, frame, args)
			return 0, false
		}
		if !s.own && s.mute != mutesThis && !s.srv.pauses.on() {
			if used, wait = s.gather(frame, rest); used > 0 || wait {
				return used, wait
			}
		}
		if s.takeOwn() {
			s.tx = &transaction{db: -1}
			s.forward(cmd, frame, args)
		} else {
			s.quit = true // what its client has sent behind it would be done, each for itself, if Redis answered by then
		}
	case watch, unwatch, blocking, subscribe, ownForever, relayed:
		s.special(cmd, frame, args)
	case info:
		s.leaveOwn()
		s.append(frame, s.push(infoReply, cmd, 1))
		s.slot().more = &detail{keys: copyWords(args[1:])}
	case pubsub:
		s.leaveOwn()
		s.askPubSub(cmd, frame, args)
	case keyspace:
		s.leaveOwn()
		s.keyspace(cmd, frame)
	default:
		if !s.postponed(cmd) {
			s.leaveOwn()
		} else if !s.takeOwn() {
			return 0, false
		}
		s.forward(cmd, frame, args)
		if cmd.name == "acl" && s.srv.opts.RightsChanged != nil {
			s.rightsMayChange(args)
		}
	}
	return 0, false
}

// rightsMayChange has what users may read asked anew, once Redis has answered an ACL command that may change it and before anybody who
// is told of that sends what comes next.
func (s *session) rightsMayChange(args [][]byte) {
	if len(args) > 1 && (equalFold(args[1], "setuser") || equalFold(args[1], "deluser") || equalFold(args[1], "load")) {
		s.drain()
		s.srv.opts.RightsChanged()
	}
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
	if cmd.class == watch && !s.ensure(cmd, args) {
		return
	}
	if !s.takeOwn() {
		return
	}
	switch cmd.class {
	case watch:
		s.pins.watching = true
		s.append(frame, s.push(plain, cmd, 1))
		return
	case unwatch:
		s.pins.watching = false
	case ownForever:
		s.pins.forever = true
	case relayed:
		if cmd.name == "monitor" {
			s.follow(cmd, frame, func() { s.pins.monitor = true })
			return
		}
		s.relay(cmd, frame, args)
		return
	case subscribe:
		s.subscribe(cmd, frame, args)
		return
	}
	if cmd.name == "wait" || cmd.name == "waitaof" {
		s.settleWait()
	}
	s.forward(cmd, frame, args)
	if cmd.class == blocking && !s.fifo.empty() {
		s.slot().blocks = true
	}
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
	if cmd.needs.of != ofNothing && !s.ensure(cmd, args) {
		return
	}
	if cmd.writes {
		if err := s.fence(cmd, args); err != nil && (!errors.Is(err, backend.ErrStoreDown) || !s.readsBlind(cmd, args)) {
			s.reply([]byte(errorReply(err)))
			return
		}
		s.fenceNear(cmd, args)
		defer s.holdFences()
	}
	if cmd.read != noRead && cmd.arityOK(len(args)) {
		s.read1(cmd, frame, args)
		return
	}
	if m := messageOf(cmd, args); m != nil {
		sl := s.push(logReply, cmd, 1)
		sl.more = &detail{log: m}
		s.append(frame, sl)
		return
	}
	if last := s.slotIfAny(); last != nil && last.fences == nil && s.fencing.none() && s.batchN > 0 && last.kind == plain && last.id == cmd.id && last.writes == cmd.writes && !last.blocks && last.muted == s.quiet() &&
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
	sl.kind, sl.id, sl.writes, sl.n, sl.at, sl.muted = k, cmd.id, cmd.writes, n, s.now, s.quiet()
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

// reply adds a slot with a reply of our own.
func (s *session) reply(b []byte) {
	s.submit()
	sl := s.fifo.push()
	sl.at, sl.state, sl.muted = s.now, ready, s.quiet()
	s.emit(s.fifo.tail-1, sl, b)
	s.advance()
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
