package proxy

import "context"

// Invalidator drops values that are known to be wrong. It is safe for concurrent use.
type Invalidator interface {
	// Pending tells, by one atomic read, whether Redis may still hold some of them.
	Pending() bool
	// Settle returns when it does not, or with an error that wraps backend.ErrStoreDown.
	Settle(ctx context.Context) error
	// Drop drops the values of keys, which are borrowed until it returns. kept: they are dropped when Redis answers; unrouted: they were left alone.
	Drop(ctx context.Context, db int, keys [][]byte) (removed, kept, unrouted int64)
}

// noInvalidator has nothing to drop.
type noInvalidator struct{}

func (noInvalidator) Pending() bool                { return false }
func (noInvalidator) Settle(context.Context) error { return nil }
func (noInvalidator) Drop(_ context.Context, _ int, keys [][]byte) (removed, kept, unrouted int64) {
	return 0, 0, int64(len(keys))
}

// settle has removed from Redis what was invalidated while it did not answer, before a command of this client goes there:
//
//  1. Redis does not answer. I invalidates k, is told that it is kept, and tells R's client.
//  2. Redis answers again, and still holds the old value.
//  3. R's GET k, script or transaction comes. It is sent behind the UNLINK that settles.
//
// If that cannot be done, Redis is as good as down: routed reads are loaded, and anything else is told so. false: the command was answered.
func (s *session) settle(cmd *command, args [][]byte) bool {
	if cmd.class == local {
		return true
	}
	s.submit()
	err := errDeaf
	if !s.unheard() {
		s.mu.Unlock()
		ctx, cancel := context.WithTimeout(s.srv.ctx, s.srv.opts.StoreBudget)
		err = s.srv.opts.Invalid.Settle(ctx)
		cancel()
		s.mu.Lock()
		s.heard(err)
	}
	switch {
	case err == nil, s.gone:
		return true
	case s.tx != nil || s.stateful():
		if s.tx != nil && cmd.name != "exec" {
			return true // it is only queued
		}
		s.drop(err) // an error of ours would be one reply for a transaction that goes on, or a push too few
		return false
	case s.readsBlind(cmd, args):
		return true
	default:
		s.reply([]byte(redisDown))
		s.quit = s.quit || cmd.class == multi // as in free
		return false
	}
}

// readsBlind tells whether a command is a read that can be answered without Redis, and has it be.
func (s *session) readsBlind(cmd *command, args [][]byte) bool {
	blind := cmd.read != noRead && cmd.arityOK(len(args)) && s.mayReadBlind(cmd, args)
	s.noRedis = s.noRedis || blind
	return blind
}

// mayReadBlind tells whether every key of a read has a route that serves it, and may be given to the client without Redis being asked.
func (s *session) mayReadBlind(cmd *command, args [][]byte) bool {
	if cmd.read == opMGet {
		for _, k := range args[1:] {
			if s.srv.serves(s.target.DB, k, opMGet) == nil {
				return false
			}
		}
		return s.mayReadAll()
	}
	r := s.srv.serves(s.target.DB, args[1], cmd.read)
	return r != nil && s.mayRead(r)
}

// redisUp tells whether the present command's reads may go to Redis.
func (s *session) redisUp() bool { return !s.noRedis && s.srv.opts.Store.Up() }
