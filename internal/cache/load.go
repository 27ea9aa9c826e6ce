package cache

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
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
	storeUp := e.opts.Store.Up()
	if storeUp && !mode.NoLook {
		todo, storeUp = e.look(ctx, db, todo, mode)
	}
	e.query(ctx, todo)
	e.finish(ctx, db, todo, storeUp && !mode.NoFill)
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

// batch is the loads that one query answers.
type batch struct {
	sel   *backend.Select
	where []any
	in    []any     // distinct
	loads [][]*load // those of each of in; without In one list
	at    map[any]int
	route string
}

// query loads every row, one query a group, all at once within the limit.
func (e *Engine) query(ctx context.Context, todo []*load) {
	batches := e.gather(todo)
	if len(batches) == 1 {
		e.run(ctx, batches[0])
		return
	}
	var wg sync.WaitGroup
	for _, b := range batches {
		wg.Go(func() { e.run(ctx, b) })
	}
	wg.Wait()
}

// gather puts the loads of one group together.
func (e *Engine) gather(todo []*load) []*batch {
	var list []*batch
	open := map[string]*batch{}
	for _, l := range todo {
		var m route.Match
		if !e.opts.Routes.Match(l.db, []byte(l.key), &m) || m.Route != l.route {
			l.err = fmt.Errorf("%w: key has no route", backend.ErrSourceInvalid)
			continue
		}
		l.lookup = l.route.Lookup(&m, []byte(l.key))
		if l.lookup.Select == nil {
			l.err = fmt.Errorf("%w: its tables could not be looked at yet", backend.ErrSourceDown)
			continue
		}
		if l.lookup.Absent {
			continue
		}
		b := open[l.lookup.Group]
		if b == nil || len(b.in) >= route.MaxIn {
			b = &batch{sel: l.lookup.Select, where: l.lookup.Where, at: map[any]int{}, route: l.route.Name}
			open[l.lookup.Group] = b
			list = append(list, b)
		}
		b.add(l)
	}
	return list
}

// add gives the load its place: one for each value of In.
func (b *batch) add(l *load) {
	var id any
	if b.sel.In != "" {
		id = l.lookup.In
		if raw, ok := id.([]byte); ok {
			id = string(raw) // a slice cannot be a map's key
		}
	}
	i, ok := b.at[id]
	if !ok {
		i = len(b.loads)
		b.at[id] = i
		b.loads = append(b.loads, nil)
		if b.sel.In != "" {
			b.in = append(b.in, l.lookup.In)
		}
	}
	b.loads[i] = append(b.loads[i], l)
}

// run asks the source and gives each load its value or error. It asks once more for the rows whose values break the rules of their route.
func (e *Engine) run(ctx context.Context, b *batch) {
	e.runOnce(ctx, b)
	if anew := e.judged(b, false); anew != nil {
		e.runOnce(ctx, anew)
		e.judged(anew, true)
	}
}

// runOnce asks the source once.
func (e *Engine) runOnce(ctx context.Context, b *batch) {
	for _, list := range b.loads {
		for _, l := range list {
			l.value, l.err = nil, nil
		}
	}
	if err := e.acquire(ctx); err != nil {
		b.fail(err) // without an event: nothing was asked
		return
	}
	start := time.Now()
	rows, bytes := 0, int64(0)
	err := e.opts.Source.Load(ctx, b.sel, b.where, b.in, func(i int, row backend.Row) error {
		rows++
		for _, l := range b.loads[i] {
			if l.value, l.err = l.route.Value(row); l.err == nil {
				l.finding = l.route.Verify(row, l.value)
			}
			bytes += int64(len(l.value))
		}
		return nil // one row that makes no value leaves the others theirs
	})
	<-e.slots
	ev := event.Event{Kind: event.Load, Route: b.route, Rows: rows, Bytes: bytes, Duration: time.Since(start)}
	if err != nil {
		if e.ctx.Err() != nil {
			err = ErrClosed // what the driver made of it would blame the source
		}
		ev.Error = err.Error()
		b.fail(err)
	} else if n := b.broken(); n > 0 {
		ev.Error = fmt.Sprintf("%d of %d values break the rules of their route", n, rows)
	}
	e.opts.Record(&ev)
}

// fail gives the error to every load that has neither a value nor an error of its own.
func (b *batch) fail(err error) {
	for _, list := range b.loads {
		for _, l := range list {
			if l.value == nil && l.err == nil {
				l.err = err
			}
		}
	}
}

// acquire waits for leave to ask the source.
func (e *Engine) acquire(ctx context.Context) error {
	select {
	case e.slots <- struct{}{}:
		return nil
	default:
	}
	select {
	case e.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		if e.ctx.Err() != nil {
			return ErrClosed
		}
		return fmt.Errorf("%w: %d queries were under way for the whole budget", backend.ErrSourceTimeout, cap(e.slots))
	}
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
		case l.value == nil || !fill || l.noFill:
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
