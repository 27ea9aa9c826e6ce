package proxy

import (
	"bytes"
	"sync/atomic"
	"time"

	"forebay/backend/redis/wire"
)

// pauses knows whether clients of this process have paused writes. The zero value is ready.
type pauses struct{ until atomic.Int64 } // by wire.Now

func (p *pauses) on() bool {
	until := p.until.Load()
	return until != 0 && wire.Now() < until
}

// pause is CLIENT PAUSE and UNPAUSE. Redis pauses a connection from the first command that it postpones: a write on a shared one would hold up every
// client's reads behind it. So while writes are paused, they go on connections of their clients' own (free), and so does UNPAUSE, which must overtake them.
//
// What was paused straight to Redis is not known here.
func (s *session) pause(cmd *command, sub string, frame []byte, args [][]byte) {
	if !s.takeOwn() {
		return
	}
	until := int64(0)
	if sub == "pause" && len(args) > 2 {
		if ms, ok := parseInt(args[2]); ok && ms > 0 {
			until = wire.Now() + int64(time.Duration(min(ms, 1<<40))*time.Millisecond)
		}
	}
	s.append(frame, s.push(alteredReply, cmd, 1))
	s.slot().more = &detail{alter: func(b []byte) []byte {
		if bytes.HasPrefix(b, []byte("+OK")) {
			s.srv.pauses.until.Store(until)
		}
		return b
	}}
}

// postponed tells whether Redis, paused by a client of this process, would make the command wait.
func (s *session) postponed(cmd *command) bool {
	return (cmd.writes || cmd.replicates) && s.srv.pauses.on()
}
