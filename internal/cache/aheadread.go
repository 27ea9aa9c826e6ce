package cache

import (
	"context"
	"errors"
	"sync"
	"time"

	"forebay/backend"
	"forebay/internal/event"
)

const (
	// aheadTime is how long the reading of one partition may take, its wait for a turn included. Nobody waits for the whole of it.
	aheadTime = 10 * time.Second
	// aheadRows is the most rows that are read ahead of one partition, and aheadBatch, aheadBytes how much goes to Redis in one round trip.
	aheadRows  = 16 << 10
	aheadBatch = 128
	aheadBytes = 512 << 10
)

// errCut ends the reading of a partition that is larger than the route's bound, or that nobody needs any more.
var errCut = errors.New("read ahead as far as it should be")

// aheadRow is a row that nobody waited for.
type aheadRow struct {
	id         any
	key, value []byte
}

// reading is what the goroutine of one ahead has in hand.
type reading struct {
	*ahead
	engine *Engine
	rows   int
	bytes  int64
	batch  []*aheadRow
	size   int
	out    chan []*aheadRow

	look bool // Redis is asked what it holds before it is sent values. Only the one that stores uses it
}

// runAhead reads a's partition, in a goroutine of its own, and ends a.
func (e *Engine) runAhead(a *ahead) {
	defer e.busy.Add(-1)
	ctx, cancel := context.WithTimeout(e.ctx, aheadTime)
	defer cancel()
	r := &reading{ahead: a, engine: e, out: make(chan []*aheadRow, 1)}
	var wg sync.WaitGroup
	wg.Go(func() {
		for batch := range r.out {
			r.store(batch)
		}
	})
	release, err := r.begin(ctx)
	if err == nil {
		defer release() // when all is stored
		err = r.read(ctx)
	}
	r.flush()
	close(r.out)
	cut, elsewhere := errors.Is(err, errCut), errors.Is(err, errElsewhere)
	if e.ctx.Err() != nil {
		err, cut = ErrClosed, false
	}
	e.aheads.mu.Lock()
	a.over = true
	for _, list := range a.wanted {
		for _, w := range list {
			switch {
			case w.gone:
			case cut || elsewhere || err == nil && a.from != nil:
				w.give(true)
			default: // the source has no such row, or could not be asked
				w.err, w.area = err, a.area
				w.give(false)
			}
		}
	}
	e.aheads.mu.Unlock()
	wg.Wait()
	e.aheads.mu.Lock() // not before all is stored: fences must find it
	e.aheads.end(a, r.rows, cut)
	e.aheads.mu.Unlock()
}

// begin waits for a turn, which read gives back, and claims the partition, until release is called.
func (r *reading) begin(ctx context.Context) (release func(), err error) {
	e := r.engine
	select {
	case e.aheads.turns <- struct{}{}:
	case <-ctx.Done():
		return nil, errCut // the loads that waited have gone
	}
	release, err = r.claim(ctx)
	if err == nil {
		if err = r.enter(ctx); err == nil {
			return release, nil
		}
		release()
	}
	<-e.aheads.turns
	if errors.Is(err, errElsewhere) {
		return nil, err
	}
	return nil, errCut // Redis takes nothing: the loads that wait go by themselves
}

// read asks for the rows.
func (r *reading) read(ctx context.Context) error {
	e := r.engine
	defer func() { <-e.aheads.turns }()
	if err := e.acquire(ctx); err != nil {
		return err
	}
	defer func() { <-e.slots }()
	sel, where := r.neighbours.Select, r.where
	if r.from != nil {
		sel, where = r.neighbours.From, append(where[:len(where):len(where)], r.from)
	}
	start := time.Now()
	err := e.opts.Source.Load(ctx, sel, where, nil, func(_ int, row backend.Row) error { return r.row(row) })
	if errors.Is(err, backend.ErrNotAsked) {
		return err // without an event: nothing was asked
	}
	ev := event.Event{Kind: event.Load, Route: r.route.Name, Rows: r.rows, Bytes: r.bytes, Duration: time.Since(start)}
	if err != nil && !errors.Is(err, errCut) {
		ev.Error = err.Error()
	}
	e.opts.Record(&ev)
	return err
}

// enter enters the route's area: what is read from now on is stored only if no client writes a key of the route meanwhile (lease.go, 8).
func (r *reading) enter(ctx context.Context) error {
	e := r.engine
	ctx, cancel := context.WithTimeout(ctx, e.opts.StoreBudget)
	defer cancel()
	since, err := e.opts.Store.Enter(ctx, r.db, r.route.Name)
	if err != nil {
		e.unleased(err)
		return err
	}
	e.aheads.mu.Lock()
	r.area = backend.Area{Name: r.route.Name, Since: since}
	e.aheads.mu.Unlock()
	return nil
}

// row gives one row to those who wait for it, or keeps it for the next batch.
func (r *reading) row(row backend.Row) error {
	values, in := r.neighbours.Row(row)
	if in == nil {
		return nil // a partition of which only static columns are left
	}
	value, err := r.route.Value(values)
	var finding error
	if err == nil {
		finding = r.route.Verify(values, value)
	}
	r.rows++
	r.bytes += int64(len(value))
	id := mapKey(in)
	mine := &aheadRow{id: id, value: value}
	good := err == nil && finding == nil && value != nil
	if good {
		mine.key, good = r.neighbours.Key(in)
	}
	r.engine.aheads.mu.Lock()
	r.passed[id] = struct{}{}
	list := r.wanted[id]
	delete(r.wanted, id)
	vain := r.allWritten
	given := false
	for _, w := range list {
		if !w.gone {
			given = true
			w.value, w.err, w.area = value, err, r.area
			w.give(finding != nil) // a value that breaks the rules is asked for once more, as any is
		}
	}
	if good && !given {
		r.held[id] = mine
	}
	r.engine.aheads.mu.Unlock()
	if good && !given {
		r.batch = append(r.batch, mine)
		if r.size += len(value); len(r.batch) >= aheadBatch || r.size >= aheadBytes {
			r.flush()
		}
	}
	if vain || r.bytes >= r.most || r.rows >= aheadRows || !r.engine.opts.Store.Up() {
		return errCut
	}
	return nil
}

// flush hands the batch to the one that stores, and waits if that is behind.
func (r *reading) flush() {
	if len(r.batch) > 0 {
		r.out <- r.batch
		r.batch, r.size = nil, 0
	}
}

// store stores what is absent in Redis, as flights that nobody has asked for yet: who does while they are stored waits for them.
func (r *reading) store(batch []*aheadRow) {
	e := r.engine
	mine := make([]load, 0, len(batch))
	todo := make([]*load, 0, len(batch))
	for _, row := range batch {
		k := flightKey{r.db, string(row.key)}
		f, begun, _ := e.flights.join(k, false)
		if !begun {
			continue // whoever has begun it will store it
		}
		e.busy.Add(1)
		mine = append(mine, load{flightKey: k, flight: f, route: r.route, track: r.track, value: row.value, area: r.area})
		todo = append(todo, &mine[len(mine)-1])
	}
	fresh := todo[:0:0]
	e.aheads.mu.Lock()
	for _, row := range batch {
		delete(r.held, row.id)
	}
	e.aheads.mu.Unlock()
	for _, l := range todo {
		if e.aheads.stale(r.ahead, l.key) {
			e.end(l, outcome{again: true})
			continue
		}
		fresh = append(fresh, l)
	}
	fresh = r.absent(fresh)
	if len(fresh) == 0 {
		return
	}
	e.finish(e.ctx, r.db, fresh, true)
	refused := 0
	for _, l := range fresh {
		if l.flight.out.again {
			refused++
		}
	}
	r.look = refused*8 > len(fresh)
}

// absent returns the loads whose keys Redis does not hold, and ends the others. It asks only where the batch before it met many that Redis held.
func (r *reading) absent(loads []*load) (rest []*load) {
	e := r.engine
	if !r.look || len(loads) == 0 {
		return loads
	}
	ctx, cancel := context.WithTimeout(e.ctx, e.opts.StoreBudget)
	defer cancel()
	keys := make([][]byte, len(loads))
	for i, l := range loads {
		keys[i] = []byte(l.key)
	}
	there, err := e.opts.Store.Exists(ctx, r.db, keys)
	for i, l := range loads {
		if err == nil && !there[i] {
			rest = append(rest, l)
			continue
		}
		e.end(l, outcome{again: true})
	}
	return rest
}
