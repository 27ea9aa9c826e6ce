package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

const (
	// replyTimeout bounds one command and its reply; Forebay's own budget is 3 s.
	replyTimeout = 10 * time.Second
	// maxReply bounds what one reply may announce, in elements or bytes.
	maxReply = 64 << 20
)

// client speaks as much RESP as reading samples takes. It is for one goroutine.
type client struct {
	conn net.Conn
	r    *bufio.Reader
}

// dial connects to a RESP port. The connection is closed when ctx ends.
func dial(ctx context.Context, addr string) (*client, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("connect to forebay: %w", err)
	}
	context.AfterFunc(ctx, func() { _ = conn.Close() }) // wakes a read that waits
	return &client{conn: conn, r: bufio.NewReaderSize(conn, 64<<10)}, nil
}

// close ends the connection.
func (c *client) close() { _ = c.conn.Close() }

// mget returns the values of keys, nil where absent.
func (c *client) mget(keys []string) ([][]byte, error) {
	if err := c.send(append([]string{"MGET"}, keys...)...); err != nil {
		return nil, err
	}
	n, err := c.header('*')
	if err != nil {
		return nil, fmt.Errorf("MGET: %w", err)
	}
	if n != len(keys) {
		return nil, fmt.Errorf("MGET: %d values for %d keys", n, len(keys))
	}
	values := make([][]byte, n)
	for i := range values {
		if values[i], err = c.bulk(); err != nil {
			return nil, fmt.Errorf("MGET: value of %s: %w", keys[i], err)
		}
	}
	return values, nil
}

// counts returns how many reads were hits and misses since Forebay started, from INFO.
func (c *client) counts() (hits, misses int, err error) {
	if err := c.send("INFO"); err != nil {
		return 0, 0, err
	}
	info, err := c.bulk()
	if err != nil {
		return 0, 0, fmt.Errorf("INFO: %w", err)
	}
	for name, count := range map[string]*int{"forebay_hits": &hits, "forebay_misses": &misses} {
		_, rest, found := strings.Cut(string(info), "\n"+name+":")
		digits, _, _ := strings.Cut(rest, "\r\n")
		if *count, err = strconv.Atoi(digits); !found || err != nil {
			return 0, 0, fmt.Errorf("INFO: no count %s: what listens here is no forebay", name)
		}
	}
	return hits, misses, nil
}

// send writes one command.
func (c *client) send(args ...string) error {
	if err := c.conn.SetDeadline(time.Now().Add(replyTimeout)); err != nil {
		return err
	}
	frame := fmt.Appendf(nil, "*%d\r\n", len(args))
	for _, arg := range args {
		frame = fmt.Appendf(frame, "$%d\r\n%s\r\n", len(arg), arg)
	}
	_, err := c.conn.Write(frame)
	return err
}

// bulk reads a bulk string, nil for null.
func (c *client) bulk() ([]byte, error) {
	n, err := c.header('$')
	if err != nil || n < 0 {
		return nil, err
	}
	value := make([]byte, n+2)
	if _, err := io.ReadFull(c.r, value); err != nil {
		return nil, err
	}
	return value[:n], nil
}

// header reads the first line of a reply of the wanted type and returns its length. An error reply is an error.
func (c *client) header(want byte) (int, error) {
	line, err := c.r.ReadString('\n')
	if err != nil {
		return 0, err
	}
	line = strings.TrimSuffix(line, "\r\n")
	switch {
	case line == "":
		return 0, errors.New("empty reply")
	case line[0] == '-':
		return 0, errors.New(line[1:])
	case line[0] != want:
		return 0, fmt.Errorf("unexpected reply %.80q", line)
	}
	n, err := strconv.Atoi(line[1:])
	if err != nil || n < -1 || n > maxReply {
		return 0, fmt.Errorf("unexpected length %.80q", line)
	}
	return n, nil
}
