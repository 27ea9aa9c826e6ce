package proxy

import (
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
