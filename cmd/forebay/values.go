package main

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"forebay/backend"
	"forebay/internal/cache"
	"forebay/internal/check"
	"forebay/internal/event"
	"forebay/internal/route"
	"forebay/internal/web"
)

// objectRounds is how often an object is loaded that is not in Redis any more when it is looked for.
const objectRounds = 3

// reads counts reads by HTTP when they are answered.
type reads struct{ hits, misses atomic.Int64 }

var _ web.Values = (*node)(nil)

// Read reads a value for HTTP as a GET or HGETALL would, and records the one event of it.
func (n *node) Read(ctx context.Context, db int, key []byte) (web.Value, error) {
	if user, ok := web.User(ctx); ok && !n.rights.check(ctx, user, n.commandOf(db, key), string(key)) {
		return web.Value{}, web.ErrForbidden
	}
	began := time.Now()
	ev := event.Event{DB: db, Key: key, By: "http"}
	value, err := n.read(ctx, db, key, &ev)
	ev.Duration = time.Since(began)
	v := web.Value{Bytes: value, Hash: isHash(n.routeOf(db, key))}
	ev.Bytes = sizeOf(v)
	if ev.Kind == event.Hit {
		n.reads.hits.Add(1)
		n.engine.Slide(db, key, n.routeOf(db, key))
	} else {
		n.reads.misses.Add(1)
	}
	n.events.Record(&ev)
	return v, err
}

// commandOf is the command that a client would read the key by, which it must have the right to.
func (n *node) commandOf(db int, key []byte) string {
	if isHash(n.routeOf(db, key)) {
		return "hgetall"
	}
	return "get"
}

// isHash tells whether the keys of a route, or of none, hold hashes.
func isHash(r *route.Route) bool { return r != nil && r.IsHash() }

// sizeOf is the bytes of a value, of a hash those of its fields' values, as events count them.
func sizeOf(v web.Value) (n int64) {
	if !v.Hash {
		return int64(len(v.Bytes))
	}
	backend.EachField(v.Bytes, func(_, value []byte) { n += int64(len(value)) })
	return n
}

// read finds the value, and says in ev how.
func (n *node) read(ctx context.Context, db int, key []byte, ev *event.Event) ([]byte, error) {
	ev.Kind, ev.Result = event.Miss, event.Failed
	r := n.routeOf(db, key)
	if r != nil {
		ev.Route = r.Name
	}
	var value []byte
	var down bool
	var err error
	if r == nil || !r.Ages() { // how old a value is, the engine's own look tells
		value, down, err = n.cached(ctx, db, key, isHash(r))
	}
	switch {
	case value != nil && n.admits(db, key, r, value):
		ev.Kind, ev.Result, ev.Origin = event.Hit, event.NoResult, event.FromRedis
		return value, nil
	case err != nil && (!down || r == nil):
		ev.Error = err.Error()
		return nil, err
	case r == nil:
		ev.Result = event.Unrouted
		return nil, web.ErrUnrouted
	}
	// The engine looks once more: another load may have ended since.
	res := n.load(ctx, db, cache.Want{Key: key, Route: r}, cache.Mode{NoLook: down})
	switch {
	case res.Err != nil:
		ev.Error = res.Err.Error()
		return nil, res.Err
	case res.Value == nil:
		ev.Result = event.Absent
		return nil, web.ErrAbsent
	case res.Cached:
		ev.Kind, ev.Result, ev.Origin = event.Hit, event.NoResult, event.FromRedis
		if res.Stale {
			ev.Result = event.Stale
			if res.Cause != nil {
				ev.Error = res.Cause.Error()
			}
		}
	default:
		ev.Result, ev.Origin = event.Loaded, event.FromSource
	}
	return res.Value, nil
}

// admits holds what Redis has given to the rules of its route, if it has any. What breaks them is loaded anew: the engine comes across it too, and
// counts it then.
func (n *node) admits(db int, key []byte, r *route.Route, value []byte) bool {
	if r == nil || r.Rules == nil {
		return true
	}
	err := r.Check(value)
	if err == nil || !check.Served(err) {
		return err == nil
	}
	ev := n.engine.Finding(r, event.FromRedis, err)
	ev.DB, ev.Key, ev.By = db, key, "http"
	n.events.Record(&ev)
	return true
}

// load reads through the engine. An object that went to Redis without passing by is read from there; if it has gone by then (evicted, or
// a client deleted it), it is loaded again.
func (n *node) load(ctx context.Context, db int, want cache.Want, mode cache.Mode) cache.Result {
	for range objectRounds {
		res := n.engine.Read(ctx, db, []cache.Want{want}, mode)[0]
		if res.Err != nil || !res.Stored {
			return res
		}
		value, down, err := n.cached(ctx, db, want.Key, isHash(want.Route))
		switch {
		case value != nil:
			return cache.Result{Value: value, Cached: res.Cached}
		case err != nil && !down:
			return cache.Result{Err: err}
		}
		mode.NoLook = down
	}
	return cache.Result{Err: cache.ErrContended}
}

// cached looks into Redis, for a string or a hash. down tells that it could not be asked. The error of a key of another type is web.ErrWrongType.
func (n *node) cached(ctx context.Context, db int, key []byte, hash bool) (value []byte, down bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, n.storeBudget())
	defer cancel()
	if err := n.invalid.Settle(ctx); err != nil {
		return nil, true, err
	}
	get := n.redis.Get
	if hash {
		get = n.redis.GetHashes
	}
	values, errs, err := get(ctx, db, [][]byte{key})
	if err != nil {
		return nil, true, err
	}
	if err = errs[0]; err != nil && strings.Contains(err.Error(), "WRONGTYPE ") {
		err = fmt.Errorf("%w: %w", web.ErrWrongType, err)
	}
	return values[0], false, err
}

// routeOf returns the key's route, nil if it has none.
func (n *node) routeOf(db int, key []byte) *route.Route {
	var m route.Match
	n.routes.Match(db, key, &m)
	return m.Route
}
