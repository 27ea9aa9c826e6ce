package proxy

import (
	"time"

	"golang.org/x/sys/unix"
)

// lookEvery is how often a client is looked after whose goroutine waits for what Redis makes it wait for.
const lookEvery = 200 * time.Millisecond

// lookAfter closes the client if it leaves while its goroutine waits behind a command that is blocked:
//
//  1. A sends BLPOP, and behind it a command that must wait for its reply (SUBSCRIBE, SELECT). Its goroutine does, and reads no more.
//  2. A leaves. Nobody sees that.
//  3. A value is pushed. Redis gives it to A's connection, which is nobody's: it is lost.
//
// Redis itself closes such a client when it reads the end, half-closed or not. The lock is held, at the call and at that of stop, which ends the looking.
func (s *session) lookAfter() (stop func()) {
	if !s.own || s.fd < 0 {
		return func() {}
	}
	ended := false
	var timer *time.Timer
	timer = time.AfterFunc(lookEvery, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		switch {
		case ended || s.gone:
		case s.isBlocked() && s.hungUp():
			s.drop(nil)
		default:
			timer.Reset(lookEvery)
		}
	})
	return func() {
		ended = true
		timer.Stop()
	}
}

// hungUp tells whether the client has closed its end, even if what it sent before was not read yet.
func (s *session) hungUp() bool {
	if s.raw == nil {
		return false // TLS: its end is inside
	}
	left := false
	_ = s.raw.Control(func(fd uintptr) {
		list := []unix.PollFd{{Fd: int32(fd), Events: closedByPeer}} //nolint:gosec // descriptors are small
		n, err := unix.Poll(list, 0)
		left = err == nil && n > 0 && list[0].Revents&(closedByPeer|unix.POLLHUP|unix.POLLERR) != 0
	})
	return left
}
