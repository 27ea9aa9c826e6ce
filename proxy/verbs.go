package proxy

import (
	"context"
	"errors"
	"fmt"

	"github.com/tidwall/redcon"

	"forebay/backend"
	"forebay/internal/cache"
)

// forebayHelp is what FOREBAY HELP answers.
var forebayHelp = [...]string{ //nolint:gochecknoglobals // a constant
	"FOREBAY <subcommand> [<arg> ...]. Subcommands are:",
	"HELP", "    Print this help.",
	"INVALIDATE <key> [<key> ...]", "    Drop the values of routed keys, here and in Redis, and what is being loaded of them.",
	"    Replies with how many Redis held (removed), how many are dropped when Redis answers (kept)",
	"    and how many have no route and were left alone (unrouted).",
	"PREFETCH <key> [<key> ...]", "    Load what Redis does not hold. Replies with how many it held (cached), how many were loaded,",
	"    how many the source has not got (absent) and how many have no route (unrouted).",
	"SESSION LIST", "    The live sessions: client names, with what they read.",
	"SESSION INFO <name>", "    All that is known of one.",
	"SESSION END <name>", "    End it and give back the keys that only it used.",
	"SESSION EXTEND <name> <seconds>", "    Keep it for at least so long, connected or not.",
	"STATS", "    What INFO shows in its Forebay section.",
}

// forebay answers Forebay's own verbs.
func (s *session) forebay(cmd *command, args [][]byte) {
	verb := args[1:]
	if len(verb) == 0 {
		verb = [][]byte{[]byte("help")}
	}
	n := len(verb)
	switch {
	case n == 1 && equalFold(verb[0], "help"):
		b := redcon.AppendArray(nil, len(forebayHelp))
		for _, l := range forebayHelp {
			b = redcon.AppendString(b, l)
		}
		s.reply(b)
	case n == 1 && equalFold(verb[0], "stats"):
		if s.permitted(cmd, "INFO", "forebay") { // it is a part of INFO
			s.reply(s.text(string(s.srv.opts.Info(nil))))
		}
	case n > 1 && equalFold(verb[0], "session"):
		s.sessionVerb(verb[1:])
	case n > 1 && equalFold(verb[0], "invalidate"):
		s.offLock(func() []byte { return s.invalidate(verb[1:]) })
	case n > 1 && equalFold(verb[0], "prefetch"):
		s.offLock(func() []byte { return s.prefetch(verb[1:]) })
	default:
		s.reply(fmt.Appendf(nil, "-ERR unknown subcommand or wrong number of arguments for '%.128s'. Try FOREBAY HELP.\r\n", line(string(verb[0]))))
	}
}

// offLock replies with what f returns, which may block: it runs without the session's lock, after all that the client has sent before is
// answered, so that it is the first to see the effects.
func (s *session) offLock(f func() []byte) {
	s.drain()
	s.await(func() bool { return s.fifo.empty() })
	if s.gone {
		return
	}
	s.mu.Unlock()
	b := f()
	s.mu.Lock()
	s.reply(b)
}

const noPermission = "-NOPERM this user has no permissions to run the '%s' command, or to access one of these keys\r\n"

// invalidate answers FOREBAY INVALIDATE, for who may UNLINK the keys. While Redis cannot be asked, it is for who was last known to be allowed to
// remove keys at all.
func (s *session) invalidate(keys [][]byte) []byte {
	user := s.target.User
	may, err := s.srv.permits(user, append([][]byte{[]byte("unlink")}, keys...))
	if errors.Is(err, backend.ErrStoreDown) {
		may, err = s.srv.opts.MayRemove(user), nil
	}
	switch {
	case err != nil:
		return []byte(errorReply(err))
	case !may:
		return fmt.Appendf(nil, noPermission, "unlink")
	}
	ctx, cancel := context.WithTimeout(s.srv.ctx, s.srv.opts.Budget)
	defer cancel()
	removed, kept, unrouted := s.srv.opts.Invalid.Drop(ctx, s.target.DB, keys)
	return appendValue(nil, []any{"removed", removed, "kept", kept, "unrouted", unrouted})
}

// prefetchBatch is how many keys are loaded at once: the values of a batch are in memory together.
const prefetchBatch = 64

// prefetch answers FOREBAY PREFETCH, for who may GET the keys. The first failure ends it, as that of an MGET: then some of the keys may have been
// loaded.
func (s *session) prefetch(keys [][]byte) []byte {
	user, db := s.target.User, s.target.DB
	all := s.mayReadAll()
	var cached, loaded, absent, unrouted int64
	var wants []cache.Want
	flush := func() error {
		found, err := s.srv.opts.Engine.Ensure(s.srv.ctx, db, wants)
		if err != nil {
			return err
		}
		for _, f := range found {
			switch f {
			case cache.FoundInRedis:
				cached++
			case cache.FoundInSource:
				loaded++
			default:
				absent++
			}
		}
		wants = wants[:0]
		return nil
	}
	for _, key := range keys {
		if !all {
			may, err := s.srv.permits(user, [][]byte{[]byte("get"), key})
			if err != nil {
				return []byte(errorReply(err))
			}
			if !may {
				return fmt.Appendf(nil, noPermission, "get")
			}
		}
		r := s.srv.route(db, key)
		if r == nil {
			unrouted++
			continue
		}
		wants = append(wants, cache.Want{Key: key, Route: r, Track: s.tracks(r)})
		if len(wants) == prefetchBatch {
			if err := flush(); err != nil {
				return []byte(errorReply(err))
			}
		}
	}
	if len(wants) > 0 {
		if err := flush(); err != nil {
			return []byte(errorReply(err))
		}
	}
	return appendValue(nil, []any{"cached", cached, "loaded", loaded, "absent", absent, "unrouted", unrouted})
}
