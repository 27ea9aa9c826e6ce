package kafka

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl/plain"
)

// metadataTTL is how old the library's picture of the cluster may be; also how long a restarted Kafka may go unnoticed, for the library answers
// from that picture, its error included.
const metadataTTL = 2 * time.Second

func newTransport(opt Options, d *dialer) *kafka.Transport {
	t := &kafka.Transport{
		Dial:           d.dial,
		MetadataTTL:    metadataTTL,
		MetadataTopics: []string{opt.Topic},
		ClientID:       "forebay",
		TLS:            opt.TLS,
	}
	if opt.Username != "" {
		t.SASL = plain.Mechanism{Username: opt.Username, Password: opt.Password}
	}
	return t
}

// dialer remembers open connections. The library closes idle ones only: one that waits for the answer to a request given up would outlive the
// sink, with its goroutine.
type dialer struct {
	net    net.Dialer
	mu     sync.Mutex
	conns  map[net.Conn]struct{}
	closed bool
}

func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := d.net.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		c.Close()
		return nil, net.ErrClosed
	}
	if d.conns == nil {
		d.conns = make(map[net.Conn]struct{})
	}
	d.conns[c] = struct{}{}
	return &conn{Conn: c, dialer: d}, nil
}

// close closes every connection that is open, and each that is still being made.
func (d *dialer) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	for c := range d.conns {
		c.Close()
	}
	d.conns = nil
}

// conn leaves its dialer's set when it is closed.
type conn struct {
	net.Conn
	dialer *dialer
}

func (c *conn) Close() error {
	c.dialer.mu.Lock()
	delete(c.dialer.conns, c.Conn)
	c.dialer.mu.Unlock()
	return c.Conn.Close()
}
