package proxy

// settleWait makes WAIT and WAITAOF speak of the client's own writes. Redis waits for what was written before the last command of the same connection;
// the client's writes went up on one that it shares, and are done by now (takeOwn). So a command goes before it that every user may send and that changes
// nothing, of which the client hears nothing: a bare HELLO.
//
// What others have written meanwhile is waited for too.
func (s *session) settleWait() {
	cmd := s.srv.table.Load().find([]byte("hello"))
	sl := s.push(plain, cmd, 1)
	sl.muted = true
	s.append([]byte("*1\r\n$5\r\nHELLO\r\n"), sl)
}
