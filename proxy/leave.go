package proxy

import (
	"context"
	"errors"
	"io"
	"time"

	"forebay/backend/redis/wire"
)

const (
	// lastInput is how long a client that goes on sending is still read while the server shuts down.
	lastInput = 500 * time.Millisecond
	// lastWait is how long bytes may take that the kernel holds and that are not decrypted yet.
	lastWait = 20 * time.Millisecond
	// lastReplies is how long a client may take to read its last replies and close.
	lastReplies = 500 * time.Millisecond
)

// readLast reads, without waiting, what the client had sent when the server began to shut down, and tells whether there was anything:
// a command that was sent before is answered, though nobody had read it yet.
func (s *session) readLast() bool {
	left := time.Duration(s.leaveBy.Load() - wire.Now())
	if left <= 0 {
		return false
	}
	if s.raw == nil {
		_ = s.nc.SetReadDeadline(time.Now().Add(min(left, lastWait)))
		s.readErr = s.read()
		s.late = s.readErr == nil || s.late
		return s.readErr == nil
	}
	_ = s.nc.SetReadDeadline(time.Now().Add(left)) // a past one refuses to read at all
	if !s.peek() {
		s.eof = s.eof || errors.Is(s.readErr, io.EOF)
		return false
	}
	s.late = true
	return true
}

// linger gives the client time to read its last replies. To close a socket that holds bytes nobody read is to reset the
// connection, and with it goes what has not arrived:
//
//  1. The client sends more while its last replies are written.
//  2. The socket is closed with those bytes unread: the kernel drops what it has not sent yet and sends a reset.
//  3. The client reads an error in place of replies to commands that were done.
//
// So only the writing half is closed, and what still comes is thrown away until the client closes too.
func (s *session) linger() {
	half, ok := s.nc.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	_ = s.nc.SetReadDeadline(time.Now().Add(lastReplies))
	_, _ = io.Copy(io.Discard, s.nc) // its end is the client's, or the deadline
}

// end gives the client what it is owed, within the budget, and lets everything go.
func (s *session) end() {
	s.mu.Lock()
	linger := s.late || s.expelled || s.leaveBy.Load() != 0 && !s.fifo.empty()
	if s.eof && s.own && s.owed > 0 {
		s.drop(nil) // nobody waits for what it was blocked on
	}
	timer := time.AfterFunc(s.srv.opts.Budget, func() {
		s.mu.Lock()
		s.drop(context.DeadlineExceeded)
		s.mu.Unlock()
	})
	s.await(func() bool { return s.fifo.empty() })
	s.mu.Unlock()
	s.Flush()
	s.mu.Lock()
	timer.Reset(s.srv.opts.Limits.WriteTimeout)
	s.await(func() bool { return s.out.ready == nil && !s.out.writing })
	timer.Stop()
	if linger && !s.gone {
		s.mu.Unlock()
		s.linger()
		s.mu.Lock()
	}
	s.drop(nil)
	s.unfenceLeft()
	up, own, standby := s.up, s.own, s.standby
	s.up, s.standby, s.ending = nil, nil, true
	s.rec.Close()
	if s.name != "" {
		s.srv.opts.Sessions.Close(s.name)
	}
	s.mu.Unlock()
	if standby != nil {
		standby.Close()
	}
	if own && up != nil {
		up.Close()
		s.mu.Lock()
		s.owed = s.batchN // nothing more will be answered
		s.unfenceLeft()
		s.mu.Unlock()
	}
	if s.in != nil {
		s.srv.ins.put(s.in)
		s.in = nil
	}
	s.weighNothing()
}
