package proxy_test

import (
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"forebay/proxy"
)

// heap is what the process holds, in MiB.
func heap() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc >> 20)
}

// A client asks for 1 GB and never reads. It costs a bounded amount of memory, others are served meanwhile, and it is closed.
func TestClientThatNeverReads(t *testing.T) {
	limits := proxy.DefaultLimits()
	limits.WriteTimeout = time.Second
	values := []struct {
		size, count int
	}{{1 << 10, 300_000}, {100_000, 10_000}, {2 << 20, 200}}
	for _, v := range values {
		t.Run(fmt.Sprint(v.size), func(t *testing.T) {
			f := start(t, options{limits: &limits})
			f.redis.Do(t, "SET", "k", strings.Repeat("x", v.size))
			before := heap()
			a, b := dial(t, f.addr), dial(t, f.addr)
			sent := make(chan struct{})
			go func() {
				defer close(sent)
				_, _ = io.WriteString(a.nc, strings.Repeat(frame("GET", "k"), v.count))
			}()
			most := 0
			var slowest time.Duration
			eventually(t, "the client is closed", func() bool {
				began := time.Now()
				b.do("+PONG\r\n", "PING")
				slowest = max(slowest, time.Since(began))
				most = max(most, heap()-before)
				return f.server.Clients() == 1
			})
			<-sent
			t.Logf("%d MiB, slowest PING %v", most, slowest)
			if most > 200 {
				t.Errorf("%d MiB were held", most)
			}
			// How long a PING waits is told and not judged: cores are shared. That it is answered is what do demands, within its deadline.
		})
	}
}

// A client sends everything before it reads anything.
func TestDeepPipelineSentBeforeAnythingIsRead(t *testing.T) {
	f := start(t, options{})
	f.redis.Do(t, "SET", "k", strings.Repeat("x", 1024))
	c := dial(t, f.addr)
	must(t, c.nc.SetDeadline(time.Now().Add(time.Minute))) // 100 MB on cores that others use too
	const n = 100_000
	sent := make(chan error, 1)
	go func() {
		_, err := io.WriteString(c.nc, strings.Repeat(frame("GET", "k"), n)+frame("QUIT"))
		sent <- err
	}()
	must(t, <-sent)
	want := len(bulk(strings.Repeat("x", 1024)))*n + len("+OK\r\n")
	got, err := io.Copy(io.Discard, c.br)
	must(t, err)
	if int(got) != want {
		t.Fatalf("%d bytes, want %d", got, want)
	}
}

// A client sends a deep pipeline and closes its sending side: all of it is done and answered, as far as it reads.
func TestHalfClosedPipeline(t *testing.T) {
	f := start(t, options{})
	c := dial(t, f.addr)
	const n = 20_000
	_, err := io.WriteString(c.nc, strings.Repeat(frame("INCR", "n"), n))
	must(t, err)
	must(t, c.nc.(*net.TCPConn).CloseWrite())
	got, err := io.ReadAll(c.br)
	must(t, err)
	if !strings.HasSuffix(string(got), fmt.Sprintf("\r\n:%d\r\n", n)) {
		t.Fatalf("%d bytes, the end is %q", len(got), got[max(0, len(got)-20):])
	}
}

func TestLargeValuesBothWays(t *testing.T) {
	for _, size := range []int{300_000, 5 << 20, 50 << 20} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			f := start(t, options{})
			small := dial(t, f.addr)
			var wg sync.WaitGroup
			clients := 8
			if size > 10<<20 {
				clients = 2
			}
			for i := range clients {
				c := dial(t, f.addr)
				must(t, c.nc.SetDeadline(time.Now().Add(30*time.Second)))
				wg.Go(func() {
					key := fmt.Sprint("k", i)
					v := strings.Repeat(string(rune('a'+i)), size)
					c.send(frame("SET", key, v) + frames("STRLEN "+key, "GET "+key, "PING", "GET "+key, "MGET "+key+" none"))
					c.expect(fmt.Sprintf("+OK\r\n:%d\r\n", size) + bulk(v) + "+PONG\r\n" + bulk(v))
					if got := c.reply(); size > 32<<20 && !strings.HasPrefix(got, "*2\r\n$") && !strings.HasPrefix(got, "-ERR ") {
						t.Errorf("got %.100q", got)
					}
					c.do("+PONG\r\n", "PING")
				})
			}
			for range 20 {
				small.do("+OK\r\n"+bulk("1"), "SET s 1", "GET s")
			}
			wg.Wait()
		})
	}
}

// A large value for a slow reader does not hold up the small reads of another client.
func TestSlowReaderOfALargeValue(t *testing.T) {
	f := start(t, options{})
	f.redis.Do(t, "SET", "big", strings.Repeat("x", 20<<20))
	f.redis.Do(t, "SET", "small", "1")
	a, b := dial(t, f.addr), dial(t, f.addr)
	b.do(bulk("1"), "GET small")
	a.send(frames("GET big"))
	a.expect("$20971520\r\n")
	began := time.Now()
	for range 100 {
		b.do(bulk("1"), "GET small")
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Fatalf("100 reads took %v", took)
	}
	a.expect(strings.Repeat("x", 20<<20) + "\r\n")
}

func TestLimits(t *testing.T) {
	limits := proxy.DefaultLimits()
	limits.Clients, limits.RequestBytes, limits.Arguments = 2, 1000, 10
	f := start(t, options{limits: &limits})
	a, b := dial(t, f.addr), dial(t, f.addr)
	a.do("+PONG\r\n", "PING")
	b.do("+PONG\r\n", "PING")
	c := dial(t, f.addr)
	c.expect("-ERR max number of clients reached\r\n")
	c.closed()
	a.send(frame("SET", "k", strings.Repeat("x", 1001)))
	a.expect("-ERR Protocol error: invalid bulk length\r\n")
	eventually(t, "it has left", func() bool { return f.server.Clients() == 1 })
	b.do("-ERR Protocol error: invalid multibulk length\r\n", "MGET 1 2 3 4 5 6 7 8 9 10 11")
	b.closed()
}

// Half of a large command must not be what the next client's command is behind.
func TestClientGoneInALargeCommand(t *testing.T) {
	f := start(t, options{})
	for range 5 {
		a := dial(t, f.addr)
		a.do("*-1\r\n", "BLPOP none 0.01") // so that a connection is in the pool
		whole := frame("SET", "k", strings.Repeat("x", 1<<20))
		a.send(whole[:600_000])
		a.nc.Close()
		eventually(t, "it has left", func() bool { return f.server.Clients() == 0 })
		b := dial(t, f.addr)
		b.do("*-1\r\n:0\r\n", "BLPOP none 0.01", "EXISTS k")
		b.nc.Close()
		eventually(t, "it has left", func() bool { return f.server.Clients() == 0 })
	}
}

// A subscriber and a monitor that never read are held by bounded memory.
func TestSubscriberThatNeverReads(t *testing.T) {
	limits := proxy.DefaultLimits()
	limits.WriteTimeout = time.Minute
	f := start(t, options{limits: &limits})
	sub, mon, pub := dial(t, f.addr), dial(t, f.addr), dial(t, f.addr)
	sub.send(frames("SUBSCRIBE c"))
	sub.reply()
	mon.do("+OK\r\n", "MONITOR")
	before := heap()
	command := frame("PUBLISH", "c", strings.Repeat("m", 100_000))
	must(t, pub.nc.SetDeadline(time.Now().Add(30*time.Second)))
	for range 80 { // 80 MB
		pub.send(strings.Repeat(command, 10))
		for range 10 {
			pub.reply()
		}
	}
	if held := heap() - before; held > 30 {
		t.Fatalf("%d MiB are held", held)
	}
}
