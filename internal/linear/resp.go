package linear

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// errProtocol is a reply that is not RESP2.
var errProtocol = errors.New("not a reply")

// Reply is one RESP2 reply.
type Reply struct {
	Err  string // an error reply
	Nil  bool
	Text string // of a bulk, a status or a number
	List []Reply
}

// Answer is the reply as a step's answer.
func (r *Reply) Answer() Answer {
	if r.Nil {
		return Nil()
	}
	return Text(r.Text)
}

// Conn is one connection to Forebay or Redis, for one goroutine.
type Conn struct {
	nc  net.Conn
	br  *bufio.Reader
	out []byte
}

// Dial connects. The caller closes it.
func Dial(addr string) (*Conn, error) {
	nc, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", addr, err)
	}
	return &Conn{nc: nc, br: bufio.NewReader(nc)}, nil
}

// Close ends the connection.
func (c *Conn) Close() { _ = c.nc.Close() }

// Send writes commands in one piece. All replies to them, and to those sent before, must come before the deadline.
func (c *Conn) Send(deadline time.Time, commands ...[]string) error {
	if err := c.nc.SetDeadline(deadline); err != nil {
		return fmt.Errorf("set deadline: %w", err)
	}
	c.out = c.out[:0]
	for _, words := range commands {
		c.out = fmt.Appendf(c.out, "*%d\r\n", len(words))
		for _, w := range words {
			c.out = fmt.Appendf(c.out, "$%d\r\n%s\r\n", len(w), w)
		}
	}
	if _, err := c.nc.Write(c.out); err != nil {
		return fmt.Errorf("send commands: %w", err)
	}
	return nil
}

// Reply reads one reply.
func (c *Conn) Reply() (*Reply, error) {
	line, err := c.br.ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("read reply: %w", err)
	}
	if len(line) < 3 {
		return nil, fmt.Errorf("%w: %q", errProtocol, line)
	}
	text := line[1 : len(line)-2]
	switch line[0] {
	case '+', ':':
		return &Reply{Text: text}, nil
	case '-':
		return &Reply{Err: text}, nil
	}
	n, err := strconv.Atoi(text)
	switch {
	case err != nil || n > 1<<20 || line[0] != '$' && line[0] != '*':
		return nil, fmt.Errorf("%w: %q", errProtocol, line)
	case n < 0:
		return &Reply{Nil: true}, nil
	case line[0] == '$':
		raw := make([]byte, n+2)
		if _, err := io.ReadFull(c.br, raw); err != nil {
			return nil, fmt.Errorf("read reply: %w", err)
		}
		return &Reply{Text: string(raw[:n])}, nil
	}
	r := &Reply{List: make([]Reply, n)}
	for i := range r.List {
		e, err := c.Reply()
		if err != nil {
			return nil, err
		}
		r.List[i] = *e
	}
	return r, nil
}
