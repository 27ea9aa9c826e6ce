package redis_test

import (
	"bytes"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"forebay/backend"
	"forebay/backend/redis"
	"forebay/internal/testkit"
)

// A question whose connection ended is asked again, and arrives after all when the lease that the second one took was dropped: what was loaded under that
// is refused (Client.Acquire).
func TestQuestionThatArrivesTwice(t *testing.T) {
	s := testkit.Redis(t)
	late := newLateRelay(t, s.Addr)
	c := redis.Open(redis.Options{Network: "tcp", Addr: late.addr, Log: testkit.Log(t)})
	t.Cleanup(c.Close)
	testkit.Soon(t, "redis is up", c.Up)
	ask := []backend.Ask{{Key: []byte("k")}}
	if _, err := c.Acquire(t.Context(), 0, time.Minute, []backend.Ask{{Key: []byte("other")}}); err != nil { // the server knows the script now
		t.Fatal(err)
	}

	late.hold("__forebay:lease:{k}")
	grants, err := c.Acquire(t.Context(), 0, time.Minute, ask)
	if err != nil || grants[0].State != backend.Taken {
		t.Fatalf("%+v, %v", grants, err)
	}
	if err := c.Drop(t.Context(), 0, [][]byte{[]byte("k")}, nil); err != nil { // a writer
		t.Fatal(err)
	}
	late.deliver(t)
	testkit.Soon(t, "the first question arrives", func() bool { return s.Do(t, "EXISTS", "__forebay:lease:{k}") == int64(1) })

	fits, _, err := c.Settle(t.Context(), 0, []backend.Entry{{Key: []byte("k"), Lease: grants[0].Lease, Value: []byte("old"), TTL: time.Minute}})
	if err != nil || fits[0] || s.Do(t, "EXISTS", "k") != int64(0) {
		t.Errorf("stored what was loaded before a write: %v, %v", fits, err)
	}
}

// A question that is asked again after its lease was taken has that lease.
func TestQuestionWhoseAnswerIsLost(t *testing.T) {
	s := testkit.Redis(t)
	late := newLateRelay(t, s.Addr)
	c := redis.Open(redis.Options{Network: "tcp", Addr: late.addr, Log: testkit.Log(t)})
	t.Cleanup(c.Close)
	testkit.Soon(t, "redis is up", c.Up)
	if _, err := c.Acquire(t.Context(), 0, time.Minute, []backend.Ask{{Key: []byte("other")}}); err != nil {
		t.Fatal(err)
	}
	late.hold("__forebay:lease:{k}")
	late.atOnce = func() {
		late.deliver(t)
		testkit.Soon(t, "the question arrives", func() bool { return s.Do(t, "EXISTS", "__forebay:lease:{k}") == int64(1) })
	}
	grants, err := c.Acquire(t.Context(), 0, time.Minute, []backend.Ask{{Key: []byte("k")}})
	if err != nil || grants[0].State != backend.Taken {
		t.Fatalf("%+v, %v", grants, err)
	}
	fits, errs, err := c.Settle(t.Context(), 0, []backend.Entry{{Key: []byte("k"), Lease: grants[0].Lease, Value: []byte("v"), TTL: time.Minute}})
	if err != nil || errs[0] != nil || !fits[0] {
		t.Errorf("%v, %v, %v", fits, errs, err)
	}
}

// lateRelay is a network that ends a client's connection, and delivers later what that has sent.
type lateRelay struct {
	addr   string
	atOnce func() // called when something is held, before its connection ends

	mu      sync.Mutex
	part    []byte // what is to be held has it; nil: nothing is
	held    []byte
	to      net.Conn
	wg      sync.WaitGroup
	open    []net.Conn
	refuses bool
}

func newLateRelay(t *testing.T, target string) *lateRelay {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &lateRelay{addr: ln.Addr().String()}
	r.wg.Go(func() {
		for {
			client, err := ln.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", target)
			if err != nil || !r.keep(client, server) {
				client.Close()
				continue
			}
			var deaf atomic.Bool
			r.wg.Go(func() { _, _ = io.Copy(unless{&deaf, client}, server) })
			r.wg.Go(func() { r.up(client, server, &deaf) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		r.mu.Lock()
		r.refuses = true
		for _, c := range r.open {
			c.Close()
		}
		r.mu.Unlock()
		r.wg.Wait()
	})
	return r
}

func (r *lateRelay) keep(conns ...net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open = append(r.open, conns...)
	return !r.refuses
}

// hold holds the next piece of bytes that has part.
func (r *lateRelay) hold(part string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.part = []byte(part)
}

// unless writes what comes before deaf.
type unless struct {
	deaf *atomic.Bool
	net.Conn
}

func (u unless) Write(b []byte) (int, error) {
	if u.deaf.Load() {
		return len(b), nil
	}
	return u.Conn.Write(b)
}

func (r *lateRelay) up(client, server net.Conn, deaf *atomic.Bool) {
	buf := make([]byte, 64<<10)
	for {
		n, err := client.Read(buf)
		if err != nil {
			return
		}
		if r.catches(buf[:n], server) {
			deaf.Store(true)
			if r.atOnce != nil {
				r.atOnce()
			}
			client.Close()
			return
		}
		if _, err := server.Write(buf[:n]); err != nil {
			return
		}
	}
}

func (r *lateRelay) catches(piece []byte, server net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.part == nil || !bytes.Contains(piece, r.part) {
		return false
	}
	r.part, r.held, r.to = nil, bytes.Clone(piece), server
	return true
}

// deliver delivers what is held.
func (r *lateRelay) deliver(t *testing.T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, err := r.to.Write(r.held); err != nil {
		t.Errorf("deliver: %v", err)
	}
}
