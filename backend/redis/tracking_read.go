package redis

import (
	"bytes"
	"fmt"
	"strconv"
)

// trackingReader is what the messages of one connection are read with. Its methods are the reader's goroutine's.
type trackingReader struct {
	t *Tracker
	// db is the database that the connection is in: another than the one selected, -1, after a SELECT that was refused.
	db int
}

// take takes one whole message. An error ends the connection.
func (r *trackingReader) take(m []byte) error {
	if m[0] == '>' {
		r.push(m)
		return nil
	}
	q, ok := r.t.next()
	if !ok {
		return fmt.Errorf("follow changes in redis: %w", errTrackingReply)
	}
	refused := m[0] == '-' || m[0] == '!'
	switch q.kind {
	case askedHello, askedTracking:
		if refused {
			return fmt.Errorf("follow changes in redis: %w", replyError(bytes.TrimRight(m[1:], "\r\n")))
		}
		if q.kind == askedTracking {
			r.t.to.Tracking(q.at)
			r.t.began()
		}
	case askedPing:
		if refused { // LOADING, say, after a replica began to follow another primary
			return fmt.Errorf("follow changes in redis: %w", replyError(bytes.TrimRight(m[1:], "\r\n")))
		}
		r.t.to.Alive(q.at)
	case askedSelect:
		r.db = q.db
		if refused {
			r.db = -1
		}
	case askedTTL:
		// Were the SELECT before it refused, this answers for another database's key.
		if r.db != q.db {
			m = []byte("_\r\n")
		}
		r.t.to.TTL(q.ticket, q.at, left(m))
	}
	return nil
}

// push takes an invalidation: ">2", "invalidate", and an array of keys, or null for all. Other pushes are ignored.
func (r *trackingReader) push(m []byte) {
	_, m = line(m)
	kind, m := bulk(m)
	if string(kind) != "invalidate" {
		return
	}
	head, m := line(m)
	n, ok := number(head)
	if !ok || n < 0 || head[0] != '*' {
		r.t.to.Flushed() // a null, in whatever spelling
		return
	}
	for range n {
		var key []byte
		key, m = bulk(m)
		r.t.to.Changed(key)
	}
}

// line splits a header line off a message that is known to be whole; without its end.
func line(m []byte) (head, rest []byte) {
	i := bytes.IndexByte(m, '\n')
	if i < 1 {
		return nil, nil
	}
	return m[:i-1], m[i+1:]
}

// bulk splits a bulk off.
func bulk(m []byte) (v, rest []byte) {
	head, rest := line(m)
	n, ok := number(head)
	if !ok || n < 0 || int64(len(rest)) < n+2 {
		return nil, nil
	}
	return rest[:n], rest[n+2:]
}

// number reads the number behind a header's first byte.
func number(m []byte) (int64, bool) {
	if len(m) < 2 {
		return 0, false
	}
	n, err := strconv.ParseInt(string(bytes.TrimRight(m[1:], "\r\n")), 10, 64)
	return n, err == nil
}
