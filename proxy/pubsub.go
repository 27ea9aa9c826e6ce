package proxy

import (
	"bytes"
	"context"
	"time"

	"forebay/internal/event"
)

// subscribe forwards (P|S)SUBSCRIBE and (P|S)UNSUBSCRIBE: they are answered by one confirmation a channel.
func (s *session) subscribe(cmd *command, frame []byte, args [][]byte) {
	if !cmd.arityOK(len(args)) {
		s.append(frame, s.push(plain, cmd, 1))
		return
	}
	sl := s.push(subReply, cmd, max(1, len(args)-1))
	sl.more = &detail{all: len(args) == 1}
	s.append(frame, sl)
	s.submit()
	// The confirmations tell what the connection is subscribed to, and so which path the next command takes.
	s.await(func() bool { return s.fifo.empty() })
}

// subscribed takes a command of a client that has subscribed in RESP2: Redis itself refuses what is not allowed then.
func (s *session) subscribed(cmd *command, frame []byte, args [][]byte) {
	if cmd.class == subscribe {
		s.subscribe(cmd, frame, args)
		return
	}
	s.append(frame, s.push(plain, cmd, 1))
}

// relay sends a command after which replies are no longer followed, once every reply before it has come.
func (s *session) relay(cmd *command, frame []byte, args [][]byte) {
	s.drain()
	s.await(func() bool { return s.fifo.empty() })
	if s.name != "" && cmd.class != exec { // (before EXEC it would be queued) Redis itself will be asked for it from now on
		s.fifo.orphans++ // its reply is nobody's
		s.batch, s.batchN = appendCommand(nil, [][]byte{[]byte("CLIENT"), []byte("SETNAME"), []byte(s.name)}), 1
		s.owed++
		s.drain()
	}
	s.pins.relay = true
	s.relayed(cmd, frame, args)
}

// relayed takes a command of a client whose replies are no longer followed.
func (s *session) relayed(cmd *command, frame []byte, args [][]byte) {
	switch {
	case cmd.name == "quit":
		s.relayEnd(frame)
		return
	case cmd.class == exec:
		if err := s.srv.fenceAll(s); err != nil { // transactions are not followed either
			s.drop(err)
			return
		}
		s.fenceNear(cmd, nil)
	case cmd.writes:
		if err := s.fence(cmd, args); err != nil {
			s.drop(err) // nobody knows whether a reply is awaited
			return
		}
		s.fenceNear(cmd, args)
	}
	s.submit()
	s.batch, s.batchN = frame, 1
	s.owed++
	s.submit()
	s.owed = 0
	// Whether it is done is never told: from here on, Redis's own invalidation is what keeps the near copy right.
	s.unfence(&s.fencing)
	s.fencing = fences{}
}

// relayEnd has Redis itself answer QUIT, or what is malformed, or not, as CLIENT REPLY has it, and waits until it has closed the connection: what came
// until then is the client's. (Nobody here knows what else it is owed.)
func (s *session) relayEnd(last []byte) {
	up := s.up
	s.quit = true // so that the end of the connection does not close the client before it has all
	s.submit()
	s.batch, s.batchN = last, 1
	s.owed++
	s.submit()
	timer := time.AfterFunc(s.srv.opts.Budget, func() {
		s.mu.Lock()
		s.drop(context.DeadlineExceeded)
		s.mu.Unlock()
	})
	s.await(func() bool { return s.ended == up })
	timer.Stop()
	s.owed = 0
}

// fenceAll fences every key. The lock of the session is held, and is given up meanwhile.
func (srv *Server) fenceAll(s *session) error {
	s.mu.Unlock()
	defer s.mu.Lock()
	return srv.opts.Engine.FenceAll(-1)
}

// unsolicited tells whether a message of the client's own connection answers no command: a push of RESP3, a message of RESP2, or anything
// once replies are no longer followed.
func (s *session) unsolicited(b []byte) bool {
	if s.pins.relay || s.pins.monitor && isMonitorLine(b) {
		return true
	}
	if b[0] != '>' && !(b[0] == '*' && s.target.Proto == 2 && s.pins.subscribed()) {
		return false
	}
	kind, _ := firstTwo(b)
	if b[0] == '*' {
		return bytes.HasSuffix(kind, []byte("message"))
	}
	_, sl := s.fifo.next()
	return sl == nil || sl.kind != subReply || !bytes.HasSuffix(kind, []byte("subscribe"))
}

// isMonitorLine tells whether b is a line of MONITOR: +1700000000.123456 [0 127.0.0.1:5000] "GET" "k". Only a script could reply with such a status.
func isMonitorLine(b []byte) bool {
	if len(b) < 20 || b[0] != '+' || b[1] < '0' || b[1] > '9' {
		return false
	}
	dot := bytes.IndexByte(b[:20], '.')
	open := bytes.Index(b[:min(len(b), 40)], []byte(" ["))
	return dot > 0 && open > dot
}

// firstTwo returns the first element of an array or push, which is a bulk, and the bytes behind it.
func firstTwo(b []byte) (first, rest []byte) {
	i := bytes.IndexByte(b, '\n') + 1
	j := i + bytes.IndexByte(b[i:], '\n') + 1
	if j <= i || b[i] != '$' {
		return nil, nil
	}
	n, ok := parseInt(bytes.TrimSuffix(b[i+1:j], []byte("\r\n")))
	if !ok || n < 0 || int64(len(b)-j) < n+2 {
		return nil, nil
	}
	return b[j : j+int(n)], b[j+int(n)+2:]
}

// confirm takes one reply to a command of the subscribe family, and follows the counts.
func (s *session) confirm(seq uint64, sl *slot, b []byte) {
	if b[0] == '-' {
		s.owed -= sl.n - 1 // one error stands for all its confirmations
		sl.n = 0
		s.finish(seq, sl, b)
		return
	}
	sl.muted = false // CLIENT REPLY does not silence it
	kind, _ := firstTwo(b)
	if sl.more.all {
		sl.more.all = false
		n := max(1, *s.pins.count(kind))
		s.owed += n - 1
		sl.n = n
	}
	if end := bytes.LastIndexByte(b[:len(b)-2], ':'); end >= 0 {
		if total, ok := parseInt(b[end+1 : len(b)-2]); ok {
			s.pins.set(kind, int(total))
		}
	}
	if sl.n--; sl.n == 0 {
		s.finish(seq, sl, b)
		return
	}
	s.emit(seq, sl, b)
}

// count returns the number of subscriptions that a confirmation of that kind is about.
func (p *pins) count(kind []byte) *int {
	switch {
	case len(kind) > 0 && kind[0] == 'p':
		return &p.patterns
	case bytes.HasPrefix(kind, []byte("ss")) || bytes.HasPrefix(kind, []byte("sun")):
		return &p.shards
	default:
		return &p.channels
	}
}

// set follows a confirmation's count, which is of channels and patterns together, but of shard channels alone.
func (p *pins) set(kind []byte, total int) {
	n := p.count(kind)
	switch n {
	case &p.patterns:
		*n = total - p.channels
	case &p.channels:
		*n = total - p.patterns
	default:
		*n = total
	}
}

// logChannel is what the channels of training messages begin with; the session's name follows.
const logChannel = "forebay:log:"

// message is a training message on its way: PUBLISH forebay:log:<session> text.
type message struct{ session, text string }

// messageOf returns the training message that a command publishes, nil if it is none.
func messageOf(cmd *command, args [][]byte) *message {
	if cmd.name != "publish" || len(args) != 3 || !bytes.HasPrefix(args[1], []byte(logChannel)) {
		return nil
	}
	return &message{session: string(args[1][len(logChannel):]), text: string(args[2])}
}

// log puts a message on the stream, now that Redis has taken it: b is its reply.
func (s *session) log(m *message, b []byte) {
	if len(b) == 0 || b[0] != ':' {
		return
	}
	s.srv.opts.Events.Record(&event.Event{Kind: event.Log, Session: m.session, Text: m.text, By: s.name})
}
