package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"forebay/backend/redis/wire"
)

// reply is what a command must bring: its first byte, and its bytes in all.
type reply struct {
	kind  byte
	bytes int
}

// conn is one connection and its batch.
type conn struct {
	fd     int
	buffer []byte // of the commands
	out    []byte // the part of it that is not written yet

	since time.Duration // of the batch
	due   time.Duration

	expect []reply // of the batch
	next   int     // in expect: what is awaited
	scan   wire.Scanner
	got    int    // bytes of the reply awaited
	rest   []byte // of a reply's header, not scanned: there is more to come
}

// owed tells whether the batch is not answered whole.
func (c *conn) owed() bool { return c.next < len(c.expect) }

// write writes what the socket takes.
func (c *conn) write() error {
	for len(c.out) > 0 {
		n, err := unix.Write(c.fd, c.out)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return nil
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return fmt.Errorf("write commands: %w", err)
		default:
			c.out = c.out[n:]
		}
	}
	return nil
}

// take counts the replies that end in b, and keeps what is to be given again. b is the caller's.
func (c *conn) take(b []byte) (ended int, err error) {
	for len(b) > 0 {
		if !c.owed() {
			return ended, fmt.Errorf("read replies: %q was not asked for", line(b))
		}
		if want := c.expect[c.next]; c.got == 0 && b[0] != want.kind {
			return ended, fmt.Errorf("read replies: %q where %q was due", line(b), want.kind)
		}
		n, done, err := c.scan.Scan(b)
		if err != nil {
			return ended, fmt.Errorf("read replies: %w", err)
		}
		c.got += n
		if !done {
			b = b[n:]
			break
		}
		if want := c.expect[c.next]; c.got != want.bytes {
			return ended, fmt.Errorf("read replies: %q, %d bytes where %d were due: are all keys there?", line(b), c.got, want.bytes)
		}
		b, c.got = b[n:], 0
		c.next++
		ended++
	}
	c.rest = append(c.rest[:0], b...)
	return ended, nil
}

// line is the beginning of b, for an error.
func line(b []byte) []byte {
	first, _, _ := bytes.Cut(b, []byte("\r\n"))
	return first[:min(len(first), 200)]
}

// dial connects and returns a socket of its own, which Go's runtime does not poll. The caller closes it.
func dial(ctx context.Context, addr string) (fd int, err error) {
	nc, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return 0, fmt.Errorf("connect: %w", err)
	}
	defer nc.Close()
	raw, err := nc.(syscall.Conn).SyscallConn()
	if err != nil {
		return 0, fmt.Errorf("connect: %w", err)
	}
	controlled := raw.Control(func(its uintptr) { fd, err = unix.FcntlInt(its, unix.F_DUPFD_CLOEXEC, 0) })
	if err := errors.Join(controlled, err); err != nil {
		return 0, fmt.Errorf("duplicate a socket: %w", err)
	}
	return fd, nil
}
