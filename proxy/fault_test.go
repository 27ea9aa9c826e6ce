package proxy_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"forebay/internal/testkit"
)

const lost = "-REDISDOWN connection to redis was lost before the reply came; try again\r\n"

// Reads that were answered from the source, while Redis was slow, wait behind one that is still being loaded. When the connection breaks, they have
// their replies already; what Redis still owes gets an error.
func TestBrokenConnectionBehindReadsAnsweredWithoutIt(t *testing.T) {
	f := start(t, options{})
	open := make(chan struct{})
	f.source.hold(func(ids []any) error {
		if ids[0] == int64(900) {
			<-open
		}
		return nil
	})
	c := dial(t, f.addr)
	c.send(frames("GET t:900"))
	eventually(t, "the first read is being loaded", func() bool { return f.source.queries.Load() == 1 })
	f.redis.Pause()
	c.send(frames("GET t:1", "ECHO a", "MGET t:2 t:3", "STRLEN t:4"))
	eventually(t, "the reads are loaded", func() bool {
		_, misses := f.server.Reads()
		return misses == 4
	})
	f.redis.Kill()
	other := dial(t, f.addr)
	other.do(bulk("value-5"), "GET t:5")
	close(open)
	c.expect(bulk("value-900") + bulk("value-1") + lost + "*2\r\n" + bulk("value-2") + bulk("value-3") + ":7\r\n")
	c.do(bulk("value-5"), "GET t:5")
	f.redis.Start()
	eventually(t, "redis is up", f.store.Up)
	c.do("+PONG\r\n"+bulk("value-6"), "PING", "GET t:6")
}

func TestRedisPaused(t *testing.T) {
	f := start(t, options{})
	big := strings.Repeat("b", 1<<20)
	f.redis.Do(t, "SET", "t:1", "one")
	f.redis.Do(t, "SET", "t:2", big)
	a, b, w := dial(t, f.addr), dial(t, f.addr), dial(t, f.addr)
	for _, c := range []*client{a, b, w} {
		c.do("+PONG\r\n", "PING")
	}
	f.redis.Pause()
	began := time.Now()
	a.send(frames("GET t:1", "GET t:2", "MGET t:1 t:3"))
	b.send(frames("GET t:3"))
	w.send(frames("SET w 1", "GET w"))
	a.expect(bulk("value-1") + bulk("value-2") + "*2\r\n" + bulk("value-1") + bulk("value-3"))
	b.expect(bulk("value-3"))
	took := time.Since(began)
	b.send(frames("BLPOP none 0.01", "GET t:4")) // waits for the late reply before it moves
	f.redis.Resume()
	b.expect("*-1\r\n")
	if got := b.reply(); got != bulk("value-4") {
		t.Fatalf("got %q", got)
	}
	w.expect("+OK\r\n" + bulk("1"))
	// The late replies went to nobody.
	a.do("+PONG\r\n", "PING")
	b.do("+PONG\r\n", "PING")
	if took > 1800*time.Millisecond {
		t.Fatalf("answered after %v, want about 1.2 s", took)
	}
}

// A large reply that breaks off while it is gathered is asked for anew, whole.
func TestGatheredReplyThatBreaksOff(t *testing.T) {
	r := testkit.Redis(t)
	var armed atomic.Bool
	tap := newTap(t, r.Addr, func(b []byte) bool { return armed.Load() && bytes.Contains(b, []byte("*3\r\n$200000\r\n")) })
	f := start(t, options{redis: r, upstream: tap.addr})
	f.redis.Do(t, "MSET", "t:1", strings.Repeat("a", 200_000), "t:2", strings.Repeat("b", 200_000), "t:3", strings.Repeat("c", 200_000))
	c := dial(t, f.addr)
	c.do("+PONG\r\n", "PING")
	armed.Store(true)
	c.send(frames("MGET t:1 t:2 t:3"))
	c.expect("*3\r\n" + bulk(strings.Repeat("a", 200_000)) + bulk(strings.Repeat("b", 200_000)) + bulk(strings.Repeat("c", 200_000)))
	armed.Store(false)
	eventually(t, "the connection is back", func() bool {
		c.send(frames("PING"))
		return c.reply() == "+PONG\r\n"
	})
}

// tap is a relay that, once it sees what cut looks for in what Redis says, passes 300,000 bytes more and resets the connection.
type tap struct{ addr string }

func newTap(t testing.TB, target string, cut func([]byte) bool) *tap {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	var wg sync.WaitGroup
	t.Cleanup(func() {
		ln.Close()
		wg.Wait()
	})
	wg.Go(func() {
		for {
			down, err := ln.Accept()
			if err != nil {
				return
			}
			up, err := net.Dial("tcp", target)
			if err != nil {
				down.Close()
				continue
			}
			wg.Go(func() {
				_, _ = io.Copy(up, down)
				up.Close()
			})
			wg.Go(func() {
				defer down.Close()
				defer up.Close()
				b := make([]byte, 64<<10)
				for {
					n, err := up.Read(b)
					if n > 0 && cut(b[:n]) {
						_, _ = down.Write(b[:n])
						_, _ = io.CopyN(down, up, 300_000)
						return
					}
					if _, werr := down.Write(b[:n]); err != nil || werr != nil {
						return
					}
				}
			})
		}
	})
	return &tap{ln.Addr().String()}
}

// Redis is killed and started again under load. Every reply is the right one for its command and client, or an error, or
// the connection ends; routed reads are never errors.
func TestRedisRestartsUnderLoad(t *testing.T) {
	f := start(t, options{})
	stop := make(chan struct{})
	var wg sync.WaitGroup
	var reads, writes, errs, closes atomic.Int64
	for id := range 12 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(id)))
			for n := 0; ; {
				c, err := net.Dial("tcp", f.addr)
				if err != nil {
					t.Error(err)
					return
				}
				_ = c.SetDeadline(time.Now().Add(20 * time.Second))
				l := &loader{id: id, rng: rng, n: n, c: &client{t: t, nc: c}}
				done, err := l.run(stop)
				n = l.n
				reads.Add(l.reads)
				writes.Add(l.writes)
				errs.Add(l.errs)
				c.Close()
				if err != nil {
					t.Errorf("client %d: %v", id, err)
					return
				}
				if done {
					return
				}
				closes.Add(1)
			}
		})
	}
	for range 2 {
		before := reads.Load()
		eventually(t, "reads go on", func() bool { return f.hitsAndMisses() > before+2000 })
		f.redis.Kill()
		at := f.hitsAndMisses()
		eventually(t, "reads go on without redis", func() bool { return f.hitsAndMisses() > at+200 })
		f.redis.Start()
		eventually(t, "redis is up", f.store.Up)
	}
	close(stop)
	wg.Wait()
	t.Logf("%d reads, %d writes, %d errors, %d connections closed", reads.Load(), writes.Load(), errs.Load(), closes.Load())
}

func (f *front) hitsAndMisses() int64 {
	hits, misses := f.server.Reads()
	return hits + misses
}

// loader sends small pipelines with values of its own and checks each reply.
type loader struct {
	id, n               int
	rng                 *rand.Rand
	c                   *client
	reads, writes, errs int64
}

// run returns done at stop, and not done when the connection ended.
func (l *loader) run(stop chan struct{}) (done bool, err error) {
	br := newReader(l.c.nc)
	for {
		select {
		case <-stop:
			return true, nil
		default:
		}
		var send strings.Builder
		var want []string
		for range 1 + l.rng.IntN(8) {
			l.n++
			tag := fmt.Sprintf("c%d-%d", l.id, l.n)
			row := l.rng.IntN(1000)
			switch l.rng.IntN(4) {
			case 0:
				send.WriteString(frames("ECHO " + tag))
				want = append(want, bulk(tag))
				l.writes++
			case 1:
				send.WriteString(frames("SETEX k" + tag + " 100 " + tag))
				want = append(want, "+OK\r\n")
				l.writes++
			case 2:
				send.WriteString(frames(fmt.Sprint("GET t:", row)))
				want = append(want, "!"+bulk(fmt.Sprint("value-", row)))
				l.reads++
			default:
				send.WriteString(frames(fmt.Sprintf("MGET t:%d t:%d", row, 999-row)))
				want = append(want, "!*2\r\n"+bulk(fmt.Sprint("value-", row))+bulk(fmt.Sprint("value-", 999-row)))
				l.reads++
			}
		}
		if _, err := io.WriteString(l.c.nc, send.String()); err != nil {
			return false, nil
		}
		for _, w := range want {
			got, err := br.reply()
			if err != nil {
				return false, nil
			}
			routed := w[0] == '!'
			w = strings.TrimPrefix(w, "!")
			switch {
			case got == w:
			case !routed && strings.HasPrefix(got, "-REDISDOWN "):
				l.errs++
			default:
				return false, fmt.Errorf("got %.200q, want %q", got, w)
			}
		}
	}
}

func TestNetworkFaults(t *testing.T) {
	r := testkit.Redis(t)
	fault := testkit.NewFaultProxy(t, "tcp", r.Addr)
	f := start(t, options{redis: r, upstream: fault.Addr})
	c, w := dial(t, f.addr), dial(t, f.addr)
	c.do("+PONG\r\n"+bulk("value-1"), "PING", "GET t:1")
	w.do("+OK\r\n", "SET w 1")

	fault.Cut()
	c.do(bulk("value-1")+bulk("value-2"), "GET t:1", "GET t:2")
	c.send(frames("PING"))
	if got := c.reply(); !strings.HasPrefix(got, "-REDISDOWN ") {
		t.Fatalf("PING: %q", got)
	}
	fault.Restore()
	eventually(t, "redis is up", f.store.Up)
	eventually(t, "the connection is back", func() bool {
		c.send(frames("PING"))
		return c.reply() == "+PONG\r\n"
	})

	fault.Delay(100 * time.Millisecond)
	c.do(bulk("value-1")+"+PONG\r\n"+bulk("value-3"), "GET t:1", "PING", "GET t:3")
	fault.Restore()

	fault.HalfOpen()
	began := time.Now()
	c.do(bulk("value-1")+bulk("value-4"), "GET t:1", "GET t:4")
	if took := time.Since(began); took > 2500*time.Millisecond {
		t.Errorf("half-open: answered after %v", took)
	}
	fault.Restore()
	eventually(t, "redis is up", f.store.Up)
	c.do("+PONG\r\n"+bulk("value-5"), "PING", "GET t:5")
}

func TestRedisDownAtStart(t *testing.T) {
	r := testkit.Redis(t)
	r.Kill()
	f := start(t, options{redis: r, down: true})
	c := dial(t, f.addr)
	c.do(bulk("value-1")+"*2\r\n"+bulk("value-2")+bulk("value-3")+"$-1\r\n", "GET t:1", "MGET t:2 t:3", "GET t:5000")
	c.send(frames("SET a 1", "GET a", "MGET t:1 a"))
	m := dial(t, f.addr) // which a refused MULTI ends
	m.send(frames("MULTI"))
	for _, c := range []*client{c, c, c, m} {
		if got := c.reply(); !strings.HasPrefix(got, "-REDISDOWN ") {
			t.Fatalf("got %q", got)
		}
	}
	h := dial(t, f.addr)
	h.send(frames("HELLO 3"))
	if got := h.reply(); got[0] != '%' {
		t.Fatalf("got %q", got)
	}
	h.do("_\r\n"+bulk("value-1"), "GET t:5000", "GET t:1")
	r.Start()
	eventually(t, "redis is up", f.store.Up)
	eventually(t, "writes go through", func() bool {
		c.send(frames("SET a 1"))
		return c.reply() == "+OK\r\n"
	})
	h.do(bulk("1")+"%0\r\n", "GET a", "HGETALL none")
}

// A server that must end does so although Redis takes nothing more and clients' commands wait for it.
func TestShutdownWithRedisStuck(t *testing.T) {
	f := start(t, options{stuck: true})
	f.redis.Pause()
	defer f.redis.Resume()
	var wg sync.WaitGroup
	for range 4 {
		nc, err := net.Dial("tcp", f.addr)
		must(t, err)
		defer nc.Close()
		wg.Go(func() {
			_ = nc.SetDeadline(time.Now().Add(20 * time.Second))
			command := frame("SET", "k", strings.Repeat("x", 200_000))
			for range 200 {
				if _, err := io.WriteString(nc, command); err != nil {
					return
				}
			}
		})
	}
	eventually(t, "commands wait", func() bool { return f.server.Clients() == 4 })
	f.stop(t, 300*time.Millisecond)
	wg.Wait()
}

// A large value is asked for on a connection of the client's own. If Redis gives none, its row is loaded.
func TestLargeValuesWithoutConnections(t *testing.T) {
	redis := testkit.Redis(t)
	network := testkit.NewFaultProxy(t, "tcp", redis.Addr)
	f := start(t, options{redis: redis, upstream: network.Addr})
	large := strings.Repeat("x", 1<<20)
	for _, key := range []string{"t:1", "a"} {
		redis.Do(t, "SET", key, large)
		dial(t, f.addr).do(bulk(large), "GET "+key) // is remembered to be large
	}
	network.Refuse()
	c := dial(t, f.addr)
	c.do(bulk("value-1"), "GET t:1")
	c.do("-REDISDOWN redis does not answer; routed keys are still read from the source, everything else: try again\r\n", "GET a")
	network.Restore()
	c.do(bulk(large), "GET t:1")
}
