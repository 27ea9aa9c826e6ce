package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"forebay/backend"
	"forebay/backend/redis"
)

// store is Redis as the engine sees it, with a look at what it refuses. The engine goes on without it: values are served, and not stored.
type store struct {
	*redis.Client
	refusals refusals
}

// Acquire counts what Redis refuses as a whole: a replica gives no leases.
func (s *store) Acquire(ctx context.Context, db int, life time.Duration, asks []backend.Ask) ([]backend.Grant, error) {
	grants, err := s.Client.Acquire(ctx, db, life, asks)
	s.refusals.refused(err)
	return grants, err
}

// Enter counts as Acquire does.
func (s *store) Enter(ctx context.Context, db int, area string) (backend.Lease, error) {
	lease, err := s.Client.Enter(ctx, db, area)
	s.refusals.refused(err)
	return lease, err
}

// Settle counts the values that Redis does not take.
func (s *store) Settle(ctx context.Context, db int, entries []backend.Entry) (fits []bool, errs []error, err error) {
	fits, errs, err = s.Client.Settle(ctx, db, entries)
	s.refusals.refused(err)
	for i, err := range errs {
		switch {
		case err != nil:
			s.refusals.refused(err)
		case fits[i] && (entries[i].Do == backend.StoreValue || entries[i].Do == backend.RefreshValue):
			s.refusals.taken()
		}
	}
	return fits, errs, err
}

// Stage has large values watched as well.
func (s *store) Stage(ctx context.Context, db int, key []byte, size int64) (backend.Stage, error) {
	of, err := s.Client.Stage(ctx, db, key, size)
	if err != nil {
		return nil, err
	}
	return &stage{of, &s.refusals}, nil
}

// stage is one of a large value.
type stage struct {
	backend.Stage
	refusals *refusals
}

// Append counts a refusal: of memory it shows at the end.
func (s *stage) Append(ctx context.Context, chunk []byte) error {
	err := s.Stage.Append(ctx, chunk)
	s.refusals.refused(err)
	return err
}

// Commit counts how the value ended.
func (s *stage) Commit(ctx context.Context, lease backend.Lease, ttl time.Duration, track bool) (stored bool, err error) {
	stored, err = s.Stage.Commit(ctx, lease, ttl, track)
	s.refusals.refused(err)
	if stored && err == nil {
		s.refusals.taken()
	}
	return stored, err
}

// refusals is what Redis answered and did not do, by reason. The zero value is ready.
type refusals struct {
	mu   sync.Mutex
	by   [len(refusalWords)]int64
	why  string // of the last; "": none, or a value was stored since
	last time.Time
}

// refusalWords are the first words of Redis's errors that say a reason which metrics tell apart; the last is any other.
var refusalWords = [...]struct{ word, reason string }{{"OOM", "full"}, {"READONLY", "replica"}, {"NOPERM", "no_right"}, {"", "other"}}

// refusedFor is how long a refusal is told after it; what is refused now and then is tried that often.
const refusedFor = 10 * time.Second

// taken notes that a value was stored.
func (r *refusals) taken() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.why = ""
}

// refused notes how something ended, if Redis has answered that it does not do it.
func (r *refusals) refused(err error) {
	if err == nil || errors.Is(err, backend.ErrStoreDown) || errors.Is(err, context.Canceled) {
		return // if Redis is down, its own line tells
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for in := errors.Unwrap(err); in != nil; in = errors.Unwrap(in) {
		err = in // to Redis's own words: the others have the key
	}
	text := err.Error()
	for i, w := range refusalWords {
		if at := strings.Index(text, w.word); at >= 0 {
			r.by[i]++
			text = text[at:]
			break
		}
	}
	r.why, r.last = text, time.Now()
}

func (r *refusals) health() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.why == "" || time.Since(r.last) > refusedFor {
		return nil
	}
	return fmt.Errorf("redis refuses what is loaded, which is served and not stored: %s", r.why)
}

func (r *refusals) counts() map[string]int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := make(map[string]int64, len(refusalWords))
	for i, w := range refusalWords {
		m[w.reason] = r.by[i]
	}
	return m
}
