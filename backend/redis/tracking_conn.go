package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"forebay/backend"
	"forebay/backend/redis/wire"
)

const (
	trackingBuffer = 16 << 10
	// maxInvalidation bounds one message: more keys than that at once are taken for a lost connection, which drops all.
	maxInvalidation = 16 << 20
)

var errTrackingReply = errors.New("redis answers what was not asked")

// session holds one connection: it shakes hands and writes, and a goroutine of its own reads. It returns why the connection ended.
func (t *Tracker) session(life context.Context) error {
	ctx, cancel := context.WithTimeout(life, t.c.opt.Timeout)
	conn, _ := t.c.dialer.dial(ctx, t.c.opt.Network, t.c.opt.Addr) // its error comes with the first use
	cancel()
	t.greet()
	ended := make(chan error, 1)
	go func() { ended <- t.read(conn) }()
	err := t.write(life, conn, ended)
	_ = conn.Close() // ends the reader, if it has not ended by itself
	if err != nil {
		if cause := <-ended; isRefusal(cause) {
			return cause // the server says why, and then closes
		}
		return fmt.Errorf("follow changes in redis: %w", err)
	}
	return <-ended
}

// greet asks for what makes the connection one that tracks, as the first bytes.
func (t *Tracker) greet() {
	t.mu.Lock()
	defer t.mu.Unlock()
	hello := []string{"HELLO", "3"}
	if user, pass := t.c.opt.Username, t.c.opt.Password; user != "" || pass != "" {
		if user == "" {
			user = defaultUser
		}
		hello = append(hello, "AUTH", user, pass)
	}
	t.ask(asked{kind: askedHello}, append(hello, "SETNAME", trackingName)...)
	track := []string{"CLIENT", "TRACKING", "ON", "BCAST"}
	for _, p := range t.prefixes {
		track = append(track, "PREFIX", p)
	}
	t.ask(asked{kind: askedTracking}, track...)
}

// write sends what is asked, and a PING every pingEvery, until the reader or the tracker ends: nil, or until it cannot.
func (t *Tracker) write(life context.Context, conn net.Conn, ended chan error) error {
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	var spare []byte
	for {
		t.mu.Lock()
		b := t.out
		t.out = spare[:0]
		t.mu.Unlock()
		if len(b) > 0 {
			if err := conn.SetWriteDeadline(time.Now().Add(trackingSilence)); err != nil {
				return err
			}
			if _, err := conn.Write(b); err != nil {
				return err
			}
		}
		spare = b
		select {
		case <-life.Done():
			return life.Err()
		case err := <-ended:
			ended <- err
			return nil
		case <-tick.C:
			t.mu.Lock()
			t.ask(asked{kind: askedPing}, "PING")
			t.mu.Unlock()
		case <-t.wake:
		}
	}
}

// read takes what comes until the connection ends.
func (t *Tracker) read(conn net.Conn) error {
	r := trackingReader{t: t}
	buf := make([]byte, trackingBuffer)
	first, pos, end := 0, 0, 0 // the message's start, how far it was scanned, the end of what was read
	var sc wire.Scanner
	for {
		if err := conn.SetReadDeadline(time.Now().Add(trackingSilence)); err != nil {
			return fmt.Errorf("follow changes in redis: %w", err)
		}
		n, err := conn.Read(buf[end:])
		end += n
		for pos < end {
			n, done, err := sc.Scan(buf[pos:end])
			pos += n
			if err != nil {
				return fmt.Errorf("follow changes in redis: %w", err)
			}
			if !done {
				break
			}
			if err := r.take(buf[first:pos]); err != nil {
				return err
			}
			first = pos
		}
		if err != nil {
			return fmt.Errorf("follow changes in redis: %w", err)
		}
		copy(buf, buf[first:end])
		pos, end, first = pos-first, end-first, 0
		switch {
		case end >= maxInvalidation:
			return fmt.Errorf("follow changes in redis: more than %d MiB of keys changed at once", maxInvalidation>>20)
		case end == len(buf):
			buf = append(make([]byte, 0, 2*len(buf)), buf...)[:2*len(buf)]
		case end == 0 && len(buf) > trackingBuffer:
			buf = make([]byte, trackingBuffer)
		}
	}
}

// next is the question that the next answer is to.
func (t *Tracker) next() (q asked, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.asked) == 0 {
		return asked{}, false
	}
	q = t.asked[0]
	t.asked = t.asked[1:]
	return q, true
}

// began lets questions in, after the Follower has been told.
func (t *Tracker) began() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.live = true
}

// left reads the answer to a PTTL.
func left(reply []byte) time.Duration {
	n, ok := number(reply)
	switch {
	case !ok || n < -2:
		return backend.NotTold
	case n == -2:
		return backend.NoKey
	case n == -1:
		return backend.NoExpiry
	}
	return time.Duration(min(n, int64(365*24*time.Hour/time.Millisecond))) * time.Millisecond
}
