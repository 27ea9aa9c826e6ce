package redis

import (
	"context"
	"crypto/tls"
	"maps"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"
)

// dialer makes every connection of a client and knows those that are open, so that Close leaves none.
//
// go-redis's own Close can: a connection that is dialled while its pool closes is added to the closed pool and stays open until the garbage
// collector finds it.
type dialer struct {
	during  during
	network string
	tls     *tls.Config

	mu     sync.Mutex
	closed bool
	open   map[*tracked]struct{}
	wg     sync.WaitGroup // dials under way
}

func newDialer(life during, opt Options) *dialer {
	return &dialer{during: life, network: opt.Network, tls: opt.TLS, open: map[*tracked]struct{}{}}
}

// dial connects as go-redis's Dialer. Its error is always nil: a dial that fails gives a [refused] connection, whose
// first use returns the cause.
//
// That keeps three things of go-redis's pool away, all of which begin with an error from its Dialer: a line on stderr
// for each attempt; after as many failures as the pool is large, a goroutine that dials once a second and outlives
// the pool's Close; and until that goroutine succeeds, every Get refused though the server is back.
func (d *dialer) dial(ctx context.Context, _, addr string) (net.Conn, error) {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return refused{net.ErrClosed}, nil
	}
	d.wg.Add(1)
	d.mu.Unlock()
	defer d.wg.Done()

	ctx, cancel := d.during(ctx)
	defer cancel()

	conn, err := d.connect(ctx, addr)
	if err != nil {
		return refused{err}, nil
	}
	return d.track(conn), nil
}

func (d *dialer) connect(ctx context.Context, addr string) (net.Conn, error) {
	nd := &net.Dialer{KeepAlive: 15 * time.Second}
	if d.tls == nil {
		return nd.DialContext(ctx, d.network, addr)
	}
	td := &tls.Dialer{NetDialer: nd, Config: d.tls}
	return td.DialContext(ctx, d.network, addr)
}

// track adds a connection to the open ones. One that was dialled as the client closed is found by close, which awaits the dials.
func (d *dialer) track(conn net.Conn) net.Conn {
	t := &tracked{Conn: conn, d: d}
	d.mu.Lock()
	d.open[t] = struct{}{}
	d.mu.Unlock()
	if sc, ok := conn.(syscall.Conn); ok {
		return &trackedRaw{tracked: t, raw: sc}
	}
	return t
}

// close refuses further dials, awaits those under way, which the end of the client's life has cancelled, and closes every connection.
func (d *dialer) close() {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.wg.Wait()
	d.mu.Lock()
	open := slices.Collect(maps.Keys(d.open))
	d.mu.Unlock()
	for _, t := range open {
		_ = t.Close()
	}
}

// tracked is a connection that tells its dialer when it is closed.
type tracked struct {
	net.Conn
	d *dialer
}

func (t *tracked) Close() error {
	t.d.mu.Lock()
	delete(t.d.open, t)
	t.d.mu.Unlock()
	return t.Conn.Close()
}

// trackedRaw lets go-redis peek at the socket, by which it sees that an idle connection has ended.
type trackedRaw struct {
	*tracked
	raw syscall.Conn
}

func (t *trackedRaw) SyscallConn() (syscall.RawConn, error) { return t.raw.SyscallConn() }

// once gives a Dialer that connects a single time. A subscription through it can be lost but never silently renewed.
func (d *dialer) once() func(context.Context, string, string) (net.Conn, error) {
	var used sync.Once
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn := net.Conn(refused{net.ErrClosed})
		used.Do(func() { conn, _ = d.dial(ctx, network, addr) })
		return conn, nil
	}
}

// refused is a connection that could not be made: everything but Close returns why.
type refused struct{ err error }

func (r refused) Read([]byte) (int, error)         { return 0, r.err }
func (r refused) Write([]byte) (int, error)        { return 0, r.err }
func (r refused) SetDeadline(time.Time) error      { return r.err }
func (r refused) SetReadDeadline(time.Time) error  { return r.err }
func (r refused) SetWriteDeadline(time.Time) error { return r.err }
func (r refused) Close() error                     { return nil }
func (r refused) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (r refused) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
