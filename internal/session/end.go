package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"forebay/backend"
	"forebay/internal/event"
)

const (
	// dueAtOnce is how many sessions one round ends at most.
	dueAtOnce = 16
	// leaseRounds is how many times Every a release may go on without a sign, before another proxy takes it up.
	leaseRounds = 15
	// endsWithin bounds one release in the background; what is left is taken up again.
	endsWithin = 10 * time.Minute
)

// Released is what a session's end gave back.
type Released struct {
	Keys  int64 `json:"keys"`
	Bytes int64 `json:"bytes"` // of values
}

// End ends the session now, whoever is connected, and gives back its keys. by says who wants it, for the event. A client of that name that
// reads on begins a new session. The error is ErrName or ErrNoSession; it wraps ErrUnfinished if ctx ended or Redis went away on the way, after
// which the rest is given back in the background; or it wraps backend.ErrStoreDown and nothing was done. Of callers at the same time one
// ends it, and the others get ErrNoSession.
func (m *Manager) End(ctx context.Context, name, by string) (Released, error) {
	if !ValidName(name) {
		return Released{}, ErrName
	}
	if err := m.Flush(ctx); err != nil {
		return Released{}, err
	}
	token := newID()
	ended, err := m.opt.Store.CloseSession(ctx, name, backend.SessionClose{
		Token: token, Lease: m.lease(), Reason: event.Ended.String(), By: by,
	})
	if err != nil {
		return Released{}, err
	}
	if ended == nil {
		return Released{}, fmt.Errorf("session %s: %w", name, ErrNoSession)
	}
	r, err := m.release(ctx, ended, token)
	m.failed(ended.ID, err)
	if err != nil {
		return r, fmt.Errorf("%w: %w", ErrUnfinished, err)
	}
	return r, nil
}

// endDue ends sessions whose time is over and takes up releases that nobody goes on with, one after the other, unless that is being done.
func (m *Manager) endDue(ctx context.Context) {
	select {
	case m.ending <- struct{}{}:
		defer func() { <-m.ending }()
	default:
		return
	}
	ctx, cancel := context.WithTimeout(ctx, endsWithin)
	defer cancel()
	names, ids, err := m.opt.Store.Due(ctx, dueAtOnce)
	for _, name := range names {
		token := newID()
		var ended *backend.SessionRecord
		ended, err = m.opt.Store.CloseSession(ctx, name, backend.SessionClose{
			IfDue: true, Token: token, Lease: m.lease(), Reason: event.Idle.String(),
		})
		if ended != nil {
			_, err = m.release(ctx, ended, token)
			m.failed(ended.ID, err)
		}
		if err != nil {
			break
		}
	}
	for _, id := range ids {
		if err != nil {
			break
		}
		if m.failedLately(id) {
			continue
		}
		token := newID()
		var ended *backend.SessionRecord
		if ended, err = m.opt.Store.Take(ctx, id, token, m.lease()); ended != nil {
			_, err = m.release(ctx, ended, token)
			m.failed(id, err)
		}
	}
	if err != nil && ctx.Err() == nil && !errors.Is(err, backend.ErrStoreDown) {
		m.log.Warn("a session's keys are not given back yet", "error", err)
	}
}

func (m *Manager) lease() time.Duration { return leaseRounds * m.opt.Every }

// failed remembers a release that failed here.
func (m *Manager) failed(id string, err error) {
	if err == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failedID, m.failedAt = id, time.Now()
}

// failedLately tells whether a release is better left to another proxy first. Rounds of two proxies may keep in step, and the one that fails
// would else win each time.
func (m *Manager) failedLately(id string) bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return id == m.failedID && time.Since(m.failedAt) < 2*m.lease()
}

// errLease ends a release that another proxy has taken over.
var errLease = errors.New("another proxy goes on with it")

// release gives back the keys of an ended session, and forgets it. It returns what it gave back itself.
func (m *Manager) release(ctx context.Context, ended *backend.SessionRecord, token string) (Released, error) {
	var sum Released
	if err := m.settle(ctx, ended, token); err != nil {
		return sum, err
	}
	others, err := m.opt.Store.Live(ctx)
	if err != nil {
		return sum, err
	}
	for _, db := range databases(ended.Claims) {
		mine, err := m.claimed(ctx, ended, others, db)
		if err != nil {
			return sum, err
		}
		if mine == nil {
			m.log.Info("a session's keys stay, since another may use them all", "session", ended.Name, "db", db)
			continue
		}
		err = m.releaseDB(ctx, db, mine, func(keys, bytes int64) error {
			sum.Keys, sum.Bytes = sum.Keys+keys, sum.Bytes+bytes
			return m.renew(ctx, ended.ID, token, keys, bytes)
		})
		if err != nil {
			return sum, err
		}
	}
	keys, bytes, ok, err := m.opt.Store.Finish(ctx, ended.ID, token)
	if err != nil || !ok {
		return sum, err
	}
	m.log.Info("session ended", "session", ended.Name, "reason", ended.Reason, "by", ended.By, "keys", keys, "bytes", bytes)
	m.opt.Record(&event.Event{
		Kind: event.Session, Session: ended.Name, Reason: reasonOf(ended.Reason), Count: keys, Bytes: bytes, By: ended.By,
	})
	return sum, nil
}

func reasonOf(s string) event.Reason {
	if s == event.Idle.String() {
		return event.Idle
	}
	return event.Ended
}

func (m *Manager) renew(ctx context.Context, id, token string, keys, bytes int64) error {
	ok, err := m.opt.Store.Renew(ctx, id, token, m.lease(), keys, bytes)
	if err == nil && !ok {
		err = errLease
	}
	return err
}

// settle waits until every proxy with connections of another session has told what those claimed before this one ended: a round and a half at
// least, for sessions of which nobody has told at all yet. One that does not tell is waited for as long as it takes to know that it is gone.
func (m *Manager) settle(ctx context.Context, ended *backend.SessionRecord, token string) error {
	look := time.NewTicker(max(m.opt.Every/10, time.Millisecond))
	defer look.Stop()
	for asked := time.Now(); ; {
		if err := m.Flush(ctx); err != nil {
			return err
		}
		live, err := m.opt.Store.Live(ctx)
		if err != nil {
			return err
		}
		waited := time.Since(asked)
		if waited > m.opt.Every*3/2 && m.settled(live, ended.Ends) || waited > 4*m.opt.Every {
			return m.renew(ctx, ended.ID, token, 0, 0)
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (m *Manager) settled(live []backend.SessionRecord, since time.Time) bool {
	for i := range live {
		for _, r := range live[i].Rows {
			if m.alive(live[i].Now, &r) && !r.Told.After(since) {
				return false
			}
		}
	}
	return true
}

// releaseDB gives back the keys of mine that were filled in db. done is told of each batch.
func (m *Manager) releaseDB(ctx context.Context, db int, mine *claimed, done func(keys, bytes int64) error) error {
	for cursor := uint64(0); ; {
		keys, next, err := m.opt.Store.Filled(ctx, db, cursor)
		if err != nil {
			return err
		}
		removed, bytes, err := m.opt.Store.Release(ctx, db, mine.only(keys))
		if err := errors.Join(err, done(removed, bytes)); err != nil {
			return err
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}
