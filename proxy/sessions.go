package proxy

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/tidwall/redcon"

	"forebay/internal/route"
)

// Sessions follows training sessions: a session is a client's name. Its methods are safe for concurrent use; Open, Close and Coalesced do
// not block.
type Sessions interface {
	// Open and Close tell of a connection that takes and gives up a name.
	Open(name string)
	Close(name string)
	// Coalesced tells that reads of the session shared a load that another had begun.
	Coalesced(name string, n int)
	// Command answers FOREBAY SESSION: args are the words behind it. user is who asks ("" for one that has not authenticated), own the
	// asking client's own session. The reply is of strings, int64s and slices ([]any) of them; an error's text is the client's. It may block
	// within ctx.
	Command(ctx context.Context, user, own string, args []string) (any, error)
}

// noSessions follows none.
type noSessions struct{}

func (noSessions) Open(string)           {}
func (noSessions) Close(string)          {}
func (noSessions) Coalesced(string, int) {}
func (noSessions) Command(context.Context, string, string, []string) (any, error) {
	return nil, errors.New("sessions are not followed here")
}

// maxSession is the longest name of a session; a client with a longer one is in none.
const maxSession = 256

// tracks tells whether what is loaded for this client is to be remembered as filled by Forebay, so that it can be given back.
func (s *session) tracks(r *route.Route) bool {
	return s.name != "" && len(s.name) <= maxSession || r != nil && slices.Contains(s.srv.opts.AfterUse, r.Name)
}

// sessionVerb answers FOREBAY SESSION, off the lock.
func (s *session) sessionVerb(args [][]byte) {
	s.submit()
	user, own := s.target.User, s.name
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(s.srv.ctx, s.srv.opts.Budget)
	words := make([]string, len(args))
	for i, a := range args {
		words[i] = string(a)
	}
	v, err := s.srv.opts.Sessions.Command(ctx, user, own, words)
	cancel()
	s.mu.Lock()
	if err != nil {
		s.reply([]byte("-ERR " + line(err.Error()) + "\r\n"))
		return
	}
	s.reply(appendValue(nil, v))
}

// appendValue writes what a verb has answered.
func appendValue(b []byte, v any) []byte {
	switch v := v.(type) {
	case []any:
		b = redcon.AppendArray(b, len(v))
		for _, e := range v {
			b = appendValue(b, e)
		}
		return b
	case int64:
		return redcon.AppendInt(b, v)
	default:
		return redcon.AppendBulkString(b, fmt.Sprint(v))
	}
}
