package cache

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"forebay/backend"
	"forebay/internal/check"
	"forebay/internal/event"
	"forebay/internal/route"
)

// A route may demand something of its values (route.Route.Check, Verify). A value that breaks it is nobody's:
//
//   - What Redis holds is judged by whoever gets it: by the proxy, for which a bad value is as good as none, and by a flight's look, which finds
//     it there, counts it and discards it (backend.Discarder, which leaves what a client has written since). Then it is loaded like
//     what is absent. So a bad value is counted once, however many read it at once.
//   - What the source gives is judged before anyone sees it. It is asked once more, for the rows at fault only; if they are no better,
//     readers get the error and nothing is stored.
//
// A client's good value, written between the look and the discarding, is safe, through this process or past it:
//
//  1. F's look finds v1, which breaks the rules.
//  2. W sets v2. If W is a client of ours, its fence drops F, which is not sealed.
//  3. F discards v1: the store compares, finds v2 and leaves it.
//  4. F loads v3 from the source. Dropped, it stores nothing; else its fill finds v2 there and is refused. Either way its readers look again, and
//     get v2.

// noticeEvery is how often findings of one route are logged.
const noticeEvery = time.Second

// notices bounds what is logged of findings: a line a second and route, with the number of those left out. The map is not changed once made.
type notices map[*route.Route]*notice

type notice struct {
	next atomic.Int64 // Unix nanoseconds: before then nothing is logged
	held atomic.Int64 // findings not logged since the last that was
}

func newNotices(routes *route.Table) notices {
	m := notices{}
	for _, r := range routes.Routes() {
		m[r] = &notice{}
	}
	return m
}

// take tells whether a finding is to be logged, and how many before it were not.
func (m notices) take(r *route.Route) (more int64, ok bool) {
	n := m[r]
	if n == nil {
		return 0, true
	}
	return n.take()
}

// take is for one notice.
func (n *notice) take() (more int64, ok bool) {
	now := time.Now().UnixNano()
	next := n.next.Load()
	if now < next || !n.next.CompareAndSwap(next, now+int64(noticeEvery)) {
		n.held.Add(1)
		return 0, false
	}
	return n.held.Swap(0), true
}

// Finding logs what was found in a value, at most once a second and route, and makes the event of it, to which the caller adds key and
// database. err is an error of route.Route.Check or Verify.
func (e *Engine) Finding(r *route.Route, origin event.Origin, err error) event.Event {
	ev := event.Event{Kind: event.Invalid, Route: r.Name, Origin: origin, Error: err.Error()}
	if found, ok := errors.AsType[*check.Error](err); ok {
		ev.Bytes = found.Size
		switch found.Rule {
		case check.ByLength:
			ev.Reason = event.BadLength
		case check.ByFormat:
			ev.Reason = event.BadFormat
		case check.ByChecksum:
			ev.Reason = event.BadChecksum
		case check.ByPolicy:
			ev.Reason = event.BadPickle
		}
	}
	if more, ok := e.notices.take(r); ok {
		e.opts.Log.Warn("value breaks the rules of its route", "route", r.Name, "origin", origin.String(), "served", check.Served(err),
			"error", err, "more", more)
	}
	return ev
}

// tell records a finding in the load's value.
func (e *Engine) tell(l *load, origin event.Origin, err error) {
	ev := e.Finding(l.route, origin, err)
	ev.DB, ev.Key = l.db, []byte(l.key)
	e.opts.Record(&ev)
}

// breaks tells whether what Redis holds of a load's key is not to be served, and remembers it for discard.
func (e *Engine) breaks(l *load, value []byte) bool {
	if l.route.Rules == nil || value == nil {
		return false
	}
	err := l.route.Check(value)
	if err == nil {
		return false
	}
	if !l.told { // else it was found by this flight's first look
		l.told = true
		e.tell(l, event.FromRedis, err)
	}
	if check.Served(err) {
		return false
	}
	l.seen = backend.Seen{Key: []byte(l.key), Head: value, Size: int64(len(value))}
	return true
}

// discard removes what looks have found to break its rules, unless something else has taken its place, and tells whether Redis answered. What
// cannot be removed is not to be filled over either. A reader that must not touch Redis (Mode.NoFill) leaves it for another.
func (e *Engine) discard(ctx context.Context, db int, found []*load, mode Mode) (up bool) {
	if mode.NoFill || len(found) == 0 {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, e.opts.StoreBudget)
	defer cancel()
	seen := make([]backend.Seen, len(found))
	for i, l := range found {
		seen[i], l.seen = l.seen, backend.Seen{}
	}
	_, errs, err := e.opts.Store.Discard(ctx, db, seen)
	for i, l := range found {
		if err == nil && errs[i] == nil {
			continue
		}
		l.noFill = true
		if err == nil {
			e.opts.Log.Warn("discard refused", "route", l.route.Name, "error", errs[i])
		}
	}
	return err == nil
}

// judged ends a query's first or second round: what breaks its route's rules is no value. It returns a query for just those rows, or nil; after the
// second, the rest have their errors.
func (e *Engine) judged(b *batch, second bool) *batch {
	var rest *batch
	for i, list := range b.loads {
		var bad []*load
		for _, l := range list {
			if l.finding == nil {
				continue
			}
			served := check.Served(l.finding)
			if served || !second {
				e.tell(l, event.FromSource, l.finding)
			}
			if !served {
				l.value, l.err = nil, ruleError(l.route, l.finding)
				bad = append(bad, l)
			}
			l.finding = nil
		}
		if len(bad) == 0 || second {
			continue
		}
		if rest == nil {
			rest = &batch{sel: b.sel, where: b.where, route: b.route}
		}
		rest.loads = append(rest.loads, bad)
		if b.sel.In != "" {
			rest.in = append(rest.in, b.in[i])
		}
	}
	return rest
}

// broken is how many of a query's values break their route's rules so that they are not served.
func (b *batch) broken() (n int) {
	for _, list := range b.loads {
		for _, l := range list {
			if l.finding != nil && !check.Served(l.finding) {
				n++
			}
		}
	}
	return n
}

func ruleError(r *route.Route, err error) error {
	return fmt.Errorf("check value of route %q: %w", r.Name, err)
}
