// Package invalidation drops cached values that are known to be wrong: because somebody says so by FOREBAY INVALIDATE, or by a
// record of a topic ([Parse]).
//
//	INVALIDATE, topic ─► Queue ─► fences of loads and near copies ─► UNLINK ── Redis does not answer ─► kept
//	a client's command, a flight, a read by HTTP ─► Pending? ─► Settle ─► what was kept is removed first
//
// Only keys that have a route are dropped: what Redis holds besides is not the cache's. Of those, a value goes whoever wrote it, as the
// demand is explicit.
//
// # Why what was acknowledged is never read again
//
// I invalidates k after the source has changed from v1 to v2. R is any reader.
//
//  1. A flight has loaded v1 and not stored it. I fences: the flight is dropped, its readers look again. A sealed one is waited for, and
//     what it stored is removed by the UNLINK behind it.
//  2. A reply with v1 is on its way from Redis and would be kept near. I has fenced the key there before the UNLINK: the reply's token
//     does not hold, and there is no hit until the UNLINK was answered.
//  3. Redis does not answer the UNLINK. The key is kept, and only then I is told so. R, whose command comes later, finds something kept: it
//     settles first, so that its command goes to Redis behind the UNLINK, or is answered without Redis.
//  4. R's command was sent before anything was kept, and answered after. It is concurrent with I: v1 is a right answer.
//  5. k is kept; settling has sent its UNLINK, and I2 invalidates k again and fails. The answer to the first UNLINK ends only what it was
//     sent for: each key has the number under which it was kept.
//
// What a proxy keeps is lost when it ends, and other proxies do not know of it: records of a topic are read by all, and read again until
// they are settled.
//
// # Bounds
//
// At most MaxKeys keys and MaxBytes of them are kept. One more, and all of its route is dropped instead when Redis answers, by SCAN.
package invalidation

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"forebay/backend"
	"forebay/internal/near"
	"forebay/internal/route"
)

// Fencer keeps loads under way, of all processes, from being stored. Both calls may block for a round trip to Redis, and fail if it does not answer.
type Fencer interface {
	Fence(db int, keys ...[]byte) error
	FenceAll(db int) error
}

// Options of a Queue. Store, Loads and Routes are needed.
type Options struct {
	Store  backend.Remover
	Loads  Fencer
	Near   *near.Cache // nil: none
	Routes *route.Table
	// MaxKeys and MaxBytes (of the keys) bound what is kept while Redis does not answer; 0: 64 Ki keys, 16 MiB.
	MaxKeys  int
	MaxBytes int
	Log      *slog.Logger // nil logs nothing
}

// Queue drops values, and keeps what is to be dropped while Redis does not answer. It is safe for concurrent use. A nil Queue has nothing.
type Queue struct {
	opt     Options
	log     *slog.Logger
	pending atomic.Bool   // something is kept
	turn    chan struct{} // held by who settles
	wake    chan struct{}

	mu     sync.Mutex
	number uint64
	keys   map[target]uint64 // and the number under which each was kept last
	bytes  int
	routes map[*route.Route]uint64 // dropped whole
}

// target is a key of a database.
type target struct {
	db  int
	key string
}

// Result is what became of some keys.
type Result struct {
	Removed  int64 // Redis held so many of them, and does not any more
	Kept     int64 // to be removed when Redis answers
	Unrouted int64 // left alone
}

// New returns an empty Queue. Call Run to have it settled without anybody's asking.
func New(o Options) *Queue {
	if o.MaxKeys <= 0 {
		o.MaxKeys = 64 << 10
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = 16 << 20
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Queue{
		opt: o, log: o.Log, turn: make(chan struct{}, 1), wake: make(chan struct{}, 1),
		keys: map[target]uint64{}, routes: map[*route.Route]uint64{},
	}
}

// Keys drops the values of keys of a database. The keys are borrowed until it returns.
func (q *Queue) Keys(ctx context.Context, db int, keys [][]byte) (res Result) {
	var m route.Match
	var mine [][]byte
	for _, k := range keys {
		if q.opt.Routes.Match(db, k, &m) {
			mine = append(mine, k)
			continue
		}
		res.Unrouted++
	}
	if len(mine) == 0 {
		return res
	}
	for _, k := range mine {
		q.opt.Near.Fence(db, k)
		defer q.opt.Near.Unfence(db, k)
	}
	err, n := q.opt.Loads.Fence(db, mine...), int64(0)
	if err == nil {
		n, err = q.opt.Store.Remove(ctx, db, mine)
	}
	if err == nil {
		res.Removed = n
		return res
	}
	q.log.Warn("keep invalidations until redis answers", "keys", len(mine), "error", err)
	q.keep(db, mine)
	res.Kept = int64(len(mine))
	return res
}

// Route drops every value of a route.
func (q *Queue) Route(ctx context.Context, r *route.Route) Result {
	q.mu.Lock()
	q.drop(r)
	q.mu.Unlock()
	if err := q.Settle(ctx); err != nil {
		q.kick()
		return Result{Kept: 1}
	}
	return Result{Removed: 1}
}

// keep remembers keys that are still to be removed, or their routes if there are too many.
func (q *Queue) keep(db int, keys [][]byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.pending.Store(true)
	var m route.Match
	for _, k := range keys {
		q.opt.Routes.Match(db, k, &m)
		t := target{db, string(k)}
		if q.routes[m.Route] != 0 {
			q.drop(m.Route) // anew: it may be under way
			continue
		}
		if _, has := q.keys[t]; !has {
			if len(q.keys) >= q.opt.MaxKeys || q.bytes+len(k) > q.opt.MaxBytes {
				q.log.Warn("too many invalidations to keep: the whole route is dropped when redis answers", "route", m.Route.Name)
				q.drop(m.Route)
				continue
			}
			q.bytes += len(k)
		}
		q.number++
		q.keys[t] = q.number
	}
	q.kick()
}

// drop remembers a whole route and forgets its keys. The lock is held.
func (q *Queue) drop(r *route.Route) {
	q.pending.Store(true)
	q.number++
	if q.routes[r] == 0 {
		var m route.Match
		for t := range q.keys {
			if q.opt.Routes.Match(t.db, []byte(t.key), &m) && m.Route == r {
				q.bytes -= len(t.key)
				delete(q.keys, t)
			}
		}
	}
	q.routes[r] = q.number
}

// Pending tells whether anything is kept: one atomic read.
func (q *Queue) Pending() bool { return q != nil && q.pending.Load() }

func (q *Queue) kick() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// Wake has what is kept removed soon: Redis is known to answer.
func (q *Queue) Wake() { q.kick() }

const (
	settleWithin = 10 * time.Second // of one try of Run
	retryEvery   = 250 * time.Millisecond
)

// Run removes what is kept, as soon as that is possible, until ctx ends.
func (q *Queue) Run(ctx context.Context) {
	retry := time.NewTicker(retryEvery)
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-q.wake:
		case <-retry.C:
		}
		if !q.Pending() {
			continue
		}
		trying, cancel := context.WithTimeout(ctx, settleWithin)
		if err := q.Settle(trying); err == nil {
			q.log.Info("kept invalidations are done")
		}
		cancel()
	}
}

// Drop is Keys, as the front asks for it.
func (q *Queue) Drop(ctx context.Context, db int, keys [][]byte) (removed, kept, unrouted int64) {
	res := q.Keys(ctx, db, keys)
	return res.Removed, res.Kept, res.Unrouted
}
