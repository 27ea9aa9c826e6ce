package load

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// readBuffer is what one read takes at most. Large values come in pieces of it.
	readBuffer = 256 << 10
	// lookAround is how long a loop sleeps at most before it looks whether it is to end.
	lookAround = 100 * time.Millisecond
	// patience is how long a server may bring nothing while it owes replies.
	patience = 30 * time.Second
)

// loop serves a share of the connections. It is used by one goroutine at a time.
type loop struct {
	o Options
	commands
	conns   []*conn
	poll    []unix.PollFd // of conns, in the same order
	buf     []byte
	latency Histogram

	begun time.Time     // of the run; all durations below are since
	until time.Duration // no batch begins later; 0 for no such end
	left  int           // batches still to begin, where until is 0
	batch time.Duration // from one batch of a connection to its next, by the rate; 0 for none
}

func newLoop(o Options, part int, value []byte) (*loop, error) {
	pick, err := o.Keys.picker(o.Seed, part, o.Threads)
	if err != nil {
		return nil, err
	}
	l := &loop{o: o, buf: make([]byte, readBuffer)}
	l.commands = commands{o: o, pick: pick, value: value, mix: rand.New(rand.NewPCG(o.Seed, uint64(1000+part)))}
	if o.Rate > 0 {
		l.batch = time.Duration(float64(time.Second) * float64(o.Conns*o.Depth) / o.Rate)
	}
	return l, nil
}

// connect adds a connection.
func (l *loop) connect(ctx context.Context, addr string) error {
	fd, err := dial(ctx, addr)
	if err != nil {
		return err
	}
	l.conns = append(l.conns, &conn{fd: fd, expect: make([]reply, 0, l.o.Depth)})
	l.poll = append(l.poll, unix.PollFd{Fd: -1})
	return nil
}

// run offers load until d has passed, or as many commands were sent as given, and all replies are there.
func (l *loop) run(ctx context.Context, begun time.Time, d time.Duration, commands int) error {
	l.latency = Histogram{}
	l.begun, l.until, l.left = begun, d, (commands+l.o.Depth-1)/l.o.Depth
	for i, c := range l.conns {
		c.due = l.batch * time.Duration(i) / time.Duration(len(l.conns)) // not all at once
	}
	last := time.Since(begun) // when something last came
	for {
		busy, wait, err := l.begin()
		if err != nil || !busy {
			return err
		}
		n, err := ppoll(l.poll, wait)
		if err != nil {
			return fmt.Errorf("poll sockets: %w", err)
		}
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		now := time.Since(begun)
		if n > 0 || l.batch > 0 {
			last = now
		} else if now-last > patience {
			return fmt.Errorf("no reply within %v", patience)
		}
		if err := l.serve(n); err != nil {
			return err
		}
	}
}

// begin begins the batches that can begin, and says what to poll for. It returns whether anything is outstanding or
// to come, and how long there is nothing to do but for what the sockets bring.
func (l *loop) begin() (busy bool, wait time.Duration, err error) {
	wait = lookAround
	now := time.Since(l.begun)
	for i, c := range l.conns {
		p := &l.poll[i]
		if !c.owed() {
			p.Fd = -1
			switch {
			case l.ended(now):
				continue
			case c.due > now:
				busy, wait = true, min(wait, c.due-now)
				continue
			}
			if err := l.next(c, now); err != nil {
				return false, 0, err
			}
		}
		busy = true
		p.Fd, p.Events = int32(c.fd), unix.POLLIN
		if len(c.out) > 0 {
			p.Events |= unix.POLLOUT
		}
	}
	return busy, wait, nil
}

// ended tells whether no batch is to begin any more.
func (l *loop) ended(now time.Duration) bool {
	if l.until > 0 {
		return now >= l.until
	}
	return l.left <= 0
}

// next begins a connection's next batch.
func (l *loop) next(c *conn, now time.Duration) error {
	l.left--
	c.since = now
	if l.batch > 0 {
		c.since = c.due
		c.due += l.batch
	}
	l.fill(c)
	return c.write()
}

// serve takes what n sockets have. A connection that is done at full speed begins its next batch at once, so that the server has work meanwhile.
func (l *loop) serve(n int) error {
	for i := 0; n > 0 && i < len(l.poll); i++ {
		p, c := &l.poll[i], l.conns[i]
		if p.Revents == 0 {
			continue
		}
		n--
		if p.Revents&unix.POLLOUT != 0 {
			if err := c.write(); err != nil {
				return err
			}
		}
		if p.Revents&^unix.POLLOUT == 0 {
			continue
		}
		if err := l.read(c); err != nil {
			return err
		}
		if now := time.Since(l.begun); !c.owed() && l.batch == 0 && !l.ended(now) {
			if err := l.next(c, now); err != nil {
				return err
			}
		}
	}
	return nil
}

// read reads once and counts the replies that have ended.
func (l *loop) read(c *conn) error {
	n := copy(l.buf, c.rest)
	got, err := unix.Read(c.fd, l.buf[n:])
	switch {
	case errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR):
		return nil
	case err != nil:
		return fmt.Errorf("read replies: %w", err)
	case got == 0:
		return errors.New("read replies: the server closed the connection")
	}
	ended, err := c.take(l.buf[:n+got])
	if err != nil {
		return err
	}
	if ended > 0 {
		took := time.Since(l.begun) - c.since
		for range ended {
			l.latency.Record(took)
		}
	}
	return nil
}

func (l *loop) close() error {
	var errs []error
	for _, c := range l.conns {
		errs = append(errs, unix.Close(c.fd))
	}
	return errors.Join(errs...)
}
