package cache

import (
	"context"
	"errors"
	"fmt"
	"time"

	"forebay/backend"
	"forebay/internal/event"
	"forebay/internal/route"
)

// batch is the loads that one query answers. Its loads are those of whoever runs it until it is done.
type batch struct {
	sel   *backend.Select
	where []any
	in    []any     // distinct
	loads [][]*load // those of each of in; without In one list
	at    map[any]int
	route string
	group string

	// Of a batch that gathers while another query of its group is under way (gather.go).
	until time.Time     // the latest of the times within which its loads want an answer
	done  chan struct{} // closed when every load has its value or error
}

func newBatch(l *load) *batch {
	return &batch{sel: l.lookup.Select, where: l.lookup.Where, at: map[any]int{}, route: l.route.Name, group: l.lookup.Group}
}

// locate finds what to ask the source for a load. False: nothing; the load has its error, or is absent.
func (e *Engine) locate(l *load) bool {
	var m route.Match
	if !e.opts.Routes.Match(l.db, []byte(l.key), &m) || m.Route != l.route {
		l.err = fmt.Errorf("%w: key has no route", backend.ErrSourceInvalid)
		return false
	}
	l.lookup = l.route.Lookup(&m, []byte(l.key))
	if l.lookup.Select == nil {
		l.err = fmt.Errorf("%w: its tables could not be looked at yet", backend.ErrSourceDown)
		return false
	}
	if l.old {
		l.lookup.Group += oldGroup
	}
	return !l.lookup.Absent
}

// mapKey makes a bound value one that can be a map's key.
func mapKey(v any) any {
	if raw, ok := v.([]byte); ok {
		return string(raw)
	}
	return v
}

// add gives the load its place: one for each value of In.
func (b *batch) add(l *load) {
	var id any
	if b.sel.In != "" {
		id = mapKey(l.lookup.In)
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
	if errors.Is(err, backend.ErrNotAsked) && e.ctx.Err() == nil {
		b.fail(err) // as above
		return
	}
	e.together.Add(int64(len(b.loads) - 1))
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
