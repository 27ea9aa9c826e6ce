package proxy

import (
	"github.com/tidwall/redcon"
)

// nobodyID is an id that no client of any Redis has.
const nobodyID = "9223372036854775807"

// consult sends a command of the same right as one that is answered here, but that changes nothing, on the client's connection, and returns Redis's reply:
// NOAUTH and NOPERM are in its own words, and what is wrong with the arguments too, as its version has it. nil: the client was told that Redis does not
// answer, or has gone. While Redis is known to be down, a client that may read every key is let through: what is asked here changes nothing in Redis.
//
// The client waits: such commands are sent when it connects, not on its way.
func (s *session) consult(cmd *command, words ...string) []byte {
	b := redcon.AppendArray(nil, len(words))
	for _, w := range words {
		b = redcon.AppendBulkString(b, w)
	}
	return s.consultFrame(cmd, b)
}

// consultFrame is consult with a whole frame.
func (s *session) consultFrame(cmd *command, frame []byte) (answer []byte) {
	if !s.srv.opts.Store.Up() && s.mayReadAll() {
		return []byte("+OK\r\n")
	}
	s.submit()
	s.append(frame, s.push(alteredReply, cmd, 1))
	s.slot().more = &detail{alter: func(b []byte) []byte {
		answer = append([]byte(nil), b...)
		return nil
	}}
	s.drain()
	return answer
}

// permitted consults Redis and tells whether it lets the client do that. If it does not, the client has been told.
func (s *session) permitted(cmd *command, words ...string) bool {
	b := s.consult(cmd, words...)
	if b != nil && b[0] == '-' {
		s.reply(b)
		return false
	}
	return b != nil
}

// pass1 forwards a command whose one reply is passed on.
func (s *session) pass1(cmd *command, frame []byte) {
	s.append(frame, s.push(plain, cmd, 1))
}
