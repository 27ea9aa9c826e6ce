package proxy

import (
	"context"
	"errors"

	"forebay/backend"
	"forebay/internal/cache"
	"forebay/internal/route"
)

// need says which of a command's keys must hold their values before the command is forwarded: Redis itself works on them. On an absent key an
// APPEND would begin from nothing, and a script would see nil. Commands without a need are read through (readOps), look at the cache as it
// is, or replace what is there.
type need struct {
	of   valueKind
	from int // the first key among the words
	last int // the last; negative: from the end
}

// valueKind is what a routed key's value must be for the command to need it: on a key of another kind, the command finds the cache as it is.
type valueKind uint8

const (
	ofNothing   valueKind = iota
	ofString              // routes of strings and objects
	ofHash                // hash routes
	ofAny                 // all routes
	ofAnyScript           // all routes, of the keys that a script or function declares
)

var needs = map[string]need{
	// change a part of a string, or answer with what was there
	"append": {ofString, 1, 1}, "setrange": {ofString, 1, 1}, "setbit": {ofString, 1, 1}, "bitfield": {ofString, 1, 1}, "getset": {ofString, 1, 1},
	"incr": {ofString, 1, 1}, "incrby": {ofString, 1, 1}, "incrbyfloat": {ofString, 1, 1}, "decr": {ofString, 1, 1}, "decrby": {ofString, 1, 1},
	"pfadd": {ofString, 1, 1}, "pfmerge": {ofString, 1, -1},
	"set": {ofString, 1, 1}, // with GET only
	// read a string within Redis
	"getbit": {ofString, 1, 1}, "bitcount": {ofString, 1, 1}, "bitpos": {ofString, 1, 1}, "bitfield_ro": {ofString, 1, 1}, "lcs": {ofString, 1, 2},
	"pfcount": {ofString, 1, -1}, "bitop": {ofString, 3, -1},
	// change a part of a hash, or read it within Redis; the last two lines are of Redis 7.4 and 8
	"hset": {ofHash, 1, 1}, "hsetnx": {ofHash, 1, 1}, "hmset": {ofHash, 1, 1}, "hdel": {ofHash, 1, 1}, "hincrby": {ofHash, 1, 1},
	"hincrbyfloat": {ofHash, 1, 1}, "hrandfield": {ofHash, 1, 1}, "hscan": {ofHash, 1, 1},
	"hexpire": {ofHash, 1, 1}, "hpexpire": {ofHash, 1, 1}, "hexpireat": {ofHash, 1, 1}, "hpexpireat": {ofHash, 1, 1}, "hpersist": {ofHash, 1, 1},
	"hgetdel": {ofHash, 1, 1}, "hgetex": {ofHash, 1, 1}, "hsetex": {ofHash, 1, 1},
	// take a value elsewhere
	"copy": {ofAny, 1, 1}, "rename": {ofAny, 1, 1}, "renamenx": {ofAny, 1, 1}, "move": {ofAny, 1, 1},
	// What is watched is loaded before: a fill behind WATCH would abort the client's EXEC (see transaction.plan).
	"watch": {ofAny, 1, -1},
	"eval":  {of: ofAnyScript}, "evalsha": {of: ofAnyScript}, "fcall": {of: ofAnyScript},
	"eval_ro": {of: ofAnyScript}, "evalsha_ro": {of: ofAnyScript}, "fcall_ro": {of: ofAnyScript},
}

// needed returns the keys that must hold their values first, if they have a route that suits. They alias args.
func (c *command) needed(args [][]byte) [][]byte {
	switch {
	case c.needs.of == ofNothing || !c.arityOK(len(args)):
		return nil
	case c.needs.of == ofAnyScript:
		keys, _ := scriptKeys(args)
		return keys
	case c.name == "set" && !hasWord(args[3:], "get"):
		return nil
	}
	last := c.needs.last
	if last < 0 {
		last += len(args)
	}
	return args[min(c.needs.from, last+1) : last+1]
}

// scriptKeys returns the keys that a script or function declares. false: Redis will refuse it.
func scriptKeys(args [][]byte) (keys [][]byte, ok bool) {
	if len(args) < 3 {
		return nil, false
	}
	n, ok := parseInt(args[2])
	if !ok || n < 0 || n > int64(len(args)-3) {
		return nil, false
	}
	return args[3 : 3+n], true
}

func hasWord(args [][]byte, lower string) bool {
	for _, a := range args {
		if equalFold(a, lower) {
			return true
		}
	}
	return false
}

// serves returns the key's route if the command needs its value.
func (n need) serves(srv *Server, db int, key []byte) *route.Route {
	r := srv.route(db, key)
	if r == nil || n.of == ofString && r.IsHash() || n.of == ofHash && !r.IsHash() {
		return nil
	}
	return r
}

// ensure has what the command needs loaded and stored before the command is sent. false: that was not possible, and the command was answered.
// What was sent before is done first: a DEL, say, must not come between. The command is not fenced yet: nothing may be left fenced when it is not sent.
//
// Between the load and the command, Redis may evict the key or its time may end, as it may between any two commands: then the command finds nothing.
func (s *session) ensure(cmd *command, args [][]byte) bool {
	var wants []cache.Want
	for _, key := range cmd.needed(args) {
		if r := cmd.needs.serves(s.srv, s.target.DB, key); r != nil {
			wants = append(wants, cache.Want{Key: key, Route: r, Track: s.tracks(r)})
		}
	}
	if len(wants) == 0 {
		return true
	}
	s.drain()
	db, user := s.target.DB, s.target.User
	all := s.mayReadAll()
	err := s.loadNeeds(func(ctx context.Context) error {
		may, err := all, error(nil)
		if !all {
			may, err = s.srv.permits(user, args)
		}
		if may && err == nil {
			_, err = s.srv.opts.Engine.Ensure(ctx, db, wants)
		}
		return err
	})
	if err != nil && !s.gone {
		s.reply([]byte(errorReply(err)))
	}
	return err == nil && !s.gone
}

// permits tells whether Redis would let the user run a command: nothing is loaded for who may not. false without an error: Redis will say so itself.
func (srv *Server) permits(user string, args [][]byte) (bool, error) {
	if srv.opts.Permits == nil {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(srv.ctx, srv.opts.StoreBudget)
	defer cancel()
	may, err := srv.opts.Permits(ctx, user, args)
	if err != nil && errors.Is(err, context.DeadlineExceeded) {
		err = backend.ErrStoreDown
	}
	return may, err
}

// mayNeed tells whether a large frame, of which the first words are there, must be gathered: its command may need a routed key. (A SET without options
// needs nothing; one with options that is too large to be gathered is streamed, and its GET finds what is cached.)
func (s *session) mayNeed(cmd *command, args [][]byte) bool {
	f := &s.framer
	words := len(args) + int(f.args)
	switch of := cmd.needs.of; {
	case of == ofNothing || len(args) == 0:
		return false
	case cmd.name == "set" && (words == 3 || f.pos+max(f.bulk, 0) > f.maxWhole):
		return false
	case of == ofAnyScript:
		keys, ok := scriptKeys(args)
		if !ok {
			return true // its keys are not there yet
		}
		for _, key := range keys {
			if s.srv.route(s.target.DB, key) != nil {
				return true
			}
		}
		return false
	default:
		// The others have one key, but for those that are never large.
		return len(args) <= cmd.needs.from || cmd.needs.serves(s.srv, s.target.DB, args[cmd.needs.from]) != nil
	}
}
