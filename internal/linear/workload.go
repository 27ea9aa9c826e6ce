package linear

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// Use is what a workload does with a group.
type Use uint8

// The uses of groups.
const (
	// Anything is every kind of step.
	Anything Use = iota
	// Rows is reads, GETDEL, and rows that are changed and then deleted here: no client writes a value of its own.
	Rows
	// Both is Anything and Rows.
	Both
	// Pair is reads and writes of two keys that always hold something, so that reads of both at once must see one moment.
	Pair
)

// Workload is random clients of groups of keys.
type Workload struct {
	Seed    uint64
	Groups  []Group
	Uses    []Use // of the groups
	Addrs   []string
	Writers []string      // servers for what writes; nil: Addrs
	Clients int           // one after the other to Addrs
	Steps   int           // of each client
	Think   time.Duration // the most that a client waits between steps
	// SetRow changes the row of a key in the source.
	SetRow func(key, row string)
}

// Result is what a workload did.
type Result struct {
	*History
	Errors map[string]int // by text
	Lost   int            // connections that ended with replies owed
}

// load is a workload under way.
type load struct {
	*Workload
	h    *History
	next atomic.Int64 // numbers for values
	row  []sync.Mutex // writers of a group's rows take turns
}

// Run has all clients do their steps and returns when they have, or when ctx is done.
func (w *Workload) Run(ctx context.Context) *Result {
	l := &load{Workload: w, h: NewHistory(w.Groups), row: make([]sync.Mutex, len(w.Groups))}
	res := &Result{History: l.h, Errors: map[string]int{}}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range w.Clients {
		wg.Go(func() {
			c := &client{load: l, rnd: rand.New(rand.NewPCG(w.Seed, uint64(i)))}
			c.reads = NewRecorder(l.h, w.Addrs[i%len(w.Addrs)])
			c.writes = c.reads
			if w.Writers != nil {
				c.writes = NewRecorder(l.h, w.Writers[i%len(w.Writers)])
			}
			defer c.reads.Close()
			defer c.writes.Close()
			for n := 0; n < w.Steps && ctx.Err() == nil; n++ {
				c.step(ctx)
				c.think(ctx)
			}
			mu.Lock()
			defer mu.Unlock()
			for _, r := range []*Recorder{c.reads, c.writes} {
				for _, e := range r.Errors {
					res.Errors[e]++
				}
				res.Lost += r.Lost
				if c.reads == c.writes {
					break
				}
			}
		})
	}
	wg.Wait()
	return res
}

// client is one of a workload's.
type client struct {
	*load
	rnd           *rand.Rand
	reads, writes *Recorder
}

func (c *client) think(ctx context.Context) {
	if c.Think > 0 {
		c.rest(ctx, rand.N(c.Think))
	}
}

// rest waits.
func (c *client) rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// step does one thing: a command, several in a pipeline, or a change of a row.
func (c *client) step(ctx context.Context) {
	g := c.rnd.IntN(len(c.Groups))
	if use := c.Uses[g]; (use == Rows || use == Both) && c.rnd.IntN(8) == 0 {
		c.changeRow(ctx, g)
		return
	}
	if c.Writers != nil { // reads and writes go different ways
		p := Part{g, Step{Kind: Get}}
		if c.rnd.IntN(3) == 0 {
			c.writes.Do(c.h.One(Part{g, Step{Kind: Set, Arg: c.value()}}))
			return
		}
		c.reads.Do(c.h.One(p))
		return
	}
	commands := []Command{c.command(g)}
	for c.rnd.IntN(3) == 0 && len(commands) < 5 {
		commands = append(commands, c.command(c.rnd.IntN(len(c.Groups))))
	}
	c.reads.Do(commands...)
}

// changeRow changes the row of a group's first key and deletes what Redis holds of it, or says that it is wrong, until that is known to be done.
func (c *client) changeRow(ctx context.Context, g int) {
	if !c.row[g].TryLock() {
		return
	}
	defer c.row[g].Unlock()
	row := c.value()
	if c.rnd.IntN(6) == 0 {
		row = ""
	}
	how := Refresh
	if c.rnd.IntN(2) == 0 {
		how = Invalidate
	}
	call := c.h.Now()
	c.SetRow(c.Groups[g].Keys[0], row)
	c.h.Record(c.h.newClient(), g, []Step{{Kind: Row, Arg: row}}, []Answer{{}}, call, c.h.Now())
	for !c.writes.Do(c.h.One(Part{g, Step{Kind: how}})) && ctx.Err() == nil {
		c.rest(ctx, 20*time.Millisecond)
	}
}

func (c *client) value() string { return number(c.next.Add(1)) }

// part is a random step.
func (c *client) part(g, key int) Part {
	kinds := []Kind{Get, Get, Get, Get, Get, Get, Set, Set, Del, GetDel, Append, Incr, Swap}
	switch c.Uses[g] {
	case Rows:
		kinds = []Kind{Get, Get, Get, Get, Get, Get, Get, GetDel}
	case Pair:
		kinds = []Kind{Get, Get, Get, Set, Append, Incr, Swap}
	}
	p := Part{g, Step{Kind: kinds[c.rnd.IntN(len(kinds))], Key: key}}
	switch p.Kind {
	case Set, Swap:
		p.Arg = c.value()
	case Append:
		p.Arg = fmt.Sprint(c.rnd.IntN(10))
	}
	return p
}

// command is a random one that begins at a group.
func (c *client) command(g int) Command {
	other := c.rnd.IntN(len(c.Groups))
	switch n := c.rnd.IntN(10); {
	case c.Uses[g] == Pair && n < 3:
		return c.h.Many(Part{g, Step{Kind: Get}}, Part{g, Step{Kind: Get, Key: 1}})
	case c.Uses[g] == Pair && n < 5:
		return c.h.Many(Part{g, Step{Kind: Set, Arg: c.value()}}, Part{g, Step{Kind: Set, Arg: c.value(), Key: 1}})
	case c.Uses[g] == Pair && n < 6:
		return c.h.Tx(c.part(g, 0), c.part(g, 1), c.part(g, 0))
	case n < 2:
		return c.h.Many(Part{g, Step{Kind: Get}}, Part{other, Step{Kind: Get}})
	case n < 3:
		return c.h.Tx(c.part(g, 0), c.part(other, 0), c.part(g, 0))
	default:
		return c.h.One(c.part(g, c.rnd.IntN(len(c.Groups[g].Keys))))
	}
}
