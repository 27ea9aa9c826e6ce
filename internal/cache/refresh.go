package cache

import (
	"context"
	"errors"
	"slices"
	"sync"

	"forebay/backend"
	"forebay/internal/route"
)

// A value that is read while it is aging or stale is refreshed behind the read: loaded anew, and replaced. The reader does not wait.
//
//   - One process of all that share the Redis does it, by the key's lease; each tries at most once in route.RefreshEvery.
//   - What waits is bounded (refreshQueue), and so are the queries at once (refreshLoads), which take only some of the turns that misses have (Options.Loads). Rows of one
//     partition that wait go out together. They never gather with misses, which would wait for them.
//   - They are loads like any other in all else: their events, the limits of the source, the rules of their route.
//
// R: a refresh; W: a client that writes k. R is no flight: nobody waits for it, and nobody is given what it loads. So only what it stores matters.
//
//  1. A write between load and settle. R takes the lease of k, sees v1, and loads v2. W's process drops the lease and the stamp of k, and Redis says so; then W's
//     write goes to Redis. R's settle, whenever it comes, finds no lease: it stores nothing.
//  2. The same straight at Redis: there is a lease still, but not v1 any more, or not with its end. R's settle compares both.
//  3. DEL, or the end of k, meanwhile: there is nothing, where v1 was seen. R stores nothing: k would come back.
//  4. R asks when W's write is done already: the stamp has gone with the lease, so what is there is not Forebay's own, and R leaves it.
//  5. Two processes: the second finds the lease taken, and leaves k to the first. If that dies, the lease ends, and the next read begins anew.
//  6. A reader finds k overdue, or gone, while R has its lease: it waits for R like for another's load. If R fails, or stores nothing (3), it loads by itself.
//  7. The source has no such row any more: v1 is removed, if it is still there as it was seen, and a marker left, in one step with the same conditions.
const (
	refreshQueue = 4096
	refreshLoads = 4
)

// refreshes are the values that are to be refreshed.
type refreshes struct {
	tried dueTimes
	most  int // workers

	mu      sync.Mutex
	order   []string           // of the groups that wait
	groups  map[string][]*load // by route.Lookup.Group and database
	waiting int                // loads in all groups
	keys    map[flightKey]bool // of them
	workers int
}

// newRefreshes returns nothing if no route's values are refreshed.
func newRefreshes(o Options) *refreshes {
	if !slices.ContainsFunc(o.Routes.Routes(), (*route.Route).Ages) {
		return nil
	}
	return &refreshes{most: min(refreshLoads, max(1, o.Loads/4)), groups: map[string][]*load{}, keys: map[flightKey]bool{}}
}

// Refresh tells that an aging or stale value was read. It does not block, and costs an atomic read where it was told lately. The key is borrowed for the call.
// Whether the value is Forebay's own is looked at before anything is loaded.
func (e *Engine) Refresh(db int, key []byte, r *route.Route) {
	if r == nil || e.refreshes == nil || !r.Ages() || !e.refreshes.tried.take(db, key, r.RefreshEvery()) {
		return
	}
	l := &load{flightKey: flightKey{db, string(key)}, flight: &flight{}, route: r}
	if !e.locate(l) {
		return
	}
	s := e.refreshes
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting >= refreshQueue || s.keys[l.flightKey] {
		return
	}
	group := l.lookup.Group
	if len(s.groups[group]) == 0 {
		s.order = append(s.order, group)
	}
	s.groups[group] = append(s.groups[group], l)
	s.keys[l.flightKey] = true
	s.waiting++
	if s.workers < s.most && e.background(e.refreshAll) {
		s.workers++
	}
}

// take returns loads that one query can answer, at most most(l) of them; nil: nothing waits, and the caller is no worker any more.
func (s *refreshes) take(most func(*load) int) (list []*load) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.order) == 0 {
		s.workers--
		return nil
	}
	group := s.order[0]
	all := s.groups[group]
	n := min(len(all), most(all[0]))
	list, s.order = all[:n:n], s.order[1:]
	if n < len(all) {
		s.groups[group] = all[n:]
		s.order = append(s.order, group)
	} else {
		delete(s.groups, group)
	}
	for _, l := range list {
		delete(s.keys, l.flightKey)
	}
	s.waiting -= n
	return list
}

// refreshAll is a worker: it refreshes until nothing waits.
func (e *Engine) refreshAll() {
	most := func(l *load) int {
		e.gathered.mu.Lock()
		defer e.gathered.mu.Unlock()
		return e.gathered.most(l.lookup.Select)
	}
	for {
		list := e.refreshes.take(most)
		if list == nil {
			return
		}
		e.refresh(list)
	}
}

// refresh loads values of one partition anew, and replaces those that nobody has written.
func (e *Engine) refresh(list []*load) {
	ctx, cancel := context.WithTimeout(e.ctx, e.opts.Budget)
	defer cancel()
	if !e.usable(ctx) {
		return
	}
	db := list[0].db
	mine := e.due(ctx, db, list)
	if len(mine) == 0 {
		return
	}
	stop := e.keep(ctx, db, mine)
	b := newBatch(mine[0])
	for _, l := range mine {
		b.add(l)
	}
	e.run(ctx, b)
	stop()
	e.settleRefreshed(db, mine)
}

// due takes the leases of values that are to be refreshed, and returns those that this process is to load.
func (e *Engine) due(ctx context.Context, db int, list []*load) (mine []*load) {
	var gone []*load
	asks := make([]backend.Ask, len(list))
	for i, l := range list {
		asks[i] = backend.Ask{Key: []byte(l.key), Age: true, Refresh: true, Due: l.route.DueBelow()}
		if l.route.IsHash() {
			asks[i].As = backend.AsHash
		}
	}
	err := e.acquireFor(ctx, db, list, asks, leaseLife, func(l *load, g backend.Grant) {
		switch {
		case l.old && g.State == backend.Taken:
			mine = append(mine, l)
		case g.State == backend.Taken: // it is gone: nobody waits for it
			gone = append(gone, l)
		}
	})
	e.giveUp(gone...)
	if err != nil {
		return nil
	}
	return mine
}

// settleRefreshed ends refreshes in one round trip.
func (e *Engine) settleRefreshed(db int, list []*load) {
	entries := make([]backend.Entry, len(list))
	for i, l := range list {
		n := &entries[i]
		*n = backend.Entry{Key: []byte(l.key), Lease: l.lease, Hash: l.route.IsHash(), Stamp: true, Seen: l.was}
		switch {
		case l.err != nil:
			n.Do = backend.GiveUp
		case l.value == nil:
			n.Do, n.TTL = backend.MarkAbsent, l.route.AbsentTTL
		default:
			n.Do, n.Value, n.TTL = backend.RefreshValue, l.value, ttl(l.route)
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(e.ctx), e.opts.StoreBudget)
	defer cancel()
	fits, errs, err := e.opts.Store.Settle(ctx, db, entries)
	for i, l := range list {
		switch {
		case entries[i].Do != backend.RefreshValue:
		case err != nil:
			e.filled(l, err)
		case fits[i]:
			e.filled(l, errors.Join(errs[i]))
		}
	}
}
