package proxy

import (
	"strconv"
)

// unblock is CLIENT UNBLOCK. A client that is blocked has a connection of its own, whose id Redis is given in place of the client's:
//
//  1. A is blocked on the connection X. C asks to unblock A: that is X.
//  2. A gets its reply and lets go of X, which B takes, and is blocked on.
//  3. Redis unblocks X: B is told that it was unblocked, which nobody asked for.
//
// So A keeps X from 1 until Redis has answered.
func (s *session) unblock(cmd *command, frame []byte, args [][]byte) {
	id, ok := parseInt(args[2])
	if !ok || id < firstID {
		s.pass1(cmd, frame) // a client of Redis itself
		return
	}
	words := []string{"CLIENT", "UNBLOCK", nobodyID}
	if len(args) == 4 {
		words = append(words, string(args[3]))
	}
	s.drain()
	s.mu.Unlock()
	c := s.srv.find(id)
	if c != nil && c != s {
		if up := c.hold(); up > 0 {
			words[2] = strconv.FormatInt(up, 10)
		}
		defer c.unhold()
	}
	s.mu.Lock()
	if b := s.consult(cmd, words...); b != nil {
		s.reply(b)
	}
}

// hold keeps the client on the connection that it has, if that is its own, until unhold, and returns Redis's id of it; 0: it has none.
func (s *session) hold() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.named++
	return s.ownID()
}

func (s *session) unhold() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.named--
}

// ownID is Redis's id of the client's own connection, 0 if it has none or Redis did not tell. The lock is held.
func (s *session) ownID() int64 {
	if !s.own || s.up == nil {
		return 0
	}
	return s.up.ID()
}
