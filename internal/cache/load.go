package cache

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"forebay/backend"
	"forebay/internal/route"
)

// load is one flight that this goroutine has begun and must end.
type load struct {
	flightKey
	flight *flight
	route  *route.Route
	track  bool
	keep   bool // it is not for admission to refuse
	ended  bool

	lease  backend.Lease // none: Redis could not be asked, or is not to be (lease.go)
	area   backend.Area  // of a row that was read ahead
	lookup route.Lookup
	value  []byte
	err    error

	// Of a route with ages (stale.go).
	old bool   // Redis holds a value that is overdue, to be replaced
	was []byte // that value

	// Of a route with rules (validate.go).
	finding error        // what is wrong with the value that the source gave
	seen    backend.Seen // what was found in Redis and is to be discarded
	told    bool         // it is counted
	noFill  bool         // it could not be discarded: what is loaded is served only
}

// fly ends every load of mine: from Redis, from the source, by what another process loads, or with an error.
func (e *Engine) fly(ctx context.Context, db int, mine []load, mode Mode) {
	todo := make([]*load, len(mine))
	for i := range mine {
		todo[i] = &mine[i]
	}
	var busy []*load
	up := e.usable(ctx)
	if up && !mode.NoLook {
		todo, busy, up = e.look(ctx, db, todo, mode)
	}
	var waiting sync.WaitGroup
	if len(busy) > 0 {
		for _, list := range byAge(busy) {
			waiting.Go(func() { e.wait(ctx, db, list, mode) })
		}
	}
	e.work(ctx, db, todo, up && !mode.NoFill)
	waiting.Wait()
}

// work loads what this process is to load. What replaces an old value has less time, and is loaded apart.
func (e *Engine) work(ctx context.Context, db int, todo []*load, fill bool) {
	var working sync.WaitGroup
	defer working.Wait()
	lists := byAge(todo)
	for i, list := range lists {
		run := func() {
			ctx, cancel := e.within(ctx, list)
			defer cancel()
			e.workOn(ctx, db, list, fill)
		}
		if i == len(lists)-1 {
			run()
			return
		}
		working.Go(run)
	}
}

// workOn is work for loads that have one time.
func (e *Engine) workOn(ctx context.Context, db int, todo []*load, fill bool) {
	stop := e.keep(ctx, db, todo)
	e.load(ctx, todo, fill)
	stop()
	e.finish(ctx, db, todo, fill)
}

// look ends the loads whose value Redis holds by now, or of which it knows that there is none. Of the others it returns those that this process is to load,
// for which it holds leases if Redis answered, and those that another process loads.
func (e *Engine) look(ctx context.Context, db int, todo []*load, mode Mode) (mine, busy []*load, up bool) {
	for _, l := range todo {
		e.flights.look(l.flight)
	}
	var shared, broken []*load
	err := e.ask(ctx, db, todo, leaseLife, func(l *load, g backend.Grant) {
		switch {
		case g.State == backend.Taken:
			mine = append(mine, l)
		case g.State == backend.Busy:
			busy = append(busy, l)
		case e.breaks(l, g.Value):
			broken = append(broken, l)
		case !e.flights.found(l.flight) || g.State == backend.Free:
			shared = append(shared, l)
		default:
			e.end(l, e.present(l, g))
		}
	})
	if err != nil {
		return todo, nil, false
	}
	up = true
	if len(broken) > 0 {
		var taken, others []*load
		taken, others, up = e.lookBroken(ctx, db, broken, mode)
		mine, busy = append(mine, taken...), append(busy, others...)
	}
	if len(shared) > 0 {
		e.lookAgain(ctx, db, shared, mode)
	}
	return mine, busy, up
}

// lookBroken discards values that are not to be served, and takes the leases of their keys. What cannot be discarded is loaded without: it is served, and not
// stored.
func (e *Engine) lookBroken(ctx context.Context, db int, broken []*load, mode Mode) (mine, busy []*load, up bool) {
	up = e.discard(ctx, db, broken, mode)
	var gone, replaced []*load
	for _, l := range broken {
		if mode.NoFill || l.noFill {
			mine = append(mine, l)
		} else {
			gone = append(gone, l)
		}
	}
	if len(gone) == 0 {
		return mine, nil, up
	}
	err := e.ask(ctx, db, gone, leaseLife, func(l *load, g backend.Grant) {
		switch g.State {
		case backend.Taken:
			mine = append(mine, l)
		case backend.Busy:
			busy = append(busy, l)
		default: // something else has taken the bad value's place
			e.flights.found(l.flight)
			replaced = append(replaced, l)
		}
	})
	if err != nil {
		for _, l := range gone {
			l.noFill = true
		}
		return append(mine, gone...), nil, false
	}
	if len(replaced) > 0 {
		e.lookAgain(ctx, db, replaced, mode)
	}
	return mine, busy, up
}

// lookAgain ends sealed loads by what Redis holds now, after the last of their waiters has joined. What has gone meanwhile is not loaded here:
// a sealed flight holds up writers.
func (e *Engine) lookAgain(ctx context.Context, db int, todo []*load, mode Mode) {
	var broken []*load
	err := e.ask(ctx, db, todo, 0, func(l *load, g backend.Grant) {
		if e.breaks(l, g.Value) {
			broken = append(broken, l)
			return
		}
		out := e.present(l, g)
		out.again = out.again || g.State != backend.Present && g.State != backend.Absent
		e.end(l, out)
	})
	if err == nil {
		e.discard(ctx, db, broken, mode)
		todo = broken
	}
	for _, l := range todo {
		e.end(l, outcome{again: true})
	}
}

// ttl is the time a value lives: shortened at random, so that what was loaded together does not expire together; and for how long it is kept as a stale one.
func ttl(r *route.Route) time.Duration {
	d := r.TTL - time.Duration(r.Jitter*rand.Float64()*float64(r.TTL))
	return (max(d, time.Millisecond) + r.Window()).Truncate(time.Millisecond)
}
