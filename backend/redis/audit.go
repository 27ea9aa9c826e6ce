package redis

import (
	"context"
	"errors"
	"fmt"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"forebay/backend"
	"forebay/internal/event"
)

// retryAudit is the time to the next check after one that Redis did not answer.
const retryAudit = time.Second

// audit checks the session at once and then at every interval, until it fails. It never returns nil.
//
// A server that does not answer the checks is no reason to end a session that has begun well: it may be stopped for a moment, and then
// goes on where it was. If its connections are gone, the reader sees that, and if only ours is dead, the
// next check does, by a mark that does not arrive.
func (s *session) audit(ctx context.Context) error {
	for n := int64(1); ; n++ {
		pause := s.w.opt.Every
		err := s.check(ctx, n)
		if s.based && errors.Is(err, backend.ErrStoreDown) {
			_ = s.w.ail(err)
			pause = min(pause, retryAudit)
		} else if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}

// check sees to the flags, that the subscription lives, and that nothing was missed since the check before.
// The flags come first: what is lost until they are set is counted by the comparison that follows.
func (s *session) check(ctx context.Context, n int64) error {
	w := s.w
	added, flags := w.ensureFlags(ctx)
	if flags != nil && !errors.Is(flags, errFlags) {
		return flags // it could not be asked
	}
	v, err := s.compare(ctx, n)
	if err != nil {
		return err
	}
	switch {
	case !s.based:
		s.based = true
		w.regain(v)
	case added:
		w.gap(event.NoReason, v.lost.sum(), w.settled, "the notification flags had been taken away; "+describe(v))
	default:
		w.report(v)
	}
	w.settled = time.Now()
	w.judge(flags, v)
	return nil
}

// compare asks for a mark and settles the account with it. A blind session only sees that the subscription answers.
func (s *session) compare(ctx context.Context, n int64) (verdict, error) {
	if !s.based && !s.blind {
		// A server without the counters is not asked for marks. It is an imitation of Redis, and of miniredis it is
		// known that PUBLISH inside MULTI stops it for good.
		in, err := s.w.c.info(ctx)
		if err == nil && in["expired_keys"] == "" {
			s.goBlind(errors.New("INFO has no expired_keys"))
		} else if isReply(err) {
			s.goBlind(err)
		} else if err != nil {
			return verdict{}, err
		}
	}
	if !s.blind {
		now, err := s.mark(ctx, n)
		if isReply(err) {
			s.goBlind(err)
		} else if err != nil {
			return verdict{}, err
		} else {
			m, err := s.await(ctx, n)
			if err != nil {
				return verdict{}, err
			}
			return s.w.book.settle(now, m.heard, s.w.before), nil
		}
	}
	s.w.book = ledger{} // what is missed now must not be laid to a later time
	if err := s.sub.Ping(ctx); err != nil {
		return verdict{}, fmt.Errorf("ping the subscription: %w", err)
	}
	_, err := s.await(ctx, 0)
	return verdict{unknown: true}, err
}

// mark reads the counters and sends the mark n to our own subscription, in one transaction. That makes the comparison exact:
//
//  1. Redis runs INFO and PUBLISH with nothing between them, so no key leaves between the two.
//  2. It appends notifications and marks to the subscription's buffer in the order in which they happen.
//  3. So every notification before the mark is of a key that INFO counted, and every one after it is not.
//
// An INFO asked for by itself would be compared with a count taken sooner or later, wrong by what left in between.
func (s *session) mark(ctx context.Context, n int64) (counters, error) {
	pool, err := s.w.c.pool(0)
	if err != nil {
		return counters{}, err
	}
	limited, cancel := context.WithTimeout(ctx, s.w.c.opt.Timeout)
	defer cancel()
	var reply *goredis.StringCmd
	_, err = pool.TxPipelined(limited, func(tx goredis.Pipeliner) error {
		reply = tx.Info(limited)
		tx.Publish(limited, s.w.marker, n)
		return nil
	})
	if err := s.w.c.failure(ctx, err); err != nil {
		return counters{}, fmt.Errorf("read the eviction counters: %w", err)
	}
	in := parseInfo(reply.Val())
	return counters{
		run:      in["run_id"],
		keys:     tally{expired: in.number("expired_keys"), evicted: in.number("evicted_keys")},
		commands: in.number("total_commands_processed"),
	}, nil
}

// report records what was lost since the comparison before, a gap for each reason.
func (w *Watcher) report(v verdict) {
	for _, r := range []struct {
		reason event.Reason
		lost   int64
	}{{event.Expired, v.lost.expired}, {event.Evicted, v.lost.evicted}} {
		if r.lost > 0 {
			w.gap(r.reason, r.lost, w.settled, describe(v))
		}
	}
	if v.lost.sum() > 0 {
		w.c.log.Warn("redis notifications were missed", "expired", v.lost.expired, "evicted", v.lost.evicted)
	}
}

// judge sets the health after a check. Where the server does not let its flags be read, as hosted ones do, notifications that came with
// none missing are the proof that they are right.
func (w *Watcher) judge(flags error, v verdict) {
	switch {
	case v.lost.sum() > 0 || v.unknown:
		w.proved = false
	case v.heard.sum() > 0 && !v.atLeast:
		w.proved = true
	}
	if w.proved && errors.Is(flags, errUnread) {
		flags = nil
	}
	was := w.ail(flags)
	if flags != nil && (was == nil || was.Error() != flags.Error()) {
		w.c.log.Warn("redis may not send all notifications", "error", flags)
	}
}

// ail sets the health, nil for good, and returns what it was.
func (w *Watcher) ail(err error) (was error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	was, w.health = w.health, err
	return was
}
