package proxy

import "testing"

// The cursor stays behind the head while nothing awaits a reply, and the slots of a long pipeline are given up once all is answered.
func TestBlockedBehindALongPipeline(t *testing.T) {
	s := &session{own: true}
	for range 2 * idleSlots {
		s.fifo.push().state = ready
	}
	s.advance()
	if s.fifo.ring != nil || s.fifo.cursor == s.fifo.head {
		t.Fatal("the case is not the one meant")
	}
	if s.blocked() {
		t.Error("a client to whom nothing is owed is blocked")
	}
	sl := s.fifo.push()
	sl.blocks, sl.state = true, waiting
	if !s.blocked() {
		t.Error("a client that waits for a blocking command is not")
	}
}
