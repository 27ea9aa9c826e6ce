package cache

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"forebay/backend"
	"forebay/internal/event"
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

	lookup route.Lookup
	value  []byte
	err    error

	// Of a route with rules (validate.go).
	finding error        // what is wrong with the value that the source gave
	seen    backend.Seen // what was found in Redis and is to be discarded
	told    bool         // it is counted
	noFill  bool         // it could not be discarded: what is loaded is served only
}

// fly ends every load of mine: from Redis, from the source, or with an error.
func (e *Engine) fly(ctx context.Context, db int, mine []load, mode Mode) {
	todo := make([]*load, len(mine))
	for i := range mine {
		todo[i] = &mine[i]
	}
	storeUp := e.usable(ctx)
	if storeUp && !mode.NoLook {
		todo, storeUp = e.look(ctx, db, todo, mode)
	}
	fill := storeUp && !mode.NoFill
	e.load(ctx, todo, fill)
	e.finish(ctx, db, todo, fill)
}

// look ends the loads whose value Redis holds by now and returns the others, and whether Redis answered.
func (e *Engine) look(ctx context.Context, db int, todo []*load, mode Mode) (rest []*load, up bool) {
	for _, l := range todo {
		e.flights.look(l.flight)
	}
	var shared, broken []*load
	err := e.ask(ctx, db, todo, func(l *load, out outcome) {
		switch {
		case out.value == nil && out.err == nil:
			rest = append(rest, l)
		case e.breaks(l, out.value):
			broken = append(broken, l)
		case e.flights.found(l.flight):
			e.end(l, out)
		default:
			shared = append(shared, l)
		}
	})
	if err != nil {
		return todo, false
	}
	up = e.discard(ctx, db, broken, mode)
	if len(shared) > 0 {
		e.lookAgain(ctx, db, shared, mode)
	}
	return append(rest, broken...), up
}

// lookAgain ends sealed loads by what Redis holds now, after the last of their waiters has joined. What has gone meanwhile is not loaded here:
// a sealed flight holds up writers.
func (e *Engine) lookAgain(ctx context.Context, db int, todo []*load, mode Mode) {
	var broken []*load
	err := e.ask(ctx, db, todo, func(l *load, out outcome) {
		if e.breaks(l, out.value) {
			broken = append(broken, l)
			return
		}
		out.again = out.value == nil && out.err == nil
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

// ask asks Redis for the values of all loads, in one round trip for those of a type, and tells of each what it says: a value, an error, or neither. It fails
// as a whole, without a word on any, if Redis does not answer.
func (e *Engine) ask(ctx context.Context, db int, todo []*load, each func(*load, outcome)) error {
	ctx, cancel := context.WithTimeout(ctx, e.opts.StoreBudget)
	defer cancel()
	var strings, hashes []*load
	for _, l := range todo {
		if l.route.IsHash() {
			hashes = append(hashes, l)
		} else {
			strings = append(strings, l)
		}
	}
	values, errs, err := askFor(ctx, db, strings, e.opts.Store.Get)
	if err != nil {
		return err
	}
	more, moreErrs, err := askFor(ctx, db, hashes, e.opts.Store.GetHashes)
	if err != nil {
		return err
	}
	values, errs = append(values, more...), append(errs, moreErrs...)
	for i, l := range append(strings, hashes...) {
		if errs[i] != nil {
			each(l, outcome{err: errs[i]})
			continue
		}
		each(l, outcome{value: values[i], cached: values[i] != nil})
	}
	return nil
}

// askFor asks for loads of one type; for none without a round trip.
func askFor(ctx context.Context, db int, loads []*load,
	get func(context.Context, int, [][]byte) ([][]byte, []error, error),
) (values [][]byte, errs []error, err error) {
	if len(loads) == 0 {
		return nil, nil, nil
	}
	keys := make([][]byte, len(loads))
	for i, l := range loads {
		keys[i] = []byte(l.key)
	}
	values, errs, err = get(ctx, db, keys)
	if errs == nil {
		errs = make([]error, len(loads))
	}
	return values, errs, err
}

// finish seals the flights, stores their values in one round trip, and ends them.
func (e *Engine) finish(ctx context.Context, db int, todo []*load, fill bool) {
	var entries []backend.Entry
	var filled []*load
	for _, l := range todo {
		storable := e.flights.seal(l.flight)
		switch {
		case l.err != nil:
			e.end(l, outcome{err: l.err})
		case !storable:
			e.end(l, outcome{again: true})
		case l.value == nil || !fill || l.noFill || !l.keep && !e.admits(len(l.value)):
			e.end(l, outcome{value: l.value})
		default:
			entries = append(entries, backend.Entry{Key: []byte(l.key), Value: l.value, Hash: l.route.IsHash(), TTL: ttl(l.route), Track: l.track})
			filled = append(filled, l)
		}
	}
	if len(entries) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), e.opts.StoreBudget)
	defer cancel()
	stored, errs, err := e.opts.Store.Fill(ctx, db, entries)
	for i, l := range filled {
		e.end(l, e.filled(l, &entries[i], i, stored, errs, err))
	}
}

// filled tells a load's outcome after its fill: what could not be stored is served all the same, but not what was refused
// because another value is there.
func (e *Engine) filled(l *load, entry *backend.Entry, i int, stored []bool, errs []error, err error) outcome {
	ev := event.Event{Kind: event.Fill, DB: l.db, Key: entry.Key, Route: l.route.Name, Bytes: int64(len(l.value))}
	if err == nil && errs != nil {
		err = errs[i]
	}
	if err == nil && !stored[i] {
		return outcome{again: true}
	}
	if err != nil {
		ev.Error = err.Error()
		if !errors.Is(err, backend.ErrStoreDown) {
			e.opts.Log.Warn("fill refused", "route", l.route.Name, "error", err)
		}
	}
	e.opts.Record(&ev)
	return outcome{value: l.value}
}

// ttl is the time a value lives: shortened at random, so that what was loaded together does not expire together.
func ttl(r *route.Route) time.Duration {
	d := r.TTL - time.Duration(r.Jitter*rand.Float64()*float64(r.TTL))
	return max(d, time.Millisecond).Truncate(time.Millisecond)
}
