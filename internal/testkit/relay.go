package testkit

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// relay is one connection through a FaultProxy.
type relay struct {
	proxy  *FaultProxy
	client net.Conn
	done   chan struct{} // closed by end

	stranded atomic.Bool // nothing passes any more

	mu     sync.Mutex
	closed bool
	server net.Conn // nil until connected
}

// chunk is a piece of data that may be delivered from due on.
type chunk struct {
	data []byte
	due  time.Time
}

// run relays until either side is gone. A server that refuses the connection resets the client's.
func (r *relay) run() {
	defer r.end(false)
	if !r.pass(time.Time{}) { // half-open: the connection stays with us
		return
	}
	server, err := net.DialTimeout(r.proxy.network, r.proxy.target, 5*time.Second)
	if err != nil {
		r.reset()
		return
	}
	r.mu.Lock()
	r.server = server
	closed := r.closed
	r.mu.Unlock()
	if closed {
		server.Close()
		return
	}
	var wg sync.WaitGroup
	wg.Go(func() { r.pump(server, r.client) })
	wg.Go(func() { r.pump(r.client, server) })
	wg.Wait()
}

// pump moves data from one side to the other. At its end the other direction may go on, as half-closed connections do.
func (r *relay) pump(to, from net.Conn) {
	const queued = 64 // pieces that may be under way at once
	chunks := make(chan chunk, queued)
	var wg sync.WaitGroup
	wg.Go(func() { r.read(from, chunks) })
	wg.Go(func() { r.deliver(to, chunks) })
	wg.Wait()
}

func (r *relay) read(from net.Conn, chunks chan<- chunk) {
	defer close(chunks)
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			delay, _ := r.proxy.weather()
			select {
			case chunks <- chunk{append([]byte(nil), buf[:n]...), time.Now().Add(delay)}:
			case <-r.done:
				return
			}
		}
		if err != nil {
			if r.stranded.Load() {
				r.reset() // whoever delivers waits for that alone
			}
			return
		}
	}
}

func (r *relay) deliver(to net.Conn, chunks <-chan chunk) {
	for c := range chunks {
		if !r.pass(c.due) {
			return
		}
		for data := c.data; len(data) > 0; {
			n := r.proxy.piece(len(data))
			if _, err := to.Write(data[:n]); err != nil {
				r.reset()
				return
			}
			data = data[n:]
		}
	}
	if !r.pass(time.Time{}) {
		return
	}
	if half, ok := to.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite() // it may be gone already
	}
}

// pass waits until due and until the gate is open. It reports false if the relay was ended first.
func (r *relay) pass(due time.Time) bool {
	if wait := time.Until(due); wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.done:
			return false
		}
	}
	if r.stranded.Load() {
		<-r.done
		return false
	}
	_, gate := r.proxy.weather()
	select {
	case <-r.done:
		return false
	case <-gate:
		return true
	}
}

// reset closes both sides with a TCP reset.
func (r *relay) reset() { r.end(true) }

// end closes both sides, unless that is done. Without abort, what was written is still delivered.
func (r *relay) end(abort bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	r.closed = true
	close(r.done)
	for _, c := range []net.Conn{r.client, r.server} {
		if tcp, ok := c.(*net.TCPConn); ok && abort {
			_ = tcp.SetLinger(0) // a closed one needs none
		}
		if c != nil {
			c.Close()
		}
	}
}
