package proxy

import (
	"context"
	"time"

	"forebay/backend/redis/wire"
	"forebay/internal/cache"
)

// A request has Options.Budget from its arrival. What it has waited for Redis is gone when its load begins:
//
//  1. A GET comes, and Redis owes its reply: after StoreBudget, or a little more, it is loaded without (session.Stalled).
//  2. The load has what is left of the budget. Were it given a whole one, a slow Redis and a slow source together would keep the client for 4.2 s of
//     the 5 s after which it asks again.
//
// Each question to Redis has StoreBudget: the look before a load, and the fill behind it, whose answer tells whether the value may be handed out. Redis can take
// more in all only if it answers each, slowly; the request ends with its budget all the same.
//
// What a client's own connection made it wait for is none of that: a GET behind a BLPOP has its budget from when Redis came to it, and so has EXEC.
//
// A load has at least a tenth of the budget: a read that Redis has kept for all of it (GETDEL, say, which only Redis can do) may be answered at once by a
// source that is well.

// arrived is when a slot's budget began, by wire.Now. The lock is held.
func (s *session) arrived(sl *slot) int64 {
	if s.own || sl.kind == execReply {
		return wire.Now()
	}
	return sl.at
}

// loadContext is the context of loads for misses of one batch: the oldest counts.
func (srv *Server) loadContext(list []miss) (context.Context, context.CancelFunc) {
	waited := time.Duration(0)
	for _, m := range list {
		waited = max(waited, time.Duration(wire.Now()-m.at))
	}
	budget := srv.opts.Budget
	return context.WithTimeout(context.Background(), max(budget-waited, budget/10))
}

// engineRead has the engine read what misses lack, within what is left of their budget.
func (srv *Server) engineRead(db int, list []miss, wants []cache.Want, mode cache.Mode) []cache.Result {
	ctx, cancel := srv.loadContext(list)
	defer cancel()
	return srv.opts.Engine.Read(ctx, db, wants, mode)
}
