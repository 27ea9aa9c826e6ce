package cache

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"forebay/backend"
	"forebay/internal/event"
	"forebay/internal/route"
)

// maxRounds is how often a reader's key is loaded, each time in vain because it was written, before the reader gets an error.
const maxRounds = 3

// ErrContended means that clients wrote the key each time it had been loaded.
var ErrContended = errors.New("key was written each time it was loaded")

// ErrClosed means that the engine is shutting down.
var ErrClosed = errors.New("shutting down")

// Options of an Engine. All but Settle and Log are needed.
type Options struct {
	Store  backend.Store
	Source backend.Source
	Routes *route.Table
	Record func(*event.Event) // loads and fills; concurrent
	// Budget is the time a request may take, load included; StoreBudget the part of it that Redis may take.
	Budget, StoreBudget time.Duration
	// Loads is the most queries of the source under way at once; more wait within their budget.
	Loads int
	// Settle removes from the Store what is known to be wrong there; while it cannot, the Store is taken for down. nil: nothing ever is.
	Settle func(ctx context.Context) error
	// Admit tells whether a value of so many bytes, which was not in Redis, may be stored there; with 0, whether anything may. nil: always. It counts
	// what it admits, and must not block. Concurrent.
	Admit func(bytes int) bool
	Log   *slog.Logger
}

// Engine loads what Redis does not hold. It is safe for concurrent use.
type Engine struct {
	opts      Options
	flights   flights
	slots     chan struct{} // one per query under way
	busy      atomic.Int64  // flights under way: lets Fence return at once
	objects   objects
	slides    *slides        // nil: without it
	slider    backend.Slider // nil: the store cannot extend TTLs
	refreshes *refreshes     // nil: no route's values are refreshed
	gathered  gatherer
	aheads    aheads
	notices   notices
	leaseless notice // of Acquires that Redis refuses

	coalesced atomic.Int64
	fleet     atomic.Int64
	together  atomic.Int64
	databases []int // that have routes

	ctx    context.Context //nolint:containedctx // the life of the flights, which outlive their requests
	cancel context.CancelFunc
	mu     sync.Mutex // orders wg.Add before Close
	closed bool
	wg     sync.WaitGroup
}

// New returns an engine. Close ends it.
func New(o Options) *Engine {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	e := &Engine{opts: o, slots: make(chan struct{}, max(1, o.Loads)), notices: newNotices(o.Routes)}
	e.objects = newObjects(o.Store)
	e.aheads.turns = make(chan struct{}, maxAheads)
	e.slider, e.slides = newSlides(o)
	e.refreshes = newRefreshes(o)
	for _, r := range o.Routes.Routes() {
		if !slices.Contains(e.databases, r.DB) {
			e.databases = append(e.databases, r.DB)
		}
	}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	return e
}

// Close ends the flights under way and waits for their goroutines.
func (e *Engine) Close() {
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	e.cancel()
	e.wg.Wait()
}

// Mode says what a read may do. The zero Mode is the usual one.
type Mode struct {
	NoLook bool // do not ask Redis: it is known not to answer, or only the source is wanted. Nothing is stored then
	NoFill bool // do not store what is loaded
	Keep   bool // store it though admission would not: Redis itself needs it
}

// Want is one key that a reader found absent, and the route that serves it. The key is borrowed until Read returns.
type Want struct {
	Key   []byte
	Route *route.Route
	// Track is for a named session, or a route whose values are given back after use: the fill is remembered (see backend.Entry). It counts
	// for the reader who begins the flight: what others began is kept, which is the safe side.
	Track bool
}

// Result is the answer for one key. With Err nil and Stored false, a nil Value means that the source has no such row.
// Value is shared with other readers: it must not be changed.
type Result struct {
	Value  []byte
	Err    error
	Cached bool // Redis held it after all
	// Stored is for objects: Redis holds the value, which is not in memory (Value is nil). The reader asks Redis again, whatever its Mode. If the
	// key has gone by then (evicted, deleted), it begins anew: that is no absence.
	Stored bool
	Bytes  int64 // the value's size; 0 where it is Stored and Cached, as nobody has asked
	Joined bool  // another reader had begun the load
	// Stale tells that the value, which is Cached, is too old, and served for the time being (route.Stale, route.Overdue); Cause why it could not be loaded anew, if
	// that was tried.
	Stale bool
	Cause error
}

// Read gives a result for each of wants. It returns within ctx's deadline or the budget, whichever is sooner. Errors wrap backend.ErrSourceDown,
// ErrSourceTimeout, ErrSourceInvalid or ErrStoreDown, or are ErrContended, ErrClosed (also where ctx was cancelled), or what Redis said of the key.
func (e *Engine) Read(ctx context.Context, db int, wants []Want, mode Mode) []Result {
	ctx, cancel := context.WithTimeout(ctx, e.opts.Budget)
	defer cancel()
	results := make([]Result, len(wants))
	todo, twins := distinct(wants)
	for refusals := 0; len(todo) > 0; {
		var refused bool
		todo, refused = e.round(ctx, db, wants, todo, results, mode)
		mode.NoLook = false
		if !refused {
			continue // late for some: that is no writer's doing, and ends with ctx
		}
		if refusals++; refusals == maxRounds {
			for _, i := range todo {
				results[i].Err = ErrContended
			}
			break
		}
	}
	for i, first := range twins {
		results[i] = results[first]
		results[i].Joined = true
		e.coalesced.Add(1)
	}
	return results
}

// round joins or begins a flight for each key of todo, waits for them, and returns which must be looked at again. refused tells that a value
// of theirs was not to be used because of a write, rather than that this reader came too late for it.
func (e *Engine) round(
	ctx context.Context, db int, wants []Want, todo []int, results []Result, mode Mode,
) (again []int, refused bool) {
	joined := make([]*flight, len(todo))
	late := make([]bool, len(todo))
	var mine []load
	blind := mode.NoLook || !e.opts.Store.Up()
	for n, i := range todo {
		k := flightKey{db, string(wants[i].Key)}
		f, begun, isLate := e.flights.join(k, blind)
		joined[n], late[n] = f, isLate
		if begun {
			e.busy.Add(1)
			mine = append(mine, load{flightKey: k, flight: f, route: wants[i].Route, track: wants[i].Track, keep: mode.Keep})
		} else {
			results[i].Joined = true
			e.coalesced.Add(1)
		}
	}
	if len(mine) > 0 {
		e.start(db, mine, mode)
	}
	again = todo[:0]
	for n, i := range todo {
		select {
		case <-joined[n].done:
		case <-ctx.Done():
			results[i].Err = deadline(ctx, wants[i].Route)
			continue
		}
		out := joined[n].out
		if late[n] || out.again {
			refused = refused || !late[n] && !out.moved
			again = append(again, i)
			continue
		}
		results[i] = Result{
			Joined: results[i].Joined, Value: out.value, Err: out.err, Cached: out.cached, Stored: out.stored, Bytes: max(out.bytes, int64(len(out.value))),
			Stale: out.stale, Cause: out.cause,
		}
	}
	return again, refused
}

// deadline is the error of a reader whose time is over.
func deadline(ctx context.Context, r *route.Route) error {
	switch {
	case !errors.Is(ctx.Err(), context.DeadlineExceeded):
		return ErrClosed
	case r.IsObject():
		return fmt.Errorf("%w: the object is being loaded", backend.ErrSourceTimeout) // and goes on to be: see object.go
	default:
		return backend.ErrSourceTimeout
	}
}

// start runs the flights in goroutines of the engine's: their readers may leave. An object has one of its own, as it takes its time.
func (e *Engine) start(db int, mine []load, mode Mode) {
	rows := mine[:0:0]
	for i := range mine {
		if !mine[i].route.IsObject() {
			rows = append(rows, mine[i])
			continue
		}
		e.launch(mine[i:i+1], func() { e.flyObject(&mine[i], mode) })
	}
	if len(rows) == 0 {
		return
	}
	e.launch(rows, func() {
		ctx, cancel := context.WithTimeout(e.ctx, e.opts.Budget)
		defer cancel()
		e.fly(ctx, db, rows, mode)
	})
}

// launch runs fly, which ends mine, in a goroutine that Close waits for.
func (e *Engine) launch(mine []load, fly func()) {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		for i := range mine {
			e.end(&mine[i], outcome{err: ErrClosed})
		}
		return
	}
	e.wg.Add(1)
	e.mu.Unlock()
	go func() {
		defer e.wg.Done()
		fly()
	}()
}

func (e *Engine) end(l *load, out outcome) {
	if l.ended {
		return
	}
	l.ended = true
	e.flights.end(l.flightKey, l.flight, out)
	e.busy.Add(-1)
}

// usable tells whether Redis may be asked: it answers, and holds nothing that is known to be wrong.
func (e *Engine) usable(ctx context.Context) bool {
	if !e.opts.Store.Up() {
		return false
	}
	if e.opts.Settle == nil {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, e.opts.StoreBudget)
	defer cancel()
	return e.opts.Settle(ctx) == nil
}

// Idle tells that nothing is being loaded: one atomic read.
func (e *Engine) Idle() bool { return e.busy.Load() == 0 }

// Coalesced is how many reads joined a flight that another had begun.
func (e *Engine) Coalesced() int64 { return e.coalesced.Load() }

// Flights is how many keys are being loaded now.
func (e *Engine) Flights() int { return e.flights.len() }
