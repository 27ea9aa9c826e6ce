package proxy_test

import (
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"forebay/proxy"
)

// Large replies pass by without a copy of theirs being made: what is allocated on their way does not grow with them.
func TestALargeReplyIsNotCopied(t *testing.T) {
	const size, times = 16 << 20, 8
	f := start(t, options{})
	f.lines.deaf.Store(true)
	f.redis.Do(t, "SET", "big", strings.Repeat("x", size))
	nc, err := net.Dial("tcp", f.addr)
	must(t, err)
	defer nc.Close()
	must(t, nc.SetDeadline(time.Now().Add(30*time.Second)))
	in := make([]byte, 1<<20)
	get := func() {
		_, err := io.WriteString(nc, frames("GET big"))
		must(t, err)
		for left := len("$16777216\r\n\r\n") + size; left > 0; {
			n, err := nc.Read(in[:min(len(in), left)])
			must(t, err)
			left -= n
		}
	}
	get() // buffers grow to their size, and the key is known to be large
	get()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range times {
		get()
	}
	runtime.ReadMemStats(&after)
	allocated := after.TotalAlloc - before.TotalAlloc
	t.Logf("%d KiB are allocated for %d MiB", allocated>>10, times*size>>20)
	if allocated > times*size/20 {
		t.Errorf("%d KiB are allocated for %d MiB", allocated>>10, times*size>>20)
	}
}

// A client that stops taking a large reply is closed: soon, if the reply came on a shared connection and others wait behind it, else after the write
// timeout. One that takes a little now and then is not.
func TestAClientThatTakesNothingOfALargeReply(t *testing.T) {
	const size = 12 << 20
	limits := proxy.DefaultLimits()
	limits.WriteTimeout = time.Second
	f := start(t, options{limits: &limits})
	f.redis.Do(t, "SET", "big", strings.Repeat("x", size))
	for _, how := range []string{"shared", "its own"} {
		c := dial(t, f.addr)
		must(t, c.nc.(*net.TCPConn).SetReadBuffer(64<<10))
		c.send(frames("GET big"))
		c.expect("$12582912\r\n")
		eventually(t, "a client whose connection to Redis is "+how+" is closed", func() bool { return f.server.Clients() == 0 })
		c.nc.Close()
	}
	c := dial(t, f.addr)
	must(t, c.nc.(*net.TCPConn).SetReadBuffer(64<<10))
	must(t, c.nc.SetDeadline(time.Now().Add(30*time.Second)))
	c.send(frames("GET big"))
	c.expect("$12582912\r\n")
	tick := time.NewTicker(300 * time.Millisecond)
	defer tick.Stop()
	for range 5 { // half as long again as the write timeout
		<-tick.C
		c.expect(strings.Repeat("x", 256<<10))
	}
	c.expect(strings.Repeat("x", size-5*256<<10) + "\r\n")
	c.do("+PONG\r\n", "PING")
}
