package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// patience is how long any answer may take; a cold object of 47 MB takes seconds on a busy machine.
const patience = time.Minute

// conn is a client that knows as much of the protocol as is measured here. It ends with its context.
type conn struct {
	net.Conn
	in     *bufio.Reader
	detach func() bool
}

// dial connects to a port of 127.0.0.1. The caller closes the conn.
func dial(ctx context.Context, port int) (*conn, error) {
	nc, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return nil, err
	}
	detach := context.AfterFunc(ctx, func() { nc.Close() })
	return &conn{nc, bufio.NewReaderSize(nc, 64<<10), detach}, nil
}

func (c *conn) close() {
	c.detach()
	c.Close()
}

// send sends one command.
func (c *conn) send(words ...string) error {
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	_, err := c.Write(command(words...))
	return err
}

func command(words ...string) []byte {
	b := fmt.Appendf(nil, "*%d\r\n", len(words))
	for _, w := range words {
		b = fmt.Appendf(b, "$%d\r\n%s\r\n", len(w), w)
	}
	return b
}

// ok sends a command whose answer is a simple string or a number.
func (c *conn) ok(words ...string) error {
	if err := c.send(words...); err != nil {
		return err
	}
	line, err := c.in.ReadString('\n')
	if err != nil {
		return err
	}
	if line[0] != '+' && line[0] != ':' {
		return fmt.Errorf("%s is answered by %q", words[0], strings.TrimSpace(line))
	}
	return nil
}

// head reads the first line of a bulk and returns its size.
func (c *conn) head() (int, error) {
	line, err := c.in.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(line[1:])))
	if err != nil || line[0] != '$' || n < 0 {
		return 0, fmt.Errorf("GET is answered by %q", line)
	}
	return n, nil
}

// get reads a value of n bytes and throws it away.
func (c *conn) get(key string, n int) error {
	if err := c.send("GET", key); err != nil {
		return err
	}
	size, err := c.head()
	if err == nil && size != n {
		err = fmt.Errorf("%s has %d bytes, want %d", key, size, n)
	}
	if err == nil {
		_, err = io.CopyN(io.Discard, c.in, int64(n)+2)
	}
	return err
}
