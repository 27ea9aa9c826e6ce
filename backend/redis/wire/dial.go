package wire

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"

	"github.com/tidwall/redcon"

	"forebay/backend"
)

// Identity is who a connection is authenticated as. The zero value is "not authenticated", which on most servers
// is the default user.
type Identity struct {
	User, Pass string
	Auth       bool
	Legacy     bool // AUTH with a password only
}

// Target says what a connection must be set to: connections of one target are interchangeable.
type Target struct {
	Identity
	DB    int
	Proto int // 2 or 3
}

// ReplyError is Redis's refusal of a handshake. Raw is the reply with its CRLF, to be passed on as it is.
type ReplyError struct{ Raw []byte }

func (e *ReplyError) Error() string { return string(e.Raw[1 : len(e.Raw)-2]) }

// Options of a Pool. Zero fields take the defaults named.
type Options struct {
	Network, Addr string        // "tcp" or "unix"
	TLS           *tls.Config   // nil: clear text
	DialTimeout   time.Duration // 1 s: connect and handshake
	WriteBuffer   int           // 256 KiB: bytes that wait for the socket before submitters wait
	Idle          time.Duration // 60 s: a connection without use is closed
	MaxShared     int           // 1,024 shared connections (targets) at most
	MaxIdle       int           // 64 idle exclusive connections kept
	Stall         time.Duration // 1 s: a reply later than this is overdue
	// GiveUp (3 s) is when a connection is ended that takes no bytes, or a shared one whose oldest reply is still awaited, while Down says that Redis does not answer anybody.
	// A Redis that is only slow answers someone.
	GiveUp time.Duration
	Down   func() bool // nil: never
	// Executes sends Redis a command that does nothing, of the class that CLIENT PAUSE … WRITE postpones, on a connection made for it, and tells whether it was
	// executed: an error, -BUSY say, is no yes. By that the pool knows a shared connection to be dead; nil: it never does. It must end soon after its context.
	Executes func(context.Context) bool
	// Replaced is told, from the watch goroutine, that a shared connection was dead, was owed a reply for so long, and is closed. nil: nobody is.
	Replaced func(owed time.Duration)
}

func (o *Options) defaults() {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&o.DialTimeout, time.Second)
	def(&o.Idle, time.Minute)
	def(&o.Stall, time.Second)
	def(&o.GiveUp, 3*time.Second)
	if o.Down == nil {
		o.Down = func() bool { return false }
	}
	if o.Network == "" {
		o.Network = "tcp"
	}
	if o.WriteBuffer == 0 {
		o.WriteBuffer = 256 << 10
	}
	if o.MaxShared == 0 {
		o.MaxShared = 1024
	}
	if o.MaxIdle == 0 {
		o.MaxIdle = 64
	}
}

// dial connects and shakes hands for t. Errors are a *ReplyError, or wrap backend.ErrStoreDown.
func (o *Options) dial(ctx context.Context, t Target) (net.Conn, error) {
	nc, _, err := o.dialID(ctx, t, false)
	return nc, err
}

// dialID is dial, which also asks for the id that Redis gives the connection; 0: it does not tell.
func (o *Options) dialID(ctx context.Context, t Target, ask bool) (net.Conn, int64, error) {
	ctx, cancel := context.WithTimeout(ctx, o.DialTimeout)
	defer cancel()
	d := net.Dialer{Control: endUnacked}
	nc, err := d.DialContext(ctx, o.Network, o.Addr)
	if err != nil {
		return nil, 0, fmt.Errorf("%w: %w", backend.ErrStoreDown, err)
	}
	if o.TLS != nil {
		tc := tls.Client(nc, o.TLS)
		if err := tc.HandshakeContext(ctx); err != nil {
			nc.Close()
			return nil, 0, fmt.Errorf("%w: %w", backend.ErrStoreDown, err)
		}
		nc = tc
	}
	id, err := greet(ctx, nc, t, ask)
	if err != nil {
		nc.Close()
		return nil, 0, err
	}
	return nc, id, nil
}

// greet sends what makes a new connection t's, in one write, and reads the replies. The id is that of HELLO's reply: every user may send that, and a bare
// one changes nothing. Something is always sent: a Redis that has clients enough says so in place of the first reply, which would be taken for a command's.
func greet(ctx context.Context, nc net.Conn, t Target, ask bool) (id int64, err error) {
	var b []byte
	n := 0
	command := func(args ...string) {
		b = redcon.AppendArray(b, len(args))
		for _, a := range args {
			b = redcon.AppendBulkString(b, a)
		}
		n++
	}
	switch {
	case t.Auth && t.Legacy:
		command("AUTH", t.Pass)
	case t.Auth:
		command("AUTH", t.User, t.Pass)
	}
	if t.Proto == 3 {
		command("HELLO", "3")
	}
	if t.DB != 0 {
		command("SELECT", strconv.Itoa(t.DB))
	}
	must := n
	if n == 0 || ask && t.Proto != 3 {
		command("HELLO") // whoever has not authenticated is refused
	}
	if deadline, ok := ctx.Deadline(); ok {
		if err := nc.SetDeadline(deadline); err != nil {
			return 0, fmt.Errorf("%w: %w", backend.ErrStoreDown, err)
		}
	}
	if _, err := nc.Write(b); err != nil {
		return 0, fmt.Errorf("%w: %w", backend.ErrStoreDown, err)
	}
	br := bufio.NewReader(nc)
	for i := range n {
		raw, err := readReply(br)
		if err != nil {
			return 0, fmt.Errorf("%w: %w", backend.ErrStoreDown, err)
		}
		if bytes.HasPrefix(raw, []byte("-ERR max number of clients")) {
			return 0, fmt.Errorf("%w: %s", backend.ErrStoreDown, raw[1:len(raw)-2])
		}
		if raw[0] == '-' && i < must {
			return 0, &ReplyError{Raw: raw}
		}
		id = max(id, helloID(raw))
	}
	return id, nc.SetDeadline(time.Time{})
}

// helloID is the id in a reply of HELLO, 0 for another reply.
func helloID(raw []byte) int64 {
	_, rest, ok := bytes.Cut(raw, []byte("$2\r\nid\r\n:"))
	if !ok {
		return 0
	}
	digits, _, _ := bytes.Cut(rest, []byte("\r"))
	id, err := strconv.ParseInt(string(digits), 10, 64)
	if err != nil {
		return 0
	}
	return id
}

// readReply reads one whole reply of a handshake.
func readReply(br *bufio.Reader) ([]byte, error) {
	var sc Scanner
	var raw []byte
	pos := 0
	for {
		var piece []byte
		if want := sc.Pending(); want > 0 {
			piece = make([]byte, want)
			if _, err := io.ReadFull(br, piece); err != nil {
				return nil, err
			}
		} else {
			line, err := br.ReadBytes('\n')
			if err != nil {
				return nil, err
			}
			piece = line
		}
		raw = append(raw, piece...)
		n, done, err := sc.Scan(raw[pos:])
		if err != nil {
			return nil, err
		}
		pos += n
		if done {
			return raw, nil
		}
	}
}
