package proxy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"forebay/backend"
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
// What a client's own connection made it wait for is none of that: a GET behind a BLPOP has its budget from when Redis came to it, and so has an EXEC there.
//
// The same budget bounds all that a command waits for before it is sent: invalidations that are not done yet, the load of what it needs, the leases of what it
// writes. If Redis has not said so of one command, it is not asked again for those that came with it (session.deaf): a pipeline of a hundred writes would be
// answered after two minutes, and each read behind an invalidation that is kept be loaded a second after the one before it.
//
// A load has at least a tenth of the budget: a read that Redis has kept for all of it (GETDEL, say, which only Redis can do) may be answered at once by a
// source that is well. So may the commands of a pipeline that each need a value in Redis, and have it loaded one after the other, as long as
// the source is: their budgets began together, with the first (session.loadNeeds).

// arrived is when a slot's budget began, by wire.Now. The lock is held.
func (s *session) arrived(sl *slot) int64 {
	if s.own {
		return wire.Now()
	}
	return sl.at
}

// loadContext is the context of loads for misses of one batch: the oldest counts.
func (srv *Server) loadContext(list []miss) (context.Context, context.CancelFunc) {
	oldest := wire.Now()
	for _, m := range list {
		oldest = min(oldest, m.at)
	}
	return srv.since(context.Background(), oldest)
}

// since is the context of what may take the rest of a budget that began at at, by wire.Now.
func (srv *Server) since(ctx context.Context, at int64) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, max(srv.left(at), srv.opts.Budget/10))
}

// left is what is left of a budget that began then.
func (srv *Server) left(began int64) time.Duration {
	return srv.opts.Budget - time.Duration(wire.Now()-began)
}

// began is when the budget of the command that is being dispatched began, by wire.Now. The lock is held.
func (s *session) began() int64 { return max(s.now, s.freed) }

// errDeaf is why Redis is not asked once more.
var errDeaf = fmt.Errorf("%w: it has not answered what came before in the same pipeline", backend.ErrStoreDown)

// heard notes whether Redis has said what it was asked for the present command. The lock is held.
func (s *session) heard(err error) {
	if errors.Is(err, backend.ErrStoreDown) {
		s.deaf = s.now
	}
}

// unheard tells that Redis is not to be asked for the present command. The lock is held.
func (s *session) unheard() bool { return s.deaf == s.now }

// engineRead has the engine read what misses lack, within what is left of their budget.
func (srv *Server) engineRead(db int, list []miss, wants []cache.Want, mode cache.Mode) []cache.Result {
	ctx, cancel := srv.loadContext(list)
	defer cancel()
	return srv.opts.Engine.Read(ctx, db, wants, mode)
}

// engineSource has the engine ask the source alone, within the same.
func (srv *Server) engineSource(db int, list []miss, wants []cache.Want) []cache.Result {
	ctx, cancel := srv.loadContext(list)
	defer cancel()
	return srv.opts.Engine.Source(ctx, db, wants)
}

// overdue is the loads of one session that end with their budget.
type overdue struct {
	began int64 // the budget of the last one
	times int   // how many of that budget have ended with it
}

// loadNeeds runs load within what is left of the present command's budget. The lock is held, and is given up meanwhile.
//
// What is sent together has one budget, and is loaded one after the other. Behind one that took all of it, another that needs a load is given a tenth
// of it, and with each that takes that, too, half as much: a pipeline of n of them ends in little more than a budget, whatever the source does, and all of
// them are done if it is well.
func (s *session) loadNeeds(load func(ctx context.Context) error) error {
	began := s.began()
	if s.overdue.began != began {
		s.overdue = overdue{began: began}
	}
	budget := s.srv.opts.Budget
	least := max(budget/10>>min(s.overdue.times, 30), budget/300)
	ctx, cancel := context.WithTimeout(s.srv.ctx, max(s.srv.left(began), least))
	defer cancel()
	s.mu.Unlock()
	err := load(ctx)
	s.mu.Lock()
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		s.overdue.times++
	}
	return err
}

// blocked tells that the client waits for a command which may wait for others.
func (s *session) blocked() bool {
	if !s.own {
		return false
	}
	for seq := max(s.fifo.cursor, s.fifo.head); seq < s.fifo.tail; seq++ { // the cursor may be behind: see next
		if sl := s.fifo.at(seq); sl.blocks && sl.state == waiting {
			return true
		}
	}
	return false
}
