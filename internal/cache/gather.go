package cache

import (
	"context"
	"sync"
	"time"

	"forebay/backend"
	"forebay/internal/route"
)

// Misses of one partition are gathered across requests. Without it, a thousand readers of a thousand rows of one partition would be
// a thousand queries of one replica; with it they are as many as that replica answers one after the other, each for what has gathered
// meanwhile.
//
//  1. The first miss of a partition (a Lookup.Group) goes to the source at once, with those of its own request. It never waits for others.
//  2. While a query of the partition is under way, the misses of other requests gather in one batch. They do not join the query: its rows
//     may have been read before those readers came, and before what they must see was written.
//  3. When a query ends, what has gathered goes out. It goes before that when it is full (gatherKeys, gatherBytes), so that several queries
//     of a busy partition are under way; and when its first load has waited for gatherFor: a query that hangs holds nobody up for long.
//
// Queries of different partitions know nothing of each other; the bound of all is Options.Loads. A batch is asked until the latest of its
// loads' budgets is over. Its readers have theirs (Engine.round), so one that leaves, or begins a batch that others have joined, takes nothing
// from them. Each load has the value or error of its own row; one of the query is that of its loads only.
const (
	// gatherBytes is the most bytes that one query of several rows should bring, by the average of those before it.
	gatherBytes = 4 << 20
	// gatherFor is how long a load waits for a query of its partition that others began. Cassandra gives 128 rows in under 10 ms.
	gatherFor = 100 * time.Millisecond
	// gatherTables is of how many queries' shapes the size of rows is remembered; there is one for each route.
	gatherTables = 1024
)

// gatherer knows the partitions that are being asked for. The zero gatherer is ready.
type gatherer struct {
	mu       sync.Mutex
	open     map[string]*partition // by Lookup.Group
	rowBytes map[*backend.Select]int64
}

// partition is one of which a query is under way.
type partition struct {
	running int    // queries under way, above zero
	next    *batch // what gathers; nil: nothing
}

// query loads every row, one query a partition, all at once within the limit, and returns when each load has its value or error.
func (e *Engine) query(ctx context.Context, todo []*load) {
	mine, theirs := e.gather(ctx, todo)
	var wg sync.WaitGroup
	for i, b := range mine {
		if i == len(mine)-1 && len(theirs) == 0 {
			e.runGathered(ctx, b)
			break
		}
		wg.Go(func() { e.runGathered(ctx, b) })
	}
	e.await(theirs)
	wg.Wait()
}

// gather gives each load a place in a batch. The caller must run mine. theirs are run when their turn comes, or by await; those that this call has
// begun come first.
func (e *Engine) gather(ctx context.Context, todo []*load) (mine, theirs []*batch) {
	here := make([]*load, 0, len(todo))
	for _, l := range todo {
		if e.locate(l) {
			here = append(here, l)
		}
	}
	until, _ := ctx.Deadline()
	own, joined := map[string]*batch{}, map[*batch]bool{}
	g := &e.gathered
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, l := range here {
		group := l.lookup.Group
		p := g.open[group]
		if b := own[group]; b != nil || p == nil {
			if b == nil || len(b.in) >= g.most(b.sel) {
				b = newBatch(l)
				own[group] = b
				mine = append(mine, b)
				g.begin(group)
			}
			b.add(l)
			continue
		}
		b := p.next
		if b == nil {
			b = newBatch(l)
			b.done = make(chan struct{})
			p.next = b
		}
		b.add(l)
		if until.After(b.until) {
			b.until = until
		}
		if !joined[b] {
			joined[b] = true
			theirs = append(theirs, b)
		}
		if len(b.in) >= g.most(b.sel) {
			e.send(g.take(p))
		}
	}
	return mine, theirs
}

// await waits for batches that others' queries hold up, but not for those queries longer than gatherFor.
func (e *Engine) await(theirs []*batch) {
	if len(theirs) == 0 {
		return
	}
	timer := time.NewTimer(gatherFor)
	defer timer.Stop()
	for _, b := range theirs {
		select {
		case <-b.done:
			continue
		case <-timer.C:
		}
		e.hurry(theirs)
		break
	}
	for _, b := range theirs {
		<-b.done
	}
}

// hurry sends what still gathers of the batches.
func (e *Engine) hurry(theirs []*batch) {
	g := &e.gathered
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, b := range theirs {
		if p := g.open[b.group]; p != nil && p.next == b {
			e.send(g.take(p))
		}
	}
}

// send runs a batch that was taken. The goroutine is one that Close waits for: whoever calls is a flight's, which is counted already.
func (e *Engine) send(b *batch) {
	e.wg.Go(func() {
		ctx, cancel := context.WithDeadline(e.ctx, b.until)
		defer cancel()
		e.runGathered(ctx, b)
	})
}

// runGathered runs a batch, and sends what has gathered meanwhile.
func (e *Engine) runGathered(ctx context.Context, b *batch) {
	e.run(ctx, b)
	g := &e.gathered
	g.mu.Lock()
	g.learn(b)
	p := g.open[b.group]
	p.running--
	switch {
	case p.next != nil:
		e.send(g.take(p))
	case p.running == 0:
		delete(g.open, b.group)
	}
	g.mu.Unlock()
	if b.done != nil {
		close(b.done)
	}
}

// begin counts a query of the group. The lock is held, here and below.
func (g *gatherer) begin(group string) {
	if g.open == nil {
		g.open = map[string]*partition{}
	}
	p := g.open[group]
	if p == nil {
		p = &partition{}
		g.open[group] = p
	}
	p.running++
}

// take takes what has gathered and counts its query.
func (g *gatherer) take(p *partition) *batch {
	b := p.next
	p.next = nil
	p.running++
	return b
}

// most is how many rows one query of this shape asks for.
func (g *gatherer) most(sel *backend.Select) int {
	size := max(int64(sel.RowBytes), g.rowBytes[sel])
	if size == 0 {
		return route.MaxIn
	}
	return int(min(max(gatherBytes/size, 1), route.MaxIn))
}

// learn remembers the size of rows: the average of a batch, and of that the mean with what was known.
func (g *gatherer) learn(b *batch) {
	rows, bytes := int64(0), int64(0)
	for _, list := range b.loads {
		if n := len(list[0].value); n > 0 {
			rows, bytes = rows+1, bytes+int64(n)
		}
	}
	if rows == 0 || b.sel.In == "" {
		return
	}
	if g.rowBytes == nil || len(g.rowBytes) >= gatherTables {
		g.rowBytes = map[*backend.Select]int64{}
	}
	size := bytes / rows
	if known := g.rowBytes[b.sel]; known > 0 {
		size = (size + known + 1) / 2
	}
	g.rowBytes[b.sel] = size
}
