package cassandra

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// closeWithin is how long Close waits for the driver, which needs milliseconds.
const closeWithin = 2 * time.Second

// session is a session of the driver that can be closed at any time.
//
// The driver's own Close (v2.1.2) can block for good:
//
//  1. The control connection broke, and its goroutine is dialling a new one.
//  2. Close stops the refresher of the schema.
//  3. The goroutine has its connection and asks the refresher, which will never answer.
//  4. Close waits for that goroutine.
//
// So the connections are cut first, and with nothing to dial the goroutine does not get to 3. If it is just between reading the last reply
// and asking, Close gives up waiting. So it does if the refresher waits for the nodes to agree on a schema: it asks them on the connection that was cut
// until MaxWaitSchemaAgreement is over, and then all of them end.
type session struct {
	*gocql.Session
	dials  *dialer
	second *secondChoice // nil: no query is asked of a second replica
}

// Close cuts every connection and ends the driver's goroutines. It returns within closeWithin.
func (s *session) Close() {
	s.dials.shut()
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Session.Close()
	}()
	timer := time.NewTimer(closeWithin)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}

var errShut = errors.New("dial: the session is closed")

// dialer dials for one session and can cut what it dialled, since the driver takes no context while it makes a session.
type dialer struct {
	net    net.Dialer
	mu     sync.Mutex
	closed bool
	open   map[*trackedConn]struct{}
}

// trackedConn embeds the TCP connection, and not net.Conn, to keep its writev.
type trackedConn struct {
	*net.TCPConn
	dialer *dialer
}

// DialContext dials as net.Dialer does.
func (d *dialer) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := d.net.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return nil, errors.Join(errors.New("dial: no TCP connection"), conn.Close())
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, errors.Join(errShut, conn.Close())
	}
	tracked := &trackedConn{tcp, d}
	d.open[tracked] = struct{}{}
	return tracked, nil
}

// Close closes the connection.
func (c *trackedConn) Close() error {
	c.dialer.mu.Lock()
	delete(c.dialer.open, c)
	c.dialer.mu.Unlock()
	return c.TCPConn.Close()
}

// shut closes every connection and refuses new ones.
func (d *dialer) shut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	for conn := range d.open {
		_ = conn.TCPConn.Close() // the driver reports what this breaks
	}
	clear(d.open)
}
