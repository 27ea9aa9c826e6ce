package proxy

import (
	"bytes"
	"strconv"

	"github.com/tidwall/redcon"
)

// editor makes another reply of one. It may return the same, and does not change its bytes.
type editor func(b []byte) []byte

// askPubSub forwards PUBSUB. What it tells of subscriptions leaves out Forebay's own, which a client behind it cannot have made.
func (s *session) askPubSub(cmd *command, frame []byte, args [][]byte) {
	var alter editor
	switch {
	case len(args) == 2 && equalFold(args[1], "numpat"):
		alter = s.srv.withoutPatterns
	case len(args) >= 2 && equalFold(args[1], "channels"):
		alter = withoutOwn
	default:
		s.forward(cmd, frame, args)
		return
	}
	s.append(frame, s.push(alteredReply, cmd, 1))
	s.slot().more = &detail{alter: alter}
}

// withoutPatterns takes Forebay's own patterns off the reply of PUBSUB NUMPAT. Redis counts a pattern once, however many are
// subscribed to it: one that a client shares with Forebay is taken off too.
func (srv *Server) withoutPatterns(b []byte) []byte {
	n, ok := parseInt(bytes.TrimSuffix(bytes.TrimPrefix(b, []byte(":")), []byte("\r\n")))
	if b[0] != ':' || !ok {
		return b
	}
	return redcon.AppendInt(nil, max(0, n-int64(srv.opts.Patterns())))
}

// addInfo adds Forebay's section to INFO's reply if it was asked for: by no argument, all, everything, default or forebay.
func (srv *Server) addInfo(b []byte, sections [][]byte) []byte {
	asked := len(sections) == 0
	for _, a := range sections {
		asked = asked || equalFold(a, "all") || equalFold(a, "everything") || equalFold(a, "default") || equalFold(a, "forebay")
	}
	end := bytes.IndexByte(b, '\n') + 1
	if !asked || end == 0 || (b[0] != '$' && b[0] != '=') || null(b) {
		return b
	}
	body := append([]byte(nil), b[end:len(b)-2]...)
	if len(body) > len("txt:") {
		body = append(body, "\r\n"...)
	}
	body = srv.opts.Info(append(body, "# Forebay\r\n"...))
	out := append(make([]byte, 0, len(body)+16), b[0])
	out = strconv.AppendInt(out, int64(len(body)), 10)
	return append(append(append(out, "\r\n"...), body...), "\r\n"...)
}
