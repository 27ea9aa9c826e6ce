package proxy

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"forebay/backend/redis/wire"
	"forebay/internal/event"
	"forebay/internal/metric"
	"forebay/internal/near"
	"forebay/internal/route"
)

// session is one client. Its goroutine reads and dispatches commands; replies arrive on the goroutines of the
// connections to Redis and of loads. Both work under mu, which is never held over anything that blocks.
type session struct {
	srv   *Server
	id    int64
	nc    net.Conn
	raw   syscall.RawConn // nil where the socket is not ours to write to without blocking (TLS)
	shard *metric.Shard
	born  time.Time
	fd    int // for CLIENT LIST; −1: none

	inUnits, outUnits atomic.Int64 // what the client holds, as weights counts it

	leaveBy atomic.Int64 // by wire.Now: until then what is there already is still read; 0 while the server serves

	// The client's goroutine's own.
	late        bool    // something was read since the server began to shut down
	in          *[]byte // bytes read; nil while idle
	off         int     // of them consumed
	backlog     bool    // whole commands are left in in: there was no room for their replies
	eof         bool
	readN       int
	readErr     error
	readFunc    func(uintptr) bool
	framer      framer
	args        [][]byte
	scratch     []byte
	questions   []byte // for ages, of the read that is being sent
	agesRefused bool   // Redis does not tell this client's user the age of a value; under mu
	noGather    bool   // the transaction at the front is not complete, and no more bytes are there

	mu        sync.Mutex
	now       int64 // when the bytes being dispatched were read, by wire.Now; written by the client's goroutine
	freed     int64 // when what last blocked the client's goroutine ended
	overdue   overdue
	cond      sync.Cond
	waiters   int // goroutines waiting on cond
	fifo      fifo
	out       output
	gone      bool       // the socket is closed, or is not worth writing to
	quit      bool       // QUIT or a protocol error: what is owed is written, then the client is closed
	held      int        // bytes in slots that wait for an earlier one
	gathered  int        // bytes of a large reply that is gathered
	expelled  bool       // closed for what it holds, and told so
	routed    int        // slots of routed reads that are not ready
	owed      int        // replies of Redis still to come
	ended     *wire.Conn // the own connection whose end was told
	resending int        // slots of GETEX and GETDEL that may have to be sent once more
	clock     int64      // when what is being handled came, by wire.Now
	rec       *event.Recorder
	missed    []miss // found by the replies being handled
	streamed  stream
	fencing   fences // begun, and not of a slot yet
	ahead     ahead

	// Written by the client's goroutine, under mu.
	target          wire.Target
	name            string // CLIENT SETNAME
	last            lastCommand
	mute            muting
	libName, libVer string
	up              *wire.Conn // nil: none yet
	own             bool       // up is this client's alone
	named           int        // how many are telling Redis something about it by the id of its own connection, which it must keep
	standby         *wire.Conn // what is redirected to this client comes on it, until it becomes its own; nil: none
	pushes          []byte     // a large push of standby, as far as it has come
	ending          bool       // it will take no standby any more
	pins            pins
	batch           []byte // commands to be submitted in one piece
	batchOwn        bool   // their memory is nobody else's
	spare           []byte // that of an earlier batch; up to keepBuffer
	batchN          int    // their replies
	batchFrom       uint64 // their first slot
	sending         int    // replies to what is being submitted: of no connection yet
	tx              *transaction
	deaf            int64 // now of the piece of bytes for which Redis has not said what it was asked: see budget.go
	noRedis         bool  // Redis must not be asked for what the present command reads: see settle, ownFor
	idle            idle

	nears      near.Many // of an MGET that is being answered from the near copy
	nearRoutes []*route.Route

	tryFunc func(uintptr) bool
	tryBuf  []byte
	tryN    int
	tryErr  error
}

// pins are the reasons for which a client keeps a connection of its own.
type pins struct {
	watching                   bool
	forever                    bool  // it changed its connection in a way that is not followed
	monitor                    bool  // lines of MONITOR come between the replies
	tracking, broadcast        bool  // CLIENT TRACKING, and its BCAST
	redirect                   int64 // to which client, by the id that it gave; 0: to none
	noEvict, noTouch           bool
	relay                      bool // replies are not one a command: what comes is passed on
	channels, patterns, shards int  // subscriptions
}

func (p *pins) subscribed() bool { return p.channels+p.patterns+p.shards > 0 }

func newSession(srv *Server, id int64, nc net.Conn) *session {
	s := &session{srv: srv, id: id, nc: nc, born: time.Now(), fd: descriptor(nc), shard: srv.opts.Commands.Shard()}
	s.cond.L = &s.mu
	s.target.Proto = 2
	s.framer = framer{maxArgs: srv.opts.Limits.Arguments, maxBytes: srv.opts.Limits.RequestBytes, maxWhole: int64(srv.opts.Limits.InputBytes)}
	if sc, ok := nc.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			s.raw = raw
		}
	}
	s.readFunc, s.tryFunc = s.readOnce, s.tryOnce
	s.rec = srv.opts.Events.NewRecorder(&s.mu)
	return s
}

// serve reads and dispatches until the client or the server ends the connection, or until another goroutine is to go on with it.
func (s *session) serve() (goOn bool) {
	if s.turns() {
		return true
	}
	s.end()
	return false
}

// turns is serve without the connection's end.
func (s *session) turns() (goOn bool) {
	for !s.stopping() {
		leaving := s.leaveBy.Load() != 0
		switch {
		case s.noRoom():
			s.slurp()
		case s.backlog:
		case leaving:
			if !s.readLast() {
				return false
			}
		default:
			err := s.read()
			if errors.Is(err, os.ErrDeadlineExceeded) {
				if s.rested() {
					return true
				}
				if s.leaveBy.Load() != 0 {
					continue
				}
			}
			if err != nil {
				s.eof = s.eof || !errors.Is(err, os.ErrDeadlineExceeded) // a reset too: nobody is there
				return false
			}
		}
		s.dispatch()
	}
	return false
}

func (s *session) stopping() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gone || s.quit
}

// dispatch consumes what can be consumed of the bytes read.
func (s *session) dispatch() {
	s.backlog = false
	s.mu.Lock()
	s.now = wire.Now()
	s.turn()
	for s.in != nil && !s.quit && !s.gone {
		n, more := s.consume((*s.in)[s.off:])
		if s.off += n; s.in != nil && s.off == len(*s.in) {
			s.srv.ins.put(s.in)
			s.in, s.off = nil, 0
		}
		if !more {
			break
		}
		s.readMore()
	}
	s.ahead.forget() // else the buffer is held, which may be any other client's by now
	s.idle.busy = false
	s.mu.Unlock()
	s.weighIn()
	s.Flush()
}

// readMore reads what is there already, for a transaction that is not complete yet; noGather tells that there is nothing.
// The lock is held, and is given up meanwhile.
func (s *session) readMore() {
	s.mu.Unlock()
	s.noGather = s.raw == nil || len(*s.in)-s.off > gatherTx || !s.peek()
	s.mu.Lock()
}

// read waits for bytes and appends them to in. While the client is idle, no buffer is held.
func (s *session) read() error {
	if s.raw == nil {
		s.takeBuffer()
		n, err := s.nc.Read((*s.in)[len(*s.in):cap(*s.in)])
		*s.in = (*s.in)[:len(*s.in)+n]
		if n > 0 {
			return nil
		}
		return err
	}
	s.readN, s.readErr = 0, nil
	if err := s.raw.Read(s.readFunc); err != nil {
		return err
	}
	return s.readErr
}

// readOnce is called when the socket may be readable; false means it was not.
func (s *session) readOnce(fd uintptr) bool {
	fresh := s.in == nil
	s.takeBuffer()
	b := (*s.in)[len(*s.in):cap(*s.in)]
	n, err := syscall.Read(int(fd), b)
	for errors.Is(err, syscall.EINTR) {
		n, err = syscall.Read(int(fd), b)
	}
	switch {
	case n > 0:
		*s.in = (*s.in)[:len(*s.in)+n]
		s.readN = n
		return true
	case errors.Is(err, syscall.EAGAIN):
		if fresh {
			s.srv.ins.put(s.in)
			s.in = nil
		}
		return false
	case err == nil:
		s.readErr = io.EOF
	default:
		s.readErr = err
	}
	return true
}

// peek reads once without waiting and tells whether there was anything.
func (s *session) peek() bool {
	s.readN, s.readErr = 0, nil
	err := s.raw.Read(func(fd uintptr) bool {
		s.readOnce(fd)
		return true
	})
	return err == nil && s.readErr == nil && s.readN > 0
}

// takeBuffer makes room for at least half a buffer of bytes.
func (s *session) takeBuffer() {
	if s.in == nil {
		s.in = s.srv.ins.get()
		return
	}
	if s.off > 0 && s.off >= len(*s.in)/2 {
		*s.in = append((*s.in)[:0], (*s.in)[s.off:]...)
		s.off = 0
	}
	if cap(*s.in)-len(*s.in) < inSize/2 {
		bigger := make([]byte, len(*s.in), 2*cap(*s.in))
		copy(bigger, *s.in)
		old := s.in
		s.in = &bigger
		s.weighIn()
		s.srv.ins.put(old)
	}
}

// consume dispatches the whole commands at the front of b and returns how many bytes they were. more tells that a transaction waits
// for bytes that may be there already. The lock is held.
func (s *session) consume(b []byte) (n int, more bool) {
	s.ahead.forget()
	for n < len(b) && !s.quit && !s.gone {
		if !s.hasRoom() {
			s.submit()
			s.backlog = true
			return n, false
		}
		size, kind, err := s.framer.next(b[n:])
		if err != nil {
			s.protocolError(err, b[n:])
			break
		}
		switch kind {
		case needMore:
			s.submit()
			return n, false
		case nothing:
		case wholeLine:
			if !s.inline(b[n : n+size]) {
				n = len(b)
			}
		case wholeRESP:
			args, err := s.words(b[n : n+size])
			if err != nil {
				s.protocolError(err, b[n:])
				break
			}
			s.ahead.rest = b[n+size:]
			used, wait := s.command(b[n:n+size], args, b[n+size:])
			if wait {
				s.submit()
				return n, true
			}
			size += used
		case largeRESP:
			s.submit()
			s.off += n
			s.large()
			return 0, false
		}
		n += size
	}
	s.submit()
	if s.quit {
		n = len(b) // what follows QUIT or an error is not looked at
	}
	return n, false
}

// noRoom tells that the client must take replies before more of its commands are sent.
func (s *session) noRoom() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.gone && !s.hasRoom()
}

func (s *session) hasRoom() bool {
	l := &s.srv.opts.Limits
	return s.owed+int(s.fifo.tail-s.fifo.head) < l.Pipeline && s.out.size+s.held < l.ReplyBytes
}

// await blocks until ok, or until the client has gone. The lock is held, and is given up while waiting.
func (s *session) await(ok func() bool) {
	if ok() || s.gone {
		return
	}
	stop := s.lookAfter()
	s.waiters++
	for !ok() && !s.gone {
		s.cond.Wait()
	}
	s.waiters--
	stop()
}

// slurp waits for room, and goes on reading meanwhile: a client that sends a deep pipeline before it reads a single reply must not be
// stopped from sending, or neither side would ever go on. Bound: Limits.InputBytes.
//
// The reading is done by a goroutine, which is ended by a deadline in the past once there is room.
func (s *session) slurp() {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for s.in == nil || len(*s.in) < s.srv.opts.Limits.InputBytes {
			if err := s.read(); err != nil {
				switch {
				case errors.Is(err, io.EOF):
					s.eof = true // it may still read; what it sent is done first
				case !errors.Is(err, os.ErrDeadlineExceeded):
					s.mu.Lock()
					s.drop(err)
					s.mu.Unlock()
				}
				return
			}
		}
	}()
	s.mu.Lock()
	s.await(s.hasRoom)
	s.mu.Unlock()
	_ = s.nc.SetReadDeadline(time.Unix(1, 0))
	<-done
	_ = s.nc.SetReadDeadline(time.Time{})
}
