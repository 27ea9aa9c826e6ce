package proxy

import (
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"time"
)

// Buffers of clients come from pools, so that an idle client holds none.
const (
	inSize  = 16 << 10
	outSize = 16 << 10
	maxKeep = 64 << 10 // a larger buffer is left to the garbage collector
)

type bufferPool struct{ sync.Pool }

func newBufferPool(size int) *bufferPool {
	return &bufferPool{sync.Pool{New: func() any { b := make([]byte, 0, size); return &b }}}
}

func (p *bufferPool) get() *[]byte { return p.Get().(*[]byte) }

func (p *bufferPool) put(b *[]byte) {
	if cap(*b) <= maxKeep {
		*b = (*b)[:0]
		p.Put(b)
	}
}

// output is what is ready to be written to a client. Its bytes are in the order of the client's commands.
// Guarded by the session's lock.
type output struct {
	ready   *[]byte // nil: nothing
	writing bool    // somebody is writing; whatever comes meanwhile is theirs to write
	size    int     // bytes ready or being written
}

// write appends to the client's output. The lock is held.
func (s *session) write(b []byte) {
	if s.gone {
		return
	}
	if s.out.ready == nil {
		s.out.ready = s.srv.outs.get()
	}
	*s.out.ready = append(*s.out.ready, b...)
	s.out.size += len(b)
}

// Flush writes what is ready without ever blocking: what the socket does not take now is left to a goroutine of the
// client's own.
func (s *session) Flush() {
	s.mu.Lock()
	if s.out.ready == nil || s.out.writing {
		s.weighOut()
		s.mu.Unlock()
		return
	}
	s.out.writing = true
	for s.out.ready != nil {
		b := s.out.ready
		s.out.ready = nil
		s.mu.Unlock()
		n, err := s.try(*b)
		s.mu.Lock()
		s.out.size -= n
		if err != nil {
			s.drop(err)
		}
		if !s.gone && n < len(*b) {
			s.srv.wg.Add(1) // the session that called this is counted, so this is not zero
			go s.writer(b, n)
			s.weighOut()
			s.mu.Unlock()
			return
		}
		s.srv.outs.put(b)
	}
	s.wrote()
	s.weighOut()
	s.mu.Unlock()
}

// wrote ends a writer's turn.
func (s *session) wrote() {
	s.out.writing = false
	if s.waiters > 0 {
		s.cond.Broadcast()
	}
}

// try writes without blocking. It returns fewer bytes than b holds if the socket's buffer is full, or if the connection has no
// descriptor of its own (TLS): then everything is left to the writer.
func (s *session) try(b []byte) (int, error) {
	if s.raw == nil {
		return 0, nil
	}
	s.tryBuf, s.tryN, s.tryErr = b, 0, nil
	err := s.raw.Write(s.tryFunc)
	s.tryBuf = nil
	if err != nil {
		return s.tryN, err
	}
	return s.tryN, s.tryErr
}

// tryOnce is called with the descriptor; it always says it is done, so that it is never parked. One writer at a time: the
// fields are guarded by out.writing.
func (s *session) tryOnce(fd uintptr) bool {
	for s.tryN < len(s.tryBuf) {
		n, err := syscall.Write(int(fd), s.tryBuf[s.tryN:])
		if n > 0 {
			s.tryN += n
		}
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EAGAIN):
			return true
		case err != nil:
			s.tryErr = err
			return true
		}
	}
	return true
}

// writer writes what the socket did not take, and all that becomes ready meanwhile, until nothing is left. It
// closes a client that takes nothing for the write timeout.
func (s *session) writer(b *[]byte, from int) {
	defer s.srv.wg.Done()
	for {
		for from < len(*b) {
			_ = s.nc.SetWriteDeadline(time.Now().Add(s.srv.opts.Limits.WriteTimeout))
			end := min(len(*b), from+outSize*4) // small enough that a slow but live client makes progress
			n, err := s.nc.Write((*b)[from:end])
			from += n
			s.mu.Lock()
			s.out.size -= n
			s.weighOut()
			if err != nil {
				s.drop(err)
			}
			if s.waiters > 0 {
				s.cond.Broadcast()
			}
			gone := s.gone
			s.mu.Unlock()
			if gone {
				break
			}
		}
		s.srv.outs.put(b)
		s.mu.Lock()
		b, from = s.out.ready, 0
		s.out.ready = nil
		if b == nil || s.gone {
			_ = s.nc.SetWriteDeadline(time.Time{}) // it would end the next write that does not block
			s.wrote()
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
	}
}

// drop gives the client up: its socket is closed, and what it would still be told is thrown away. The lock is held.
func (s *session) drop(err error) {
	if s.gone {
		return
	}
	s.gone = true
	s.keepEnd()
	if err != nil && !errors.Is(err, net.ErrClosed) && !errors.Is(err, io.EOF) {
		s.srv.log.Debug("client dropped", "client", s.id, "addr", s.nc.RemoteAddr().String(), "error", err)
	}
	s.nc.Close()
	s.cond.Broadcast()
}
