package proxy

// maxKeeping bounds the bytes of large replies that are gathered for the near copy, of all clients together: others are passed on only.
const maxKeeping = 128 << 20

// keepBegin begins to gather a large reply for the near copy, if that wants it, beside passing it on. What the copy holds of the key is dropped
// before the client gets any of the reply, as it may be older.
func (s *session) keepBegin(sl *slot, head []byte) {
	if sl.op != opGet || sl.route == nil || head[0] != '$' {
		return
	}
	size := sl.op.size(head)
	if !s.srv.opts.Near.Streaming(s.target.DB, sl.key, size, sl.token) {
		return
	}
	whole := size + int64(len("$\r\n\r\n")+20)
	if s.srv.keeping.Add(whole) > maxKeeping {
		s.srv.keeping.Add(-whole)
		return
	}
	s.streamed.keep = make([]byte, 0, whole)
}

// keepPart gathers a part, and gives the whole to the near copy before the client has its end.
func (s *session) keepPart(b []byte, last bool) {
	st := &s.streamed
	if st.keep == nil {
		return
	}
	if len(st.keep)+len(b) <= cap(st.keep) {
		st.keep = append(st.keep, b...)
	}
	if last && !s.gone {
		sl := s.fifo.at(st.slot)
		s.srv.opts.Near.Keep(s.target.DB, sl.key, st.keep, sl.token)
		s.keepEnd()
	}
}

// keepEnd ends the gathering.
func (s *session) keepEnd() {
	if s.streamed.keep != nil {
		s.srv.keeping.Add(-int64(cap(s.streamed.keep)))
		s.streamed.keep = nil
	}
}
