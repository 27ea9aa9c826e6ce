package invalidation

import (
	"context"
	"fmt"

	"forebay/backend"
	"forebay/internal/route"
)

// settleBatch is how many keys are removed in one call.
const settleBatch = 4096

// Settle removes what is kept and returns when nothing is, or with the error that wraps [backend.ErrStoreDown]. Of several callers one does it.
func (q *Queue) Settle(ctx context.Context) error {
	if !q.Pending() {
		return nil
	}
	select {
	case q.turn <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("%w: invalidations are kept for it that are not done yet", backend.ErrStoreDown)
	}
	defer func() { <-q.turn }()
	for q.Pending() {
		if err := q.someKeys(ctx); err != nil {
			return err
		}
		if err := q.someRoutes(ctx); err != nil {
			return err
		}
		q.mu.Lock()
		q.pending.Store(len(q.keys) > 0 || len(q.routes) > 0)
		q.mu.Unlock()
	}
	return nil
}

// someKeys removes a batch of kept keys of one database.
func (q *Queue) someKeys(ctx context.Context) error {
	q.mu.Lock()
	db, first := 0, true
	kept := map[target]uint64{}
	var keys [][]byte
	for t, number := range q.keys {
		if first {
			db, first = t.db, false
		}
		if t.db == db {
			kept[t] = number
			keys = append(keys, []byte(t.key))
		}
		if len(keys) == settleBatch {
			break
		}
	}
	q.mu.Unlock()
	if len(keys) == 0 {
		return nil
	}
	for _, k := range keys {
		q.opt.Near.Fence(db, k)
		defer q.opt.Near.Unfence(db, k)
	}
	if err := q.opt.Loads.Fence(db, keys...); err != nil { // loads that were begun meanwhile may have read Redis's old value
		return down(err)
	}
	if _, err := q.opt.Store.Remove(ctx, db, keys); err != nil {
		return down(err)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for t, number := range kept {
		if q.keys[t] == number {
			delete(q.keys, t)
			q.bytes -= len(t.key)
		}
	}
	return nil
}

// someRoutes removes all values of one kept route.
func (q *Queue) someRoutes(ctx context.Context) error {
	q.mu.Lock()
	var r *route.Route
	var number uint64
	for r, number = range q.routes {
		break
	}
	q.mu.Unlock()
	if r == nil {
		return nil
	}
	if err := q.whole(ctx, r); err != nil {
		return down(err)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.routes[r] == number {
		delete(q.routes, r)
	}
	return nil
}

// whole removes every value of a route. Nothing is kept near meanwhile, and no load that was begun before is stored.
func (q *Queue) whole(ctx context.Context, r *route.Route) error {
	q.opt.Near.FenceAll()
	defer q.opt.Near.UnfenceAll()
	if err := q.opt.Loads.FenceAll(r.DB); err != nil {
		return err
	}
	var m route.Match
	for cursor := uint64(0); ; {
		found, next, err := q.opt.Store.Keys(ctx, r.DB, r.Prefix(), cursor)
		if err != nil {
			return err
		}
		mine := found[:0]
		for _, k := range found {
			if q.opt.Routes.Match(r.DB, k, &m) && m.Route == r {
				mine = append(mine, k)
			}
		}
		if len(mine) > 0 {
			if _, err := q.opt.Store.Remove(ctx, r.DB, mine); err != nil {
				return err
			}
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}

// down makes any failure one of Redis, as its readers have to take it.
func down(err error) error {
	return fmt.Errorf("%w: remove what was invalidated: %w", backend.ErrStoreDown, err)
}
