package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"forebay/backend"
	"forebay/backend/redis/wire"
	"forebay/internal/cache"
	"forebay/internal/event"
	"forebay/internal/metric"
	"forebay/internal/near"
	"forebay/internal/route"
)

// Limits bound what clients can make the process hold. All are above zero.
type Limits struct {
	Clients      int           // connections at once; one more is told so and closed
	RequestBytes int64         // one word of a command
	Arguments    int64         // words of one command
	Pipeline     int           // commands of one client that await their replies; more wait in its input
	ReplyBytes   int           // bytes of replies that one client has not taken; then its commands wait
	InputBytes   int           // bytes of commands of one client that wait; then it is not read from
	WriteTimeout time.Duration // a client that takes nothing for this long is closed
	TotalBytes   int64         // of commands and replies that all clients hold together; above it the heaviest is closed
}

// DefaultLimits are the limits of a default configuration.
func DefaultLimits() Limits {
	return Limits{
		Clients: 10_000, RequestBytes: 512 << 20, Arguments: 1 << 20, Pipeline: 1024,
		ReplyBytes: 1 << 20, InputBytes: 64 << 20, WriteTimeout: time.Minute,
		TotalBytes: 1 << 30,
	}
}

// Options of a Server. All but TLS, Info, Patterns, Sessions, Invalid, MayRemove and Log are needed.
type Options struct {
	Pool     *wire.Pool
	Engine   *cache.Engine
	Routes   *route.Table
	Store    backend.Store
	Events   *event.Pipeline
	Commands *metric.Commands
	Limits   Limits
	// Budget is the most time a client's outstanding replies are waited for when it leaves; StoreBudget that after which a routed read is loaded
	// without waiting for Redis any longer.
	Budget, StoreBudget time.Duration
	// Near is the copy of routed values in memory; nil: none.
	Near *near.Cache
	// MayRead tells, without blocking, whether a user ("" for one that has not authenticated) is known to be allowed to read every key that
	// begins with prefix.
	MayRead func(user, prefix string) bool
	// MayRun tells the same of one command that loads (get, strlen, hgetall …): MayRead is about GET and MGET. nil: nobody may.
	MayRun func(user, prefix, command string) bool
	// RightsChanged is called, without blocking, when a client has changed users' rights, before it has the reply. nil: nobody wants to know.
	RightsChanged func()
	// Permits asks Redis whether a user ("" for one that has not authenticated) may run a command, for users of whom MayRead does not know that: something
	// would be loaded before the command is sent. It is concurrent and may block within ctx; args are borrowed. nil: nothing is loaded for such users.
	Permits func(ctx context.Context, user string, args [][]byte) (bool, error)
	// Info appends the lines of INFO's "# Forebay" section, each with CRLF.
	Info func(b []byte) []byte
	// Patterns is how many patterns Forebay itself is subscribed to in Redis just now; nil: none.
	Patterns func() int
	Sessions Sessions // nil: none are followed
	// Invalid drops values that are known to be wrong; nil: nothing does. MayRemove tells, without blocking, whether a user was last known to be
	// allowed to remove keys, for when Redis cannot be asked; nil: nobody is.
	Invalid   Invalidator
	MayRemove func(user string) bool
	// AfterUse are the routes whose values are given back after use: their fills are remembered.
	AfterUse []string
	Version  string
	TLS      *tls.Config // nil: clear text
	Log      *slog.Logger
}

// Server is the front. Make it with New; its zero value is not usable.
type Server struct {
	opts         Options
	log          *slog.Logger
	table        atomic.Pointer[commands]
	unknown      command
	large        largeKeys
	keeping      atomic.Int64 // bytes of large replies that are gathered for the near copy
	ins          *bufferPool
	outs         *bufferPool
	details      detailPool
	weights      weights
	hits, misses atomic.Int64 // keys read; counted before the reply is sent
	pauses       pauses

	ctx    context.Context //nolint:containedctx // the life of the server's dials
	cancel context.CancelFunc
	wg     sync.WaitGroup // sessions, their writers and their loads

	mu       sync.Mutex
	sessions map[*session]struct{}
	ln       net.Listener
	closed   bool
	lastID   int64
}

// New returns a server that Serve starts.
func New(o Options) (*Server, error) {
	table, err := newCommands()
	if err != nil {
		return nil, err
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Sessions == nil {
		o.Sessions = noSessions{}
	}
	if o.Invalid == nil {
		o.Invalid = noInvalidator{}
	}
	if o.MayRemove == nil {
		o.MayRemove = func(string) bool { return false }
	}
	if o.Info == nil {
		o.Info = func(b []byte) []byte { return b }
	}
	if o.Patterns == nil {
		o.Patterns = func() int { return 0 }
	}
	s := &Server{
		opts: o, log: o.Log, sessions: map[*session]struct{}{}, lastID: firstID,
		ins: newBufferPool(inSize), outs: newBufferPool(outSize),
		unknown: command{class: ownForever, writes: true},
		weights: weights{most: o.Limits.TotalBytes / unit, over: make(chan struct{}, 1)},
	}
	s.table.Store(&table)
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s, nil
}

// Command is a command as the server's COMMAND describes it.
type Command struct {
	Name              string
	Arity             int
	Flags             []string
	First, Last, Step int
}

// Learn adds the commands that the table lacks: of a newer server, or of its modules. What a module's command does to its connection is
// not known: it goes on one of the client's own.
func (s *Server) Learn(list []Command) {
	old := *s.table.Load()
	table := make(commands, len(old)+len(list))
	for name, c := range old {
		table[name] = c
	}
	for _, c := range list {
		if old[c.Name] == nil && len(c.Name) <= 32 {
			table.add(c.Name, c.Arity, c.Flags, c.First, c.Last, c.Step)
			table[c.Name].class = ownForever
		}
	}
	s.table.Store(&table)
}

// route returns the key's route, nil if it has none.
func (s *Server) route(db int, key []byte) *route.Route {
	var m route.Match
	s.opts.Routes.Match(db, key, &m)
	return m.Route
}

// serves returns the key's route if its values are of the kind that the operation reads: on a hash route, GET is left to Redis.
func (s *Server) serves(db int, key []byte, op readOp) *route.Route {
	if r := s.route(db, key); r != nil && r.IsHash() == op.isHash() {
		return r
	}
	return nil
}

// Serve accepts clients until Shutdown, and returns nil then.
func (s *Server) Serve(ln net.Listener) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return ln.Close()
	}
	s.ln = ln
	s.mu.Unlock()
	done := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() { s.care(done) })
	defer watching.Wait()
	defer close(done)
	for pause := time.Duration(0); ; {
		nc, err := ln.Accept()
		if err == nil {
			pause = 0
			s.accept(nc)
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		// Out of file descriptors, most likely: accepting again at once would only spin.
		pause = min(max(2*pause, 5*time.Millisecond), time.Second)
		s.log.Warn("accept client", "error", err, "pause", pause)
		select {
		case <-time.After(pause):
		case <-s.ctx.Done():
			return nil
		}
	}
}

// accept starts a session, or tells the client why not.
func (s *Server) accept(nc net.Conn) {
	if s.opts.TLS != nil {
		nc = tls.Server(nc, s.opts.TLS)
	}
	s.mu.Lock()
	if s.closed || len(s.sessions) >= s.opts.Limits.Clients {
		full := !s.closed
		s.mu.Unlock()
		if full {
			s.log.Warn("client refused: too many", "clients", s.opts.Limits.Clients)
			_ = nc.SetDeadline(time.Now().Add(100 * time.Millisecond)) // TLS reads first
			_, _ = nc.Write([]byte("-ERR max number of clients reached\r\n"))
		}
		nc.Close()
		return
	}
	s.lastID++
	c := newSession(s, s.lastID, nc)
	s.sessions[c] = struct{}{}
	s.wg.Add(1)
	s.mu.Unlock()
	go s.run(c)
}

// run is a client's goroutine.
func (s *Server) run(c *session) {
	if c.serve() {
		go s.run(c)
		return
	}
	s.mu.Lock()
	delete(s.sessions, c)
	s.mu.Unlock()
	s.wg.Done()
}

// Reads is how many keys were read and found in the cache, and how many were not. It includes every read that was replied to
// before the call.
func (s *Server) Reads() (hits, misses int64) { return s.hits.Load(), s.misses.Load() }

// Clients is the number of connected clients.
func (s *Server) Clients() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sessions)
}

func (s *Server) list() []*session {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*session, 0, len(s.sessions))
	for c := range s.sessions {
		list = append(list, c)
	}
	return list
}

// Shutdown accepts no more clients, lets every client have the replies to what it has sent, and closes them. When ctx ends first,
// the rest are cut, and the pool is closed. It returns when every goroutine of the server has ended.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	ln := s.ln
	s.mu.Unlock()
	if ln != nil {
		ln.Close()
	}
	for _, c := range s.list() {
		c.leave()
	}
	done := make(chan struct{})
	go func() {
		s.wg.Wait()
		close(done)
	}()
	var err error
	select {
	case <-done:
	case <-ctx.Done():
		left := s.list()
		for _, c := range left {
			c.mu.Lock()
			c.drop(nil)
			c.mu.Unlock()
		}
		err = fmt.Errorf("drain clients: %d were cut: %w", len(left), ctx.Err())
		s.opts.Pool.Close() // a client's goroutine may be waiting until Redis takes its command
		<-done
	}
	s.cancel()
	return err
}

// leave lets the session end once its client has the replies to all that it has sent by now.
func (s *session) leave() {
	s.leaveBy.Store(wire.Now() + int64(lastInput))
	_ = s.nc.SetReadDeadline(time.Unix(1, 0)) // it may be waiting for bytes
}

// detailPool keeps details of MGETs for reuse. The zero value is ready.
type detailPool struct{ pool sync.Pool }

func (p *detailPool) get(keys int) *detail {
	d, ok := p.pool.Get().(*detail)
	if !ok || cap(d.keys) < keys {
		return &detail{keys: make([][]byte, 0, keys), routes: make([]*route.Route, 0, keys), tokens: make([]near.Token, 0, keys)}
	}
	return d
}

func (p *detailPool) put(d *detail) {
	if cap(d.keys) > 1024 || cap(d.reply) > maxKeep {
		return
	}
	clear(d.keys)
	clear(d.routes)
	*d = detail{keys: d.keys[:0], routes: d.routes[:0], tokens: d.tokens[:0], reply: d.reply[:0]} // without ages: few have them
	p.pool.Put(d)
}
