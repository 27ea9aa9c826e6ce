package proxy_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"forebay/proxy"
)

// Clients that send a part of a command that must be whole, and no more, hold what they sent. Over the limit of all of them together, the one that
// holds the most is told so and closed, and the others are served.
func TestHeaviestSenderIsToldAndClosed(t *testing.T) {
	limits := proxy.DefaultLimits()
	limits.TotalBytes = 8 << 20
	f := start(t, options{limits: &limits})
	begin := func(size int) string { return fmt.Sprintf("*2\r\n$4\r\nMGET\r\n$%d\r\n", size) }
	light, heavy := dial(t, f.addr), dial(t, f.addr)
	const part = 1 << 20
	light.send(begin(2*part) + strings.Repeat("x", part))
	heavy.send(begin(60*part) + strings.Repeat("y", 3*part))
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for range 30 {
			if _, err := heavy.nc.Write(make([]byte, part)); err != nil {
				return
			}
		}
	}()
	heavy.expect("-ERR closed: clients hold more than listen.limits.total_bytes together, and this one the most\r\n")
	heavy.closed()
	heavy.nc.Close()
	<-sent
	light.send(strings.Repeat("x", part) + "\r\n")
	light.expect("*1\r\n$-1\r\n")
	light.do("+PONG\r\n", "PING")
}

// Of clients that do not take their replies, the one that is owed the most is closed.
func TestHeaviestReaderIsClosed(t *testing.T) {
	limits := proxy.DefaultLimits()
	limits.TotalBytes, limits.ReplyBytes = 8<<20, 64<<20
	f := start(t, options{limits: &limits})
	f.redis.Do(t, "SET", "k", strings.Repeat("x", 100_000))
	light, heavy := dial(t, f.addr), dial(t, f.addr)
	light.send(strings.Repeat(frame("GET", "k"), 15)) // what the kernel holds is not counted
	heavy.send(strings.Repeat(frame("GET", "k"), 600))
	other := dial(t, f.addr)
	eventually(t, "one is closed", func() bool {
		other.do("+PONG\r\n", "PING")
		return f.server.Clients() == 2
	})
	light.expect(strings.Repeat(bulk(strings.Repeat("x", 100_000)), 15))
	light.do("+PONG\r\n", "PING")
}

// What a client holds is given back when it is taken, or when the client leaves: many in turn do not add up.
func TestWhatClientsHoldIsGivenBack(t *testing.T) {
	limits := proxy.DefaultLimits()
	limits.TotalBytes = 8 << 20
	f := start(t, options{limits: &limits})
	f.redis.Do(t, "SET", "k", strings.Repeat("x", 100_000))
	keeps := dial(t, f.addr)
	for range 10 {
		c := dial(t, f.addr)
		c.send("*2\r\n$4\r\nMGET\r\n$30000000\r\n" + strings.Repeat("x", 2<<20)) // leaves with half a command
		c.nc.Close()
		keeps.send(frames("MGET k k k k") + frame("MGET", strings.Repeat("y", 1<<20)))
		value := bulk(strings.Repeat("x", 100_000))
		keeps.expect("*4\r\n" + value + value + value + value + "*1\r\n$-1\r\n")
		eventually(t, "it has left", func() bool { return f.server.Clients() == 1 })
	}
}

// A frame that comes a byte at a time is followed without looking at anything twice, and others are served meanwhile.
func TestDrippedFrame(t *testing.T) {
	f := start(t, options{})
	slow, other := dial(t, f.addr), dial(t, f.addr)
	value := strings.Repeat("v", 20_000)
	raw := frame("SET", "k", value) + "GET k\r\n" + frame("GET", "k")
	for i := range raw {
		slow.send(raw[i : i+1])
		if i%1000 == 0 {
			other.do("+PONG\r\n", "PING")
		}
	}
	slow.expect("+OK\r\n" + bulk(value) + bulk(value))
}

// A client that has closed its sending side gets everything that it is owed: what is being loaded, what is behind that, and what is not sent yet.
func TestHalfClosedWhileLoading(t *testing.T) {
	f := start(t, options{})
	open := make(chan struct{})
	f.source.hold(func([]any) error { <-open; return nil })
	c := dial(t, f.addr)
	c.send(frames("ECHO a", "GET t:1", "ECHO b", "MGET t:2 t:3", "HGET h:4 data", "SET k v", "MULTI", "GET k", "EXEC") + "PING\r\n" + "*3\r\n$3\r\nSET\r\n$1\r\nk")
	must(t, c.nc.(*net.TCPConn).CloseWrite())
	c.expect(bulk("a"))
	eventually(t, "they are being loaded", func() bool { return f.source.queries.Load() > 0 })
	close(open)
	c.expect(bulk("value-1") + bulk("b") + "*2\r\n" + bulk("value-2") + bulk("value-3") + bulk("value-4") + "+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n" + bulk("v") + "+PONG\r\n")
	c.closed()
}

// A client that takes a little now and then is not closed, however long it needs for a reply; one that takes nothing is.
func TestSlowReaderThatGoesOn(t *testing.T) {
	limits := proxy.DefaultLimits()
	limits.WriteTimeout = 300 * time.Millisecond
	f := start(t, options{limits: &limits})
	value := strings.Repeat("x", 200_000)
	f.redis.Do(t, "SET", "k", value)
	const n = 60
	slow, stuck := dial(t, f.addr), dial(t, f.addr)
	slow.send(strings.Repeat(frame("GET", "k"), n))
	stuck.send(strings.Repeat(frame("GET", "k"), n))
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range n {
		<-tick.C
		slow.expect(bulk(value))
	}
	eventually(t, "who takes nothing is closed", func() bool { return f.server.Clients() == 1 })
	slow.do("+PONG\r\n", "PING")
}
