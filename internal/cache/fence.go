package cache

import (
	"context"
	"slices"

	"forebay/internal/route"
)

// Fence makes a client's coming write of keys safe: a value loaded before it will not be stored after it, by whichever process. It blocks while a value
// of theirs is on its way from here to Redis, and, where keys have routes, for one round trip: their leases go (lease.go, 1). Both take at most the engine's
// StoreBudget. For a key without a route it costs one atomic read when nothing is being loaded, and a match of its routes.
//
// If Redis does not answer in that time, the write will hardly be done either; should it be, a value that another process has loaded before may be
// stored behind it, and stay until its TTL.
//
// The leases go first: a flight from here that is sealed by then is refused, or ends, while that is waited for; one that begins between has a lease
// from after the drop, or is dropped by what follows.
func (e *Engine) Fence(db int, keys ...[]byte) {
	e.Drop(db, keys)
	e.FenceHere(db, keys...)
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
func (e *Engine) FenceAll(db int) {
	defer e.FenceAllHere(db)
	dbs := e.databases
	if db >= 0 {
		if dbs = nil; slices.Contains(e.databases, db) {
			dbs = []int{db}
		}
	}
	if len(dbs) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(e.ctx, e.opts.StoreBudget)
	defer cancel()
	e.undropped(e.opts.Store.DropAll(ctx, dbs))
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

// Drop is the part of Fence that concerns Redis, and so all processes: one round trip for all keys that have routes, none without.
func (e *Engine) Drop(db int, keys [][]byte) {
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
		return
	}
	ctx, cancel := context.WithTimeout(e.ctx, e.opts.StoreBudget)
	defer cancel()
	e.undropped(e.opts.Store.Drop(ctx, db, routed, areas))
}

func (e *Engine) undropped(err error) {
	if err != nil && e.ctx.Err() == nil {
		e.opts.Log.Debug("drop leases before a write", "error", err)
	}
}
