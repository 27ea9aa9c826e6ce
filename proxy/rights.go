package proxy

import (
	"forebay/backend/redis/wire"
	"forebay/internal/route"
)

// What a client may be given that Redis was not asked about: near hits, and what is loaded while Redis does not answer. A load needs no such right
// when Redis has answered the client's own read with nil: so it has just let the client's user run that command on that key.

// mayReadAll tells whether the client may GET any key.
func (s *session) mayReadAll() bool {
	return s.srv.opts.MayRead(s.target.User, "")
}

// mayRead tells whether the client may GET every key of a route.
func (s *session) mayRead(r *route.Route) bool {
	return r != nil && s.srv.opts.MayRead(s.target.User, r.Prefix())
}

// mayReadFor tells whether the client may be given what a slot's read asks for: of these very keys, since a user may have a part of a route's, and by that very
// command, since HGETALL reads what GET does not, and GETDEL is a write.
func (s *session) mayReadFor(sl *slot) bool {
	switch sl.kind {
	case readOne:
		return s.mayRun(sl.op, sl.route, sl.key)
	case readMany:
		for i, r := range sl.more.routes {
			if r != nil && !s.mayRun(opMGet, r, sl.more.keys[i]) { // keys without a route are not answered in any case
				return false
			}
		}
		return true
	default:
		return s.mayReadAll()
	}
}

// mayRun tells whether the client may read the key by the operation.
func (s *session) mayRun(op readOp, r *route.Route, key []byte) bool {
	may, user := s.srv.opts.MayRun, s.target.User
	return may != nil && r != nil && (may(user, r.Prefix(), op.name()) || may(user, string(key), op.name()))
}

// name is the command that a user must have the right to.
func (op readOp) name() string { return opNames[op] }

var opNames = [...]string{
	opGet: "get", opGetEx: "getex", opGetDel: "getdel", opGetRange: "getrange", opStrLen: "strlen", opMGet: "mget",
	opHGet: "hget", opHMGet: "hmget", opHGetAll: "hgetall", opHExists: "hexists", opHLen: "hlen", opHKeys: "hkeys", opHVals: "hvals", opHStrLen: "hstrlen",
}

// CloseUsers closes the clients that have authenticated as users of whom exists, which may block, says no. What they were answered already is sent first.
//
// Who is there is noted before exists is asked:
//
//  1. Redis is asked for its users, and has no u.
//  2. u is made, and a client authenticates as u.
//  3. The answer of 1 must not close it.
func (srv *Server) CloseUsers(exists func(user string) bool) {
	as := map[string]map[*session]wire.Identity{}
	for _, c := range srv.list() {
		c.mu.Lock()
		if id := c.target.Identity; id.Auth {
			if as[id.User] == nil {
				as[id.User] = map[*session]wire.Identity{}
			}
			as[id.User][c] = id
		}
		c.mu.Unlock()
	}
	for user, clients := range as {
		if exists(user) {
			continue
		}
		for c, id := range clients {
			c.Flush()
			c.mu.Lock()
			if c.target.Identity == id { // it may have authenticated as another since
				c.drop(nil)
			}
			c.mu.Unlock()
		}
	}
}
