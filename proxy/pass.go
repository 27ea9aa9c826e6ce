package proxy

import (
	"errors"
	"os"
	"time"
)

// passPiece is the most bytes of a large reply that are written at once: small enough that a slow but live client makes progress within its time.
const passPiece = 64 << 10

// errHoldsOthers is why a client is closed that does not take a large reply that others wait behind.
var errHoldsOthers = errors.New("takes nothing of a reply that others wait behind")

// pass gives the client a part of a large reply whose turn it is, and returns when its socket has taken it. b is borrowed until then: there is neither a
// copy nor a buffer of it here, which is garbage that would be collected just when others want an answer (bench/slowreader). What is ready before goes
// first; whatever becomes ready meanwhile is for the caller to flush. The lock is held, and is given up while writing.
//
// A client that takes nothing for the write timeout is closed; where others wait behind its reply (it came on a shared connection), for the time that
// Redis itself is given.
func (s *session) pass(b []byte, holds bool) {
	for !s.gone && (s.out.writing || s.out.ready != nil) {
		if s.out.writing {
			s.await(func() bool { return !s.out.writing })
			continue
		}
		s.mu.Unlock()
		s.Flush()
		s.mu.Lock()
	}
	if s.gone {
		return
	}
	patience, why := s.srv.opts.Limits.WriteTimeout, error(nil)
	if holds {
		patience, why = s.srv.opts.StoreBudget, errHoldsOthers
	}
	s.out.writing = true
	s.out.size += len(b)
	for len(b) > 0 && !s.gone {
		s.mu.Unlock()
		_ = s.nc.SetWriteDeadline(time.Now().Add(patience))
		n, err := s.nc.Write(b[:min(len(b), passPiece)])
		s.mu.Lock()
		s.out.size -= n
		b = b[n:]
		if err != nil && (n == 0 || !errors.Is(err, os.ErrDeadlineExceeded)) {
			if why != nil && errors.Is(err, os.ErrDeadlineExceeded) {
				err = why
			}
			s.drop(err)
		}
	}
	s.out.size -= len(b)
	_ = s.nc.SetWriteDeadline(time.Time{}) // it would end the next write that does not block
	s.wrote()
}
