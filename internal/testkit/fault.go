package testkit

import (
	"net"
	"sync"
	"testing"
	"time"

	"forebay/internal/testkit/daemon"
)

// FaultProxy is a TCP relay in front of a server that breaks the network on demand. Its methods are safe for concurrent use.
type FaultProxy struct {
	// Addr is host:port to connect to.
	Addr string

	t               testing.TB
	network, target string
	wg              sync.WaitGroup

	mu       sync.Mutex
	listener net.Listener // nil while cut
	relays   map[*relay]struct{}
	delay    time.Duration
	dribble  int           // the most bytes that go in one piece; 0: as they come
	gate     chan struct{} // closed: data passes; open: half-open
}

// NewFaultProxy relays a free port of 127.0.0.1 to target (network "tcp" or "unix") until the test's cleanup.
func NewFaultProxy(t testing.TB, network, target string) *FaultProxy {
	t.Helper()
	port, err := daemon.ReservePort()
	must(t, err)
	p := &FaultProxy{
		Addr: port.Addr(), t: t, network: network, target: target,
		relays: make(map[*relay]struct{}), gate: make(chan struct{}),
	}
	close(p.gate)
	p.mu.Lock()
	err = p.listen()
	p.mu.Unlock()
	must(t, err)
	t.Cleanup(func() {
		p.Cut()
		p.wg.Wait()
		port.Release()
	})
	return p
}

// Cut resets every connection and refuses new ones until Restore.
func (p *FaultProxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse()
	for r := range p.relays {
		r.reset()
	}
}

// Refuse refuses new connections until Restore; those that are there go on.
func (p *FaultProxy) Refuse() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse()
}

func (p *FaultProxy) refuse() {
	if p.listener != nil {
		p.listener.Close()
		p.listener = nil
	}
}

// Restore ends Cut, Refuse, Delay, Dribble and HalfOpen. What a half-open connection held back is delivered.
func (p *FaultProxy) Restore() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay, p.dribble = 0, 0
	select {
	case <-p.gate:
	default:
		close(p.gate)
	}
	if p.listener == nil {
		if err := p.listen(); err != nil {
			p.t.Errorf("restore fault proxy: %v", err)
		}
	}
}

// Delay gives every connection a latency of d in each direction, until Restore. Throughput stays as it is.
func (p *FaultProxy) Delay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// Dribble has all data go in pieces of at most size bytes, each written by itself, until Restore: readers see frames cut anywhere.
func (p *FaultProxy) Dribble(size int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dribble = size
}

// piece is how much of n bytes goes at once now.
func (p *FaultProxy) piece(n int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dribble > 0 {
		return min(n, p.dribble)
	}
	return n
}

// HalfOpen keeps connections open and accepts new ones, but passes nothing in either direction until Restore: as when a
// host hangs or a firewall drops.
func (p *FaultProxy) HalfOpen() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.gate:
		p.gate = make(chan struct{})
	default:
	}
}

// Strand does to the connections of now what HalfOpen does to all, and for good: they stay open, and nothing passes on them any more. New ones pass. So it is when
// a host has forgotten them, after a failover of its network, say.
func (p *FaultProxy) Strand() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for r := range p.relays {
		r.stranded.Store(true)
	}
}

// Open is the number of connections through the proxy.
func (p *FaultProxy) Open() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.relays)
}

// weather is the latency and the gate of now.
func (p *FaultProxy) weather() (time.Duration, chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.delay, p.gate
}

// listen opens the port. p.mu is held.
func (p *FaultProxy) listen() error {
	l, err := net.Listen("tcp", p.Addr)
	if err != nil {
		return err
	}
	p.listener = l
	p.wg.Add(1)
	go func() {
		defer p.wg.Done()
		p.accept(l)
	}()
	return nil
}

func (p *FaultProxy) accept(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		r := &relay{proxy: p, client: conn, done: make(chan struct{})}
		p.mu.Lock()
		// Accepted just before a Cut that has since reset all it knew: this one goes too.
		if p.listener != l {
			p.mu.Unlock()
			r.reset()
			return
		}
		p.relays[r] = struct{}{}
		p.wg.Add(1)
		p.mu.Unlock()
		go func() {
			defer p.wg.Done()
			r.run()
			p.mu.Lock()
			delete(p.relays, r)
			p.mu.Unlock()
		}()
	}
}
