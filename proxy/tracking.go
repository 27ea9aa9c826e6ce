package proxy

import (
	"bytes"
	"errors"
	"strconv"

	"forebay/backend/redis/wire"
)

// tracking is CLIENT TRACKING. A client it redirects to is named by Forebay's id, and to Redis by that of a connection which is that client's alone.
func (s *session) tracking(cmd *command, frame []byte, args [][]byte) {
	if !s.takeOwn() {
		return
	}
	on, broadcast, redirect := len(args) > 2 && equalFold(args[2], "on"), false, int64(0)
	words := append([][]byte(nil), args...)
	for i := 3; i < len(args); i++ {
		switch {
		case equalFold(args[i], "bcast"):
			broadcast = true
		case equalFold(args[i], "prefix"):
			i++
		case equalFold(args[i], "redirect") && i+1 < len(args):
			i++
			id, ok := parseInt(args[i])
			if redirect = id; !ok || id < firstID {
				continue // of a client of Redis itself, or no id
			}
			words[i] = []byte(s.home(id))
			frame = nil
		}
	}
	if s.gone {
		return
	}
	if frame == nil {
		frame = appendCommand(nil, words)
	}
	s.follow(cmd, frame, func() {
		s.pins.tracking, s.pins.broadcast, s.pins.redirect = on, on && broadcast, redirect
	})
}

// home returns Redis's id, in digits, of a connection that is the client's of that id alone and stays so; nobody's if there is no such client. The
// lock is held, and is given up meanwhile.
func (s *session) home(id int64) string {
	s.drain()
	s.mu.Unlock()
	defer s.mu.Lock()
	c := s.srv.find(id)
	if c == nil {
		return nobodyID
	}
	up := c.standBy()
	if up == 0 {
		return nobodyID
	}
	return strconv.FormatInt(up, 10)
}

// standBy gives the client a connection to which others' invalidations can be redirected, and returns Redis's id of it; 0: there is none to be had. If
// it has one of its own, it keeps that. Else one is made that stands by, whose pushes it gets (courier), and which becomes its own when it needs one:
// a client of RESP2 gets what is redirected to it by a subscription. Called without the lock, by another client's goroutine:
//
//  1. A, on the shared connection, begins to take one of its own, and gives up its lock for that.
//  2. B redirects to A, finds it without a connection of its own, and makes one that stands by.
//  3. A has got its own: what is redirected to the other would never reach a subscription on this one.
//
// So takeOwn looks for one that stands by after it has got a connection too.
func (s *session) standBy() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.gone:
		return 0
	case s.own && s.up != nil:
		s.pins.forever = true
		return s.ownID()
	case s.standby != nil && !s.standby.Closed():
		return s.standby.ID()
	}
	t := s.target
	s.mu.Unlock()
	up, err := s.srv.opts.Pool.Exclusive(s.srv.ctx, t, courier{s, t.Proto})
	s.mu.Lock()
	switch {
	case err != nil:
		return 0
	case s.gone || s.ending || s.own || s.standby != nil && !s.standby.Closed():
		up.Close() // it was done meanwhile, or it has left
		if s.own && s.up != nil && !s.gone {
			s.pins.forever = true
			return s.ownID()
		}
		if s.standby != nil {
			return s.standby.ID()
		}
		return 0
	}
	s.standby = up
	return up.ID()
}

// takeStandby makes the connection that stands by the client's own, if there is one of its kind.
func (s *session) takeStandby() bool {
	up := s.standby
	if up == nil || up.Target() != s.target || !up.Hand(s) {
		return false
	}
	s.up, s.own, s.standby = up, true, nil
	s.pins.forever = true
	return true
}

// errPush is why a client is closed that cannot be told what was invalidated.
var errPush = errors.New("invalidation of more than 64 MiB")

// courier gives a client that shares its connection what is redirected to the one that stands by for it.
type courier struct {
	s     *session
	proto int
}

// Replies takes pushes: nothing is asked on the connection. In RESP2 there are none.
func (c courier) Replies(b []byte, _ []int) {
	c.s.mu.Lock()
	if c.proto == 3 && c.s.target.Proto == 3 {
		c.s.write(b)
	}
	c.s.mu.Unlock()
}

// Large is told of a push of many keys: it is gathered, so that a reply does not come into it.
func (c courier) Large([]byte) bool { return false }

// Part gathers it. Bound: gatherMax.
func (c courier) Part(b []byte, last bool) {
	c.s.mu.Lock()
	if len(c.s.pushes)+len(b) > gatherMax {
		c.s.drop(errPush) // it would miss what it believes it is told
	}
	c.s.pushes = append(c.s.pushes, b...)
	if whole := c.s.pushes; last {
		c.s.pushes = nil
		c.s.mu.Unlock()
		c.Replies(whole, nil)
		return
	}
	c.s.mu.Unlock()
}

// Flush sends what the client was given.
func (c courier) Flush() { c.s.Flush() }

// Broken changes nothing: Redis tells the one who redirects.
func (c courier) Broken(int, bool) {}

// Stalled changes nothing.
func (c courier) Stalled() {}

var _ wire.Receiver = courier{}

// withRedirect puts Forebay's id of the client that invalidations are redirected to in the place of Redis's: of the replies of CLIENT GETREDIR and CLIENT
// TRACKINGINFO.
func (s *session) withRedirect(b []byte) []byte {
	to := s.pins.redirect
	if to < firstID {
		return b
	}
	at := 0
	if b[0] != ':' {
		mark := []byte("$8\r\nredirect\r\n")
		if at = bytes.Index(b, mark); at < 0 {
			return b
		}
		at += len(mark)
	}
	end := at + bytes.IndexByte(b[at:], '\r')
	if id, ok := parseInt(b[at+1 : end]); !ok || id < 1 {
		return b
	}
	out := strconv.AppendInt(append([]byte(nil), b[:at+1]...), to, 10)
	return append(out, b[end:]...)
}
