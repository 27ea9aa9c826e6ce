package cache

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"forebay/backend"
	"forebay/internal/route"
)

// Fence makes a client's coming write of keys safe: a value loaded before it will not be stored after it, by whichever process. It blocks while a value
// of theirs is on its way from here to Redis, and, where keys have routes, for one round trip: their leases go (lease.go, 1). Both take at most the engine's
// Budget. For a key without a route it costs one atomic read when nothing is being loaded, and a match of its routes.
//
// Its error wraps backend.ErrStoreDown: Redis has not said that the leases are gone. Then the write must not be forwarded, though its connection may well be one
// that Redis answers:
//
//  1. Another process has read the old row of k. The row is changed, and DEL k comes here. The leases' connection is broken, or not mended yet.
//  2. DEL k goes to Redis on the clients' connection, and is done.
//  3. The other's fill arrives. Its lease is there still: the old row is stored behind the DEL, and stays until its TTL.
//
// Where Redis refuses every write for a time, as a replica does, the error wraps a backend.RefusedError, which is what it would say to the write. It may say so no
// more when the write comes, though, so that is not forwarded either:
//
//  1. As above; Redis is a replica, to which the other's lease has come from its primary. DEL of the lease is refused.
//  2. It becomes the primary. DEL k is done.
//  3. The other's fill arrives there, and finds its lease.
//
// Where Redis refuses Forebay's user the leases, there is no error: nobody has any.
//
// The leases go first: a flight from here that is sealed by then is refused, or ends, while that is waited for; one that begins between has a lease
// from after the drop, or is dropped by what follows.
func (e *Engine) Fence(db int, keys ...[]byte) error {
	err := e.Drop(context.Background(), db, keys)
	e.FenceHere(db, keys...)
	return err
}

// FenceHere is the part of Fence that concerns this process.
func (e *Engine) FenceHere(db int, keys ...[]byte) {
	if e.Idle() {
		return
	}
	for _, key := range keys {
		k := flightKey{db, string(key)}
		e.aheads.fence(db, k.key) // before the flights: see ahead.go
		if f := e.flights.fence(k); f != nil {
			<-f.done
		}
	}
}

// FenceAll is Fence for a command of which the keys are not known; a negative db means every database. Without routes it asks Redis nothing.
func (e *Engine) FenceAll(db int) error {
	err := e.DropAll(context.Background(), db)
	e.FenceAllHere(db)
	return err
}

// DropAll is the part of FenceAll that concerns Redis. Its error is Fence's.
func (e *Engine) DropAll(ctx context.Context, db int) error {
	dbs := e.databases
	if db >= 0 {
		if dbs = nil; slices.Contains(e.databases, db) {
			dbs = []int{db}
		}
	}
	if len(dbs) == 0 {
		return nil
	}
	return e.drop(ctx, func(ctx context.Context) error { return e.opts.Store.DropAll(ctx, dbs) })
}

// FenceAllHere is the part of FenceAll that concerns this process.
func (e *Engine) FenceAllHere(db int) {
	if e.Idle() {
		return
	}
	e.aheads.fenceAll(db)
	for _, f := range e.flights.fenceAll(db) {
		<-f.done
	}
}

// Drop is the part of Fence that concerns Redis, and so all processes: one round trip for all keys that have routes, none without. It takes no longer
// than ctx and the engine's Budget. Its error is Fence's.
func (e *Engine) Drop(ctx context.Context, db int, keys [][]byte) error {
	var routed [][]byte
	var areas []string
	for _, key := range keys {
		var m route.Match
		if !e.opts.Routes.Match(db, key, &m) {
			continue
		}
		routed = append(routed, key)
		if _, ahead := m.Route.ReadsAhead(); ahead && !slices.Contains(areas, m.Route.Name) {
			areas = append(areas, m.Route.Name)
		}
	}
	if len(routed) == 0 {
		return nil
	}
	return e.drop(ctx, func(ctx context.Context) error { return e.opts.Store.Drop(ctx, db, routed, areas) })
}

// drop has leases dropped. That may be done twice: while Redis can be reached, and only does not do it (CLIENT PAUSE, a connection of which nothing is heard), it is
// tried again for as long as a request may take.
func (e *Engine) drop(ctx context.Context, try func(context.Context) error) error {
	whole, cancel := context.WithTimeout(ctx, e.opts.Budget)
	defer cancel()
	defer context.AfterFunc(e.ctx, cancel)()
	for {
		ctx, cancel := context.WithTimeout(whole, e.opts.StoreBudget)
		err := try(ctx)
		cancel()
		late := errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded)
		switch {
		case err == nil:
			return nil
		case late && e.opts.Store.Up() && whole.Err() == nil:
		case isRefused(err):
			return err
		case late || whole.Err() != nil || errors.Is(err, backend.ErrStoreDown):
			return fmt.Errorf("%w: leases were not dropped: %w", backend.ErrStoreDown, err)
		default:
			e.opts.Log.Debug("redis refuses to drop leases before a write", "error", err)
			return nil
		}
	}
}

func isRefused(err error) bool {
	_, is := errors.AsType[*backend.RefusedError](err)
	return is
}
