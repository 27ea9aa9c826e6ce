package testkit_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"forebay/internal/testkit"
)

// echo answers every line with itself and returns its address. At the client's end of data it says "bye".
func echo(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-done })
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			io.Copy(c, c)
			io.WriteString(c, "bye\n")
			c.Close()
		}
	}()
	return l.Addr().String()
}

type line struct {
	net.Conn
	r *bufio.Reader
}

func dial(t *testing.T, addr string) line {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return line{c, bufio.NewReader(c)}
}

// say sends a line; answer reads one within limit.
func (l line) say(t *testing.T, s string) {
	t.Helper()
	if _, err := io.WriteString(l, s+"\n"); err != nil {
		t.Fatal(err)
	}
}

func (l line) answer(limit time.Duration) (string, error) {
	l.SetReadDeadline(time.Now().Add(limit))
	return l.r.ReadString('\n')
}

func (l line) expect(t *testing.T, want string) {
	t.Helper()
	if got, err := l.answer(10 * time.Second); err != nil || got != want+"\n" {
		t.Fatalf("got %q, %v; want %q", got, err, want)
	}
}

func TestFaultProxyRelays(t *testing.T) {
	p := testkit.NewFaultProxy(t, "tcp", echo(t))
	c := dial(t, p.Addr)
	c.say(t, "one")
	c.expect(t, "one")
	if p.Open() != 1 {
		t.Errorf("Open = %d", p.Open())
	}
	if err := c.Conn.(*net.TCPConn).CloseWrite(); err != nil { // half-closed, the other half goes on
		t.Fatal(err)
	}
	c.expect(t, "bye")
	if _, err := c.answer(10 * time.Second); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
}

func TestFaultProxyCut(t *testing.T) {
	p := testkit.NewFaultProxy(t, "tcp", echo(t))
	c := dial(t, p.Addr)
	c.say(t, "one")
	c.expect(t, "one")
	p.Cut()
	if _, err := c.answer(10 * time.Second); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read after Cut: %v", err)
	}
	if _, err := net.Dial("tcp", p.Addr); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("dial after Cut: %v", err)
	}
	p.Restore()
	c = dial(t, p.Addr)
	c.say(t, "two")
	c.expect(t, "two")
}

func TestFaultProxyHalfOpen(t *testing.T) {
	p := testkit.NewFaultProxy(t, "tcp", echo(t))
	p.HalfOpen()
	c := dial(t, p.Addr) // accepted
	c.say(t, "held")     // and taken
	if got, err := c.answer(100 * time.Millisecond); !os.IsTimeout(err) {
		t.Fatalf("half-open, it passes %q, %v", got, err)
	}
	p.Restore()
	c.expect(t, "held")
	p.HalfOpen()
	c.say(t, "again")
	if got, err := c.answer(100 * time.Millisecond); !os.IsTimeout(err) {
		t.Fatalf("half-open, it passes %q, %v", got, err)
	}
	p.Cut()
	if _, err := c.answer(10 * time.Second); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read after Cut: %v", err)
	}
}

func TestFaultProxyDelay(t *testing.T) {
	p := testkit.NewFaultProxy(t, "tcp", echo(t))
	c := dial(t, p.Addr)
	const latency = 60 * time.Millisecond
	p.Delay(latency)
	begun := time.Now()
	c.say(t, "slow")
	c.expect(t, "slow")
	if took := time.Since(begun); took < 2*latency {
		t.Errorf("there and back took %v, want at least %v", took, 2*latency)
	}
}

func TestFaultProxyDribble(t *testing.T) {
	p := testkit.NewFaultProxy(t, "tcp", echo(t))
	c := dial(t, p.Addr)
	p.Dribble(3)
	text := strings.Repeat("0123456789", 100)
	c.say(t, text)
	c.expect(t, text)
	p.Restore()
	c.say(t, text)
	c.expect(t, text)
}

func TestFaultProxyWithoutServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	p := testkit.NewFaultProxy(t, "tcp", l.Addr().String())
	c, err := net.Dial("tcp", p.Addr)
	if err == nil { // the reset may come before Dial is done
		defer c.Close()
		_, err = c.Read(make([]byte, 1))
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("dial and read: %v", err)
	}
}
