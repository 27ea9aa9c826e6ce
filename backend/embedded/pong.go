package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"
)

// pongEvery is the pause between two attempts to reach a starting server.
const pongEvery = 5 * time.Millisecond

// awaitPong returns when the server answers PING, with an error when it died first or ctx ended.
func (p *process) awaitPong(ctx context.Context, died <-chan error) error {
	tick := time.NewTicker(pongEvery)
	defer tick.Stop()
	for {
		err := ping(ctx, p.network(), p.addr())
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case err := <-died:
			return err
		case <-ctx.Done():
			return fmt.Errorf("%w: last attempt: %w", ctx.Err(), err)
		}
	}
}

// ping asks a server once whether it answers.
func ping(ctx context.Context, network, addr string) (err error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return err
		}
	}
	if _, err := io.WriteString(conn, "PING\r\n"); err != nil {
		return err
	}
	const pong = "+PONG\r\n"
	reply := make([]byte, len(pong))
	if _, err := io.ReadFull(conn, reply); err != nil {
		return err
	}
	if string(reply) != pong {
		return fmt.Errorf("reply to PING is %q", reply)
	}
	return nil
}

// tail keeps the end of what a process writes, for an error message. It is an io.Writer that never fails.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

// tailBytes is how much a tail keeps.
const tailBytes = 1024

// Write appends to what is kept.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	if over := len(t.buf) - tailBytes; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	return len(p), nil
}

// String is the kept text on one line.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := strings.FieldsFunc(string(t.buf), func(r rune) bool { return r == '\n' || r == '\r' })
	return strings.Join(lines, "; ")
}
