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
)

// A key is loaded by one process of all that share the Redis: the one that holds its lease (backend.Leaser). The others wait, and ask now and then. What was
// loaded is stored, and handed out, only if the lease was held all the while and no value has come: otherwise all readers look again.
//
// W: a client that writes k through this process or another; F, F2: flights, of any processes.
//
//  1. F holds the lease of k and loads v1. W's process drops the lease, and Redis says so; then W's write goes to Redis. F's fill comes whenever it comes,
//     even if it was frozen on its way for hours: its token is not there, so nothing is stored and F's readers look again.
//
//  2. As 1, and F2 takes the lease between W's drop and F's fill: the token there is F2's, and F's fill is refused. F2 began after the drop, so what W changed
//     in the source before is in what it loads (flights, 3); what W only wrote to Redis is found there by F2's fill, or comes after it.
//
//  3. F's process is stopped, its lease ends, F2 takes it, loads and stores. F goes on: its token is not there.
//
//  4. A command with unknown keys removes the generation before it is forwarded. F's fill finds another one, or none; F2's lease is of the new one.
//
//  5. FLUSHALL removes leases, markers and generations with the values. F's fill is refused; the generation that is made next was never there before.
//
//  6. F finds no row. W's client has added it and deletes k, to have it read: the drop takes F's lease, so that F leaves no marker, or the marker that F left.
//     A marker that is left is as good as the row that was not there when it was loaded, until its time is over.
//
//  7. F's process is killed: the lease ends within leaseLife, and one of those who wait takes it.
//
//  8. A row that was read ahead has no lease of its own, or one from after it was read: its key was not known. It has its route's area, which was entered before
//     it was read, and which every write of a key of that route drops with the lease.
//
//  9. F's fill, or the answer to it, is lost with its connection: nobody knows whether it fitted. W's write is done, R comes and joins F: what F has read may be
//     older than R. So all look again, unless nobody has joined since F asked for the lease: for those who were there then, no value and F's row were right
//     after they came. What was read ahead was so before they came, and is not.
//
// Without Redis there are no leases: loads are shared within the process, and nothing is stored. The same goes for reads that must not ask
// Redis (Mode.NoLook), among each other. So while this process cannot reach Redis, a read that joins a flight may get what was in the source when the flight
// began, though a client of another process has written since.
const (
	// leaseLife is how long a lease lives that nobody keeps: what a reader loses when the process that loads dies, which is within its budget.
	leaseLife = 1500 * time.Millisecond
	// keepEvery is when leases are kept by a load that takes long.
	keepEvery = leaseLife / 3
	// Those who wait for another process ask after firstPause, and from then on half as often each time, down to every lastPause.
	firstPause = 2 * time.Millisecond
	lastPause  = 50 * time.Millisecond
)

// pause is the time before the n-th look of one who waits; it varies by a half, so that processes do not ask in step.
func pause(n int) time.Duration {
	d := min(firstPause<<min(n, 10), lastPause)
	return d/2 + rand.N(d)
}

// ask acquires the leases of all loads, for life, or looks only. It tells of each what Redis says; a large value is fetched, and where it has gone by then, the
// state is Free. It fails as a whole, without a word on any, if Redis does not answer.
func (e *Engine) ask(ctx context.Context, db int, todo []*load, life time.Duration, each func(*load, backend.Grant)) error {
	asks := make([]backend.Ask, len(todo))
	for i, l := range todo {
		asks[i].Key = []byte(l.key)
		if l.route.IsHash() {
			asks[i].As = backend.AsHash
		}
		askAge(l.route, &asks[i], life > 0)
	}
	return e.acquireFor(ctx, db, todo, asks, life, each)
}

// acquireFor is ask where it is known what to ask for.
func (e *Engine) acquireFor(ctx context.Context, db int, todo []*load, asks []backend.Ask, life time.Duration, each func(*load, backend.Grant)) error {
	ctx, cancel := context.WithTimeout(ctx, e.opts.StoreBudget)
	defer cancel()
	grants, err := e.opts.Store.Acquire(ctx, db, life, asks)
	if err != nil {
		e.unleased(err)
		return err
	}
	var strings, hashes []int
	for i, g := range grants {
		todo[i].lease = g.Lease
		todo[i].old = g.Own && (g.State == backend.Taken || g.State == backend.Busy)
		switch {
		case g.State != backend.Present && !(g.State == backend.Taken && g.Own) || g.Value != nil || g.Err != nil:
		case asks[i].As == backend.AsHash:
			hashes = append(hashes, i)
		default:
			strings = append(strings, i)
		}
	}
	if err := fetchLarge(ctx, db, asks, grants, strings, e.opts.Store.Get); err != nil {
		return err
	}
	if err := fetchLarge(ctx, db, asks, grants, hashes, e.opts.Store.GetHashes); err != nil {
		return err
	}
	for i, l := range todo {
		l.was = nil
		if grants[i].State == backend.Taken {
			l.was = grants[i].Value
			l.old = l.was != nil
		}
		each(l, grants[i])
	}
	return nil
}

// unleased says, at most once a second, that Redis answers and gives no leases: nothing is stored then.
func (e *Engine) unleased(err error) {
	if errors.Is(err, backend.ErrStoreDown) || errors.Is(err, context.Canceled) {
		return
	}
	if more, ok := e.leaseless.take(); ok {
		e.opts.Log.Warn("redis gives no leases: what is loaded is not stored", "error", err, "more", more)
	}
}

// fetchLarge fetches values that are there and did not come with their grants.
func fetchLarge(ctx context.Context, db int, asks []backend.Ask, grants []backend.Grant, at []int,
	get func(context.Context, int, [][]byte) ([][]byte, []error, error),
) error {
	if len(at) == 0 {
		return nil
	}
	keys := make([][]byte, len(at))
	for n, i := range at {
		keys[n] = asks[i].Key
	}
	values, errs, err := get(ctx, db, keys)
	if err != nil {
		return err
	}
	for n, i := range at {
		grants[i].Value, grants[i].Err = values[n], errs[n]
		if values[n] == nil && errs[n] == nil && grants[i].State == backend.Present {
			grants[i].State = backend.Free
		}
	}
	return nil
}

// wait ends loads that another process has begun: by what that has stored, or, where it gives up or dies, by loading them here.
func (e *Engine) wait(ctx context.Context, db int, busy []*load, mode Mode) {
	var working sync.WaitGroup
	defer working.Wait()
	patience, cancel := e.within(ctx, busy)
	defer cancel()
	for n := 0; len(busy) > 0; n++ {
		if !sleep(patience, pause(n)) {
			for _, l := range busy {
				l.err = e.outwaited()
			}
			e.failed(db, busy)
			return
		}
		var todo []*load
		for _, l := range busy {
			if e.flights.stale(l.flight) { // a client writes the key: its readers begin another flight
				e.end(l, outcome{again: true})
				continue
			}
			todo = append(todo, l)
		}
		if len(todo) == 0 {
			return
		}
		mine, still, up := e.look(ctx, db, todo, mode)
		e.fleet.Add(int64(len(todo) - len(mine) - len(still)))
		if len(mine) > 0 {
			working.Go(func() { e.work(ctx, db, mine, up && !mode.NoFill) })
		}
		busy = still
	}
}

// outwaited is the error of those who waited for another process for their whole budget.
func (e *Engine) outwaited() error {
	if e.ctx.Err() != nil {
		return ErrClosed
	}
	return fmt.Errorf("%w: another process has been loading the key for the whole budget", backend.ErrSourceTimeout)
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// keep keeps the loads' leases, while they take longer than most, until stop is called or ctx ends. Close waits for its goroutine.
func (e *Engine) keep(ctx context.Context, db int, loads []*load) (stop func()) {
	var entries []backend.Entry
	for _, l := range loads {
		if l.lease.Held() {
			entries = append(entries, backend.Entry{Key: []byte(l.key), Lease: l.lease, Do: backend.KeepOn, TTL: leaseLife})
		}
	}
	if len(entries) == 0 {
		return func() {}
	}
	ctx, stop = context.WithCancel(ctx)
	e.wg.Go(func() { // the caller is one that Close waits for
		for sleep(ctx, keepEvery) {
			ctx, cancel := context.WithTimeout(ctx, e.opts.StoreBudget)
			_, _, _ = e.opts.Store.Settle(ctx, db, entries) // what was lost shows at the end of the load
			cancel()
		}
	})
	return stop
}

// finish seals the flights that have not ended, stores their values in one round trip, and ends them. What has failed, or was dropped, is ended before, and its lease given up by
// the way.
func (e *Engine) finish(ctx context.Context, db int, todo []*load, fill bool) {
	var entries []backend.Entry
	var settled, failed []*load
	defer func() { e.failed(db, failed) }()
	for _, l := range todo {
		if l.ended {
			continue
		}
		storable := e.flights.seal(l.flight)
		entry := backend.Entry{Key: []byte(l.key), Lease: l.lease, Area: l.area, Hash: l.route.IsHash(), Stamp: l.route.Stamps(), Seen: l.was}
		leased := l.lease.Held() || l.area.Since.Held() && l.value != nil && l.err == nil && storable
		switch {
		case l.err != nil:
			if l.old {
				failed = append(failed, l)
			} else {
				e.end(l, outcome{err: l.err})
			}
			entry.Do = backend.GiveUp
		case !storable:
			e.end(l, outcome{again: true})
			entry.Do = backend.GiveUp
		case !leased:
			e.end(l, outcome{value: l.value})
		case l.value == nil:
			entry.Do, entry.TTL = backend.MarkAbsent, l.route.AbsentTTL
		case !fill || l.noFill || !l.keep && !l.old && !e.admits(len(l.value)):
			entry.Do = backend.CheckOnly
		default:
			entry.Value, entry.TTL, entry.Track = l.value, ttl(l.route), l.track
			if l.old {
				entry.Do = backend.RefreshValue
			}
		}
		if leased {
			entries = append(entries, entry)
			settled = append(settled, l)
		}
	}
	if len(entries) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), e.opts.StoreBudget)
	defer cancel()
	fits, errs, err := e.opts.Store.Settle(ctx, db, entries)
	for i, l := range settled {
		l.lease = backend.Lease{}
		if l.ended || l.err != nil {
			continue
		}
		var own error
		if err == nil {
			own = errs[i]
		}
		switch {
		case err == nil && !fits[i]:
			e.end(l, outcome{again: true})
		case err != nil && (l.area.Since.Held() || !e.flights.alone(l.flight)): // 9
			if stores(entries[i].Do) {
				e.filled(l, err)
			}
			e.end(l, outcome{again: true})
		case stores(entries[i].Do):
			e.end(l, e.filled(l, errors.Join(err, own)))
		default:
			e.end(l, outcome{value: l.value})
		}
	}
}

func stores(do backend.Ending) bool { return do == backend.StoreValue || do == backend.RefreshValue }

// filled tells a load's outcome after its fill: what could not be stored is served all the same.
func (e *Engine) filled(l *load, err error) outcome {
	ev := event.Event{Kind: event.Fill, DB: l.db, Key: []byte(l.key), Route: l.route.Name, Bytes: int64(len(l.value))}
	if err != nil {
		ev.Error = err.Error()
		if !errors.Is(err, backend.ErrStoreDown) {
			e.opts.Log.Warn("fill refused", "route", l.route.Name, "error", err)
		}
	}
	e.opts.Record(&ev)
	return outcome{value: l.value}
}

// giveUp gives leases up, of one database, that their loads have no use for.
func (e *Engine) giveUp(loads ...*load) {
	var entries []backend.Entry
	for _, l := range loads {
		if l.lease.Held() {
			entries = append(entries, backend.Entry{Key: []byte(l.key), Lease: l.lease, Do: backend.GiveUp})
			l.lease = backend.Lease{}
		}
	}
	if len(entries) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(e.ctx), e.opts.StoreBudget)
	defer cancel()
	_, _, _ = e.opts.Store.Settle(ctx, loads[0].db, entries) // else they end by themselves
}

// CoalescedFleet is how many keys were waited for that another process loaded.
func (e *Engine) CoalescedFleet() int64 { return e.fleet.Load() }

// CoalescedQuery is how many keys' rows were asked for in the query of another key. What is read ahead is not among them: nobody asked for it.
func (e *Engine) CoalescedQuery() int64 { return e.together.Load() }
