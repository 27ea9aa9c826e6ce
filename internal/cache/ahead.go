package cache

import (
	"context"
	"sync"
	"time"

	"forebay/backend"
	"forebay/internal/route"
)

// A route may read ahead: a miss of a row loads the rows of its partition too, as an epoch will ask for them soon.
//
//  1. A miss whose partition is not being read begins to read it (aheadread.go), unless another process does (aheadclaim.go): one query of all its rows, in pages,
//     up to the route's bytes.
//  2. Whose row comes gets it at once. So does who asks meanwhile, if the row has not passed. The other rows are stored in batches.
//  3. Whom the reading does not serve in aheadFor, or at all (it was cut, or the row had passed), is loaded like any other miss.
//  4. A partition that was read is not read again for aheadAgain, unless an eighth of its rows is missed: what is missing then was evicted or
//     refused. Of one that was cut, the next reading begins at the row that is asked for.
//
// A row that was read before a client's write of its key is neither stored nor handed out after it, as with flights (flight.go). A: the reading, W: a
// client that writes key k, which A reads but nobody has asked for, R: a reader after W.
//
//  1. A's query reads v1. W calls fence, which notes k with A, under the same lock that gives rows to readers. W's write goes to Redis.
//  2. R begins F2, is to join A and finds k noted: it is loaded by a query of its own.
//  3. A is about to store v1: it begins a flight for k, and then looks at what was noted. It finds k, and stores nothing.
//  4. If instead W calls fence after that look, there is a flight of k: fence drops it, or waits until v1 is stored. Then W's write follows it.
//  5. A reader that joined A before W called fence has a flight, which fence drops: it looks again.
const (
	// aheadFor is how long a load waits for its row before it is loaded by itself. A partition of 1,024 rows takes Cassandra 20 ms, but others
	// may be before it.
	aheadFor = 500 * time.Millisecond
	// aheadAgain is for how long a partition that was read is not read again, and aheadRecent of how many that is known.
	aheadAgain  = time.Minute
	aheadRecent = 4096
	// maxAheads is how many partitions are read at once, each with two pages (of 4 MiB from Cassandra) and three batches in memory; aheadQueue how many wait for that.
	maxAheads  = 4
	aheadQueue = 256
	// maxWritten is how many written keys a reading remembers; of more it takes every key for written.
	maxWritten = 4096
)

// aheads knows the partitions that are being read ahead, and those that were lately.
type aheads struct {
	turns chan struct{} // one per partition being read

	mu     sync.Mutex
	open   map[string]*ahead // by Lookup.Group
	recent map[string]*lately
}

// lately is a partition that was read.
type lately struct {
	until  time.Time
	rows   int
	missed int
	cut    bool
}

// ahead is one reading of a partition.
type ahead struct {
	group      string
	db         int
	route      *route.Route
	neighbours *route.Neighbours
	where      []any
	from       any // begin at this value of In; nil: at the beginning
	most       int64
	track      bool

	// Guarded by aheads.mu.
	wanted     map[any][]*wanted   // asked for, and not come yet
	held       map[any]*aheadRow   // come, and not on their way to Redis yet
	passed     map[any]struct{}    // come at all
	written    map[string]struct{} // keys that clients have written since it began
	allWritten bool
	over       bool         // nothing more comes
	area       backend.Area // of the route, entered before anything was read
}

// wanted is a load that waits for its row.
type wanted struct {
	*load
	group *waiting
	gone  bool // it waits no more
}

// waiting is the loads of one flight that wait for readings.
type waiting struct {
	done   chan struct{} // closed when nothing is left
	many   chan struct{} // told when a batch of rows has come
	left   int           // and one while loads are being added. Guarded by aheads.mu, as is all below
	list   []*wanted
	come   []*load // have their row
	missed []*load // to be loaded by themselves
}

// give ends the wait of w. Its load has its value or error, or is absent; or with missed none of these.
func (w *wanted) give(missed bool) {
	if w.gone {
		return
	}
	w.gone = true
	g := w.group
	if missed {
		g.missed = append(g.missed, w.load)
	} else if g.come = append(g.come, w.load); len(g.come) == aheadBatch {
		select {
		case g.many <- struct{}{}:
		default: // it is told already
		}
	}
	g.one()
}

// load loads every row, by reading ahead or by queries of its own, and returns when each load has its value or error. Of many rows that are read ahead, those
// that have come are finished while the others are read.
func (e *Engine) load(ctx context.Context, todo []*load, fill bool) {
	rest, wait := e.readAhead(todo, fill)
	if wait == nil {
		e.query(ctx, rest)
		return
	}
	var wg sync.WaitGroup
	if len(rest) > 0 {
		wg.Go(func() { e.query(ctx, rest) })
	}
	if missed := e.awaitAhead(ctx, wait, fill); len(missed) > 0 {
		e.query(ctx, missed)
	}
	wg.Wait()
}

// readAhead has the partitions of loads read ahead whose routes want that, and returns the loads that are to be loaded by themselves, and what the others
// wait for; nil if there are no others.
func (e *Engine) readAhead(todo []*load, fill bool) (rest []*load, wait *waiting) {
	if !fill || !e.opts.Routes.ReadsAhead() || !e.admits(0) {
		return todo, nil
	}
	rest = make([]*load, 0, len(todo))
	var begun []*ahead
	wait = &waiting{done: make(chan struct{}), many: make(chan struct{}, 1), left: 1}
	now := time.Now()
	for _, l := range todo {
		if _, ok := l.route.ReadsAhead(); !ok || l.old || !e.locate(l) {
			rest = append(rest, l)
			continue
		}
		e.aheads.mu.Lock()
		a := e.aheads.open[l.lookup.Group]
		if a == nil {
			if a = e.aheads.begin(e, l, now); a != nil {
				begun = append(begun, a)
			}
		}
		if a == nil || !a.join(l, wait) {
			rest = append(rest, l)
		}
		e.aheads.mu.Unlock()
	}
	for _, a := range begun {
		e.wg.Go(func() { e.runAhead(a) }) // a flight's goroutine, which Close waits for, has counted already
	}
	if len(wait.list) == 0 {
		return rest, nil
	}
	e.aheads.mu.Lock()
	wait.one()
	e.aheads.mu.Unlock()
	return rest, wait
}

// one counts off one of what is left.
func (w *waiting) one() {
	if w.left--; w.left == 0 {
		close(w.done)
	}
}

// begin makes the reading of l's partition, if it is to be read. The lock is held.
func (s *aheads) begin(e *Engine, l *load, now time.Time) *ahead {
	group := l.lookup.Group
	last := s.recent[group]
	if last != nil && now.Before(last.until) {
		if last.missed++; last.missed < 16 || last.missed*8 < last.rows {
			return nil
		}
	}
	if len(s.open) >= maxAheads+aheadQueue {
		return nil
	}
	n := e.opts.Routes.Neighbours(&l.lookup, []byte(l.key))
	if n == nil {
		return nil
	}
	most, _ := l.route.ReadsAhead()
	a := &ahead{
		group: group, db: l.db, route: l.route, neighbours: n, where: l.lookup.Where, most: most, track: l.track,
		wanted: map[any][]*wanted{}, held: map[any]*aheadRow{}, passed: map[any]struct{}{}, written: map[string]struct{}{},
	}
	if last != nil && last.cut {
		a.from = l.lookup.In
	}
	if s.open == nil {
		s.open = map[string]*ahead{}
	}
	s.open[group] = a
	e.busy.Add(1) // so that fences look here
	return a
}

// join gives l its row, or has it wait for it. False: l is to be loaded by itself. The lock is held.
func (a *ahead) join(l *load, wait *waiting) bool {
	if _, was := a.written[l.key]; was || a.allWritten {
		return false
	}
	id := mapKey(l.lookup.In)
	if row := a.held[id]; row != nil {
		l.value, l.area = row.value, a.area // and l's flight, which there is, keeps the reading from storing it
		return true
	}
	if _, passed := a.passed[id]; passed || a.over {
		return false
	}
	w := &wanted{load: l, group: wait}
	a.wanted[id] = append(a.wanted[id], w)
	wait.list = append(wait.list, w)
	wait.left++
	return true
}

// awaitAhead waits for rows, at most aheadFor, and returns the loads that they did not come for.
func (e *Engine) awaitAhead(ctx context.Context, wait *waiting, fill bool) (missed []*load) {
	timer := time.NewTimer(aheadFor)
	defer timer.Stop()
	for waits := true; waits; {
		select {
		case <-wait.many:
			e.aheads.mu.Lock()
			come := wait.come
			wait.come = nil
			e.aheads.mu.Unlock()
			if len(come) > 0 {
				e.finish(ctx, come[0].db, come, fill)
			}
		case <-wait.done:
			waits = false
		case <-timer.C:
			waits = false
		case <-ctx.Done():
			waits = false
		}
	}
	e.aheads.mu.Lock()
	defer e.aheads.mu.Unlock()
	for _, w := range wait.list {
		w.give(true) // nothing, where it has come
	}
	return wait.missed
}

// fence notes that a client is about to write the key.
func (s *aheads) fence(db int, key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.open {
		if a.db != db {
			continue
		}
		if len(a.written) >= maxWritten {
			a.allWritten = true
			continue
		}
		a.written[key] = struct{}{}
	}
}

// fenceAll notes that a client may be about to write any key of the database, or of all if db is negative.
func (s *aheads) fenceAll(db int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.open {
		if db < 0 || a.db == db {
			a.allWritten = true
		}
	}
}

// stale tells whether a row of the key must not be stored any more.
func (s *aheads) stale(a *ahead, key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, was := a.written[key]
	return was || a.allWritten
}

// end forgets the reading, and remembers that it was. The lock is held.
func (s *aheads) end(a *ahead, rows int, cut bool) {
	delete(s.open, a.group)
	now := time.Now()
	if s.recent == nil {
		s.recent = map[string]*lately{}
	}
	for group, l := range s.recent {
		if len(s.recent) < aheadRecent {
			break
		}
		if now.After(l.until) || len(s.recent) >= aheadRecent {
			delete(s.recent, group)
		}
	}
	s.recent[a.group] = &lately{until: now.Add(aheadAgain), rows: rows, cut: cut}
}
