package guard

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/failsafe-go/failsafe-go/adaptivelimiter"

	"forebay/backend"
)

// turns bounds the queries under way. The bound is failsafe-go's adaptive limit, which follows the gradient of the time that queries take: when they
// take longer than they did, there is a queue in the source, and there are fewer of ours at once, one less a second or two.
//
// Only queries of single rows and of some rows of a partition count for that. How long one of a whole partition takes says how much it brings, and how fast
// its receiver is.
type turns struct {
	limiter adaptivelimiter.AdaptiveLimiter[any]
	most    int
	waiting atomic.Int64 // queries without a turn; the limiter's own count would be read by several before one of them adds to it

	seen  atomic.Int64 // how many queries mean is of
	mean  atomic.Int64 // of the time that queries take, ns; the last dozen count the most
	usual atomic.Int64 // what mean is while all is well, ns
	due   atomic.Int64 // when usual may rise again, Unix ns
}

const (
	// baselineAge is how many looks, of one or two seconds each, what is usual goes back. With failsafe-go's 10, a source that becomes ten times as slow is taken
	// for usual before the limit has gone from 64 below 51; with 60 it goes to 14 within a minute and a half (TestTheLimitFollowsTheSource).
	baselineAge = 60
	// correlationAge is how many looks back it is judged whether more queries at once bring more answers: just what it needs to begin.
	correlationAge = 12

	// enough is how many queries it takes to know how long they take: the first prepares its statement and wakes the source, and may take a hundred times as long.
	enough = 8

	leastFair = 500 * time.Millisecond
	mostFair  = 1500 * time.Millisecond // half of the usual budget
)

func newTurns(o Options) *turns {
	most, least := uint(max(o.Limit, 1)), uint(max(o.Least, 0))
	if least == 0 || least > most {
		least = most
	}
	limiter := adaptivelimiter.NewBuilder[any]().
		WithLimits(least, most, most).
		// The usual bound, five times what is under way, would have a burst after a quiet time wait for the limit to grow.
		WithMaxLimitFunc(func(int) float64 { return float64(most) }).
		WithBaselineWindow(baselineAge).
		WithCorrelationWindow(correlationAge).
		Build()
	return &turns{limiter: limiter, most: int(most)}
}

// take waits for a turn until ctx ends. The error wraps backend.ErrNotAsked if that would be in vain, by what queries take now and what is before
// this one, or has been.
func (t *turns) take(ctx context.Context) (adaptivelimiter.Permit, error) {
	if p, ok := t.limiter.TryAcquirePermit(); ok {
		return p, nil
	}
	limit := max(t.limiter.Limit(), 1)
	if err := t.queue(ctx, int64(limit)); err != nil {
		return nil, err
	}
	defer t.waiting.Add(-1)
	p, err := t.limiter.AcquirePermit(ctx)
	switch {
	case err == nil:
		if err := t.late(ctx); err != nil {
			p.Drop()
			return nil, err
		}
		return p, nil
	case errors.Is(err, context.DeadlineExceeded):
		return nil, fmt.Errorf("%w: %w: overloaded, %d queries were under way for the whole budget", backend.ErrSourceTimeout, backend.ErrNotAsked, limit)
	default:
		return nil, fmt.Errorf("%w: %w: %w", backend.ErrSourceTimeout, backend.ErrNotAsked, err)
	}
}

// queue counts a query as waiting, unless it would wait in vain.
func (t *turns) queue(ctx context.Context, limit int64) error {
	until, bounded := ctx.Deadline()
	for {
		before := t.waiting.Load()
		needs := time.Duration(t.mean.Load() * (2 + before/limit)) // whole rounds: to its turn, and its own
		if bounded && t.seen.Load() >= enough && time.Until(until) < needs {
			return fmt.Errorf("%w: %w: overloaded, %d queries wait for %d at once: an answer would take %v", backend.ErrSourceDown, backend.ErrNotAsked,
				before, limit, needs.Round(100*time.Millisecond))
		}
		if t.waiting.CompareAndSwap(before, before+1) {
			return nil
		}
	}
}

// late is the error of a query that has waited longer than was foreseen, as the source has become slower: what is left would not do.
func (t *turns) late(ctx context.Context) error {
	until, bounded := ctx.Deadline()
	left, needs := time.Until(until), time.Duration(t.mean.Load())
	if !bounded || left >= needs || t.seen.Load() < enough {
		return nil
	}
	return fmt.Errorf("%w: %w: overloaded, a query takes %v and %v of the budget is left", backend.ErrSourceDown, backend.ErrNotAsked,
		needs.Round(100*time.Millisecond), left.Round(100*time.Millisecond))
}

// fair is what a query that is sent now must be given before its deadline says something of the source: one that came to its turn near the end of its
// budget fails whatever the source does. It is twice what queries take, so that a source which is slow and answers all is not taken for one that fails; and
// between the bounds below, so that one which answers nothing any more is found out.
func (t *turns) fair() time.Duration {
	return min(max(leastFair, 2*time.Duration(t.mean.Load())), mostFair)
}

// give gives a turn back, and learns from how long the query took.
func (t *turns) give(p adaptivelimiter.Permit, q *backend.Select, out outcome, took time.Duration) {
	if out == nothing || q.In == "" && q.MaxRows > 1 {
		p.Drop()
		return
	}
	t.learn(took)
	p.Record()
}

// learn takes a query's time into the mean: an eighth of it, but all of the first. It lets the limit go back to the most once the source is as fast as it
// was: by itself the limiter takes minutes, as it has seen that few queries at once bring more answers than many did, and that was the source's trouble.
//
// Usual follows the mean down at once, and up in about ten minutes: by then what was slow is the source's pace.
func (t *turns) learn(took time.Duration) {
	t.seen.Add(1)
	mean := drift(&t.mean, int64(took), 8)
	usual := t.usual.Load()
	if now, due := time.Now().UnixNano(), t.due.Load(); usual == 0 || mean < usual {
		usual = drift(&t.usual, mean, 8)
	} else if now >= due && t.due.CompareAndSwap(due, now+int64(time.Second)) {
		usual = drift(&t.usual, mean, 512)
	}
	if mean <= usual+usual/4 && t.limiter.Limit() < t.most {
		t.limiter.Reset()
	}
}

// forget forgets how long queries took while the source failed, now that it answers: nobody is refused for that.
func (t *turns) forget() {
	t.seen.Store(0)
	t.mean.Store(0)
}

// drift moves v towards to by one part of so many, and returns it. The zero v is there at once.
func drift(v *atomic.Int64, to, part int64) int64 {
	for {
		was := v.Load()
		now := was + (to-was)/part
		if was == 0 {
			now = to
		}
		if v.CompareAndSwap(was, now) {
			return now
		}
	}
}
