package proxy

import "forebay/internal/route"

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

// mayReadFor tells whether the client may be given what a slot's read asks for: by that very command, since HGETALL reads what GET does not,
// and GETDEL is a write.
func (s *session) mayReadFor(sl *slot) bool {
	switch {
	case sl.kind == readMany:
		for _, r := range sl.more.routes {
			if r != nil && !s.mayRead(r) { // keys without a route are not answered in any case
				return false
			}
		}
		return true
	case sl.kind != readOne:
		return s.mayReadAll()
	case sl.op == opGet:
		return s.mayRead(sl.route)
	default:
		may := s.srv.opts.MayRun
		return may != nil && sl.route != nil && may(s.target.User, sl.route.Prefix(), sl.op.name())
	}
}

// name is the command that a user must have the right to.
func (op readOp) name() string { return opNames[op] }

var opNames = [...]string{
	opGet: "get", opGetEx: "getex", opGetDel: "getdel", opGetRange: "getrange", opStrLen: "strlen", opMGet: "mget",
	opHGet: "hget", opHMGet: "hmget", opHGetAll: "hgetall", opHExists: "hexists", opHLen: "hlen", opHKeys: "hkeys", opHVals: "hvals", opHStrLen: "hstrlen",
}
