package cache

import (
	"context"

	"forebay/backend"
	"forebay/internal/route"
)

// Of a route whose values have ages (route.Age), a look in Redis tells how old a value is, and whether it is Forebay's own; any other value is as good as a
// fresh one, however little it has left.
//
//   - An aging or stale value is served, and refreshed behind the read (refresh.go); a stale one is marked.
//   - An overdue one is loaded first, as if it were absent: whoever looks takes the lease of its key. What is loaded replaces it, if it is there then as it was seen;
//     if the source has no such row, it is removed.
//   - If it cannot be loaded, it is served, marked, with the error. To be sure of it all look once more: what was seen before the load may be gone since.
//
// Why the old value is not served from memory, and who may join:
//
//  1. F's look finds v1, overdue; it takes the lease and asks the source. W, through another process, deletes k, and tells R.
//  2. R reads k, finds nothing and joins F's flight.
//  3. The source fails. v1, which F has seen, is older than R's read. F seals its flight, looks, and finds nothing: F's readers and R get the error.
//
// The source has less time than for a value that is absent, so that the budget lasts for that last look. So these loads gather only with each other (oldGroup): a
// query has the time of the latest of its loads.

// oldGroup ends the names of groups (route.Lookup.Group) of loads that replace old values. No group's own name ends after another's and this.
const oldGroup = "\x00old"

// askAge asks for the age of a value, where that matters, and with take for the lease of one that is overdue.
func askAge(r *route.Route, a *backend.Ask, take bool) {
	if !r.Ages() {
		return
	}
	a.Age = true
	if due := r.OverdueBelow(); take && due >= 0 {
		a.Refresh, a.Due = true, due
	}
}

// byAge parts loads that replace an old value from others; there is no empty list.
func byAge(all []*load) (lists [][]*load) {
	var old, rest []*load
	for _, l := range all {
		if l.old {
			old = append(old, l)
		} else {
			rest = append(rest, l)
		}
	}
	for _, list := range [][]*load{old, rest} {
		if len(list) > 0 {
			lists = append(lists, list)
		}
	}
	return lists
}

// within is the time that loads of one kind have.
func (e *Engine) within(ctx context.Context, list []*load) (context.Context, context.CancelFunc) {
	until, ok := ctx.Deadline()
	if !ok || len(list) == 0 || !list[0].old {
		return ctx, func() {}
	}
	return context.WithDeadline(ctx, until.Add(-min(e.opts.StoreBudget, e.opts.Budget/3)))
}

// present is the outcome of a load by what a look has found, or by nothing.
func (e *Engine) present(l *load, g backend.Grant) outcome {
	out := outcome{value: g.Value, err: g.Err, cached: g.Value != nil}
	if !g.Own || g.Value == nil {
		return out
	}
	switch l.route.Age(g.TTL) {
	case route.Aging:
		e.Refresh(l.db, []byte(l.key), l.route)
	case route.Stale:
		out.stale = true
		e.Refresh(l.db, []byte(l.key), l.route)
	case route.Overdue: // by now: it is to be loaded first
		out.again, out.moved = true, true
	}
	return out
}

// failed ends loads by their errors, or where an old value was to be replaced by that, if it is still there. Their flights need not be sealed.
func (e *Engine) failed(db int, list []*load) {
	var old []*load
	for _, l := range list {
		e.flights.seal(l.flight)
		if l.old {
			old = append(old, l)
		} else {
			e.end(l, outcome{err: l.err})
		}
	}
	if len(old) == 0 {
		return
	}
	if e.ctx.Err() == nil {
		_ = e.ask(e.ctx, db, old, 0, func(l *load, g backend.Grant) {
			if g.State != backend.Present || g.Value == nil || e.breaks(l, g.Value) {
				return
			}
			out := outcome{value: g.Value, cached: true}
			if g.Own && l.route.Age(g.TTL) >= route.Stale {
				out.stale, out.cause = true, l.err
			}
			e.end(l, out)
		})
	}
	for _, l := range old {
		e.end(l, outcome{err: l.err})
	}
}
