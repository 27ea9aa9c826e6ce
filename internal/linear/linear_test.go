package linear_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"forebay/backend"
	"forebay/internal/linear"
	"forebay/internal/testkit"
)

type fault = func(*testkit.FaultProxy, *rand.Rand) time.Duration

// scenario is a fleet and what its clients do.
type scenario struct {
	processes int
	near      bool
	faults    []fault
	uses      map[string]linear.Use // by the group's name; those of routed keys begin with "routed"
	clients   int
	steps     int
	think     time.Duration
}

var (
	wholly = map[string]linear.Use{
		"plain 1": linear.Anything, "plain 2": linear.Pair,
		"routed 1": linear.Both, "routed 2": linear.Anything, "routed 3": linear.Rows, "routed 4": linear.Pair,
	}
	// While Redis is away, routed reads are answered by the source, whatever clients have written over the row.
	rowsOnly = map[string]linear.Use{"plain 1": linear.Anything, "plain 2": linear.Pair, "routed 1": linear.Rows, "routed 2": linear.Rows}
)

// Some order of all operations explains every reply.
func TestLinearizable(t *testing.T) {
	faults := []fault{delays, cuts, dribbles, hangs, hangsAndCuts}
	const think = 12 * time.Millisecond
	tests := map[string]scenario{
		"one process":                                 {processes: 1, near: true, uses: wholly, clients: 6, steps: 150},
		"one process without near copies":             {processes: 1, uses: wholly, clients: 6, steps: 150},
		"one process, faults":                         {processes: 1, near: true, uses: rowsOnly, clients: 6, steps: 120, faults: faults, think: think},
		"one process without near copies, faults":     {processes: 1, uses: rowsOnly, clients: 6, steps: 120, faults: faults, think: think},
		"three processes without near copies":         {processes: 3, uses: wholly, clients: 6, steps: 150},
		"three processes without near copies, faults": {processes: 3, uses: rowsOnly, clients: 6, steps: 100, faults: faults, think: think},
	}
	for name, s := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := testkit.Redis(t)
			from, until := testkit.Soak()
			seed, all, open, lost, invalid := from, 0, 0, 0, 0
			leases := &counts{}
			for ; seed == from || time.Now().Before(until) || s.lacks(leases, invalid) != "" && seed < from+5; seed++ {
				res := s.play(t, r, seed, leases)
				n, o := res.Len()
				all, open, lost, invalid = all+n, open+o, lost+res.Lost, invalid+res.Count(linear.Invalidate)
				s.judge(t, seed, res)
			}
			t.Logf("seeds %d to %d: %d operations, %d without an end, %d connections lost, %d invalidations\n%v", from, seed-1, all, open, lost, invalid, leases)
			if what := s.lacks(leases, invalid); what != "" {
				t.Errorf("there were no %s", what)
			}
		})
	}
}

// lacks names what the histories of a fleet lack of that which makes leases matter; "": nothing.
func (s *scenario) lacks(c *counts, invalidations int) string {
	if s.processes == 1 {
		return ""
	}
	for what, n := range map[string]int64{
		"loads": c.taken.Load(), "waits for another process": c.busy.Load(), "fills": c.stored.Load(), "refused fills": c.refused.Load(),
		"markers": c.marked.Load(), "markers that were found": c.markers.Load(), "dropped leases": c.dropped.Load(), "invalidations": int64(invalidations),
	} {
		if n == 0 {
			return what
		}
	}
	for i := range s.faults {
		if c.faults[i].Load() == 0 {
			return fmt.Sprintf("faults of kind %d", i)
		}
	}
	return ""
}

// crowded are errors that are right where so many write so few keys: a load was in vain three times, and "0" with an appended "1" is no number.
var crowded = []string{"written each time", "redis did not keep the value", "ERR value is not an integer"}

// judge fails the test if a history cannot be explained.
func (s *scenario) judge(t *testing.T, seed uint64, res *linear.Result) {
	t.Helper()
	for e, n := range res.Errors {
		if s.faults == nil && !slices.ContainsFunc(crowded, func(part string) bool { return strings.Contains(e, part) }) {
			t.Errorf("seed %d: %d times %q", seed, n, e)
		}
	}
	if s.faults == nil && res.Lost > 0 {
		t.Errorf("seed %d: %d connections lost", seed, res.Lost)
	}
	for _, v := range res.Check(time.Minute) {
		t.Errorf("seed %d: %v", seed, v)
	}
	if t.Failed() {
		t.FailNow()
	}
}

// play runs the scenario once, in a Redis and processes as new.
func (s *scenario) play(t *testing.T, r *testkit.RedisServer, seed uint64, leases *counts) (res *linear.Result) {
	t.Helper()
	t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
		r.Do(t, "FLUSHALL")
		source, addr := newRows(), r.Addr
		if s.processes > 1 {
			source.most = 4 * time.Millisecond // so that others write while it is loaded
		}
		w := s.workload(t, r, source, seed)
		var network *testkit.FaultProxy
		patience := 10 * time.Second // nothing breaks, but cores are shared: a Redis that is given up for down is a fault
		if s.faults != nil {
			patience = time.Second
			network = testkit.NewFaultProxy(t, "tcp", r.Addr)
			addr = network.Addr
		}
		for range s.processes {
			o := options{redis: addr, near: s.near, source: source, patience: patience}
			o.store = func(store backend.Store) backend.Store { return counting{store, leases} }
			w.Addrs = append(w.Addrs, start(t, o).addr)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		broken, mend := context.WithCancel(ctx)
		var wg sync.WaitGroup
		if network != nil {
			wg.Go(func() { weather(broken, seed, network, leases.counted(s.faults)...) })
		}
		res = w.Run(ctx)
		mend()
		wg.Wait()
	})
	return res
}

// workload prepares the groups in the source and in Redis.
func (s *scenario) workload(t *testing.T, r *testkit.RedisServer, source *rows, seed uint64) *linear.Workload {
	w := &linear.Workload{Seed: seed, Clients: s.clients, Steps: s.steps, Think: s.think, SetRow: source.set}
	for i, name := range slices.Sorted(maps.Keys(s.uses)) {
		use, routed := s.uses[name], strings.HasPrefix(name, "routed")
		g := linear.Group{Name: name}
		for k := range 2 {
			if k > 0 && use != linear.Pair {
				break
			}
			key, cell := fmt.Sprintf("p:%d", 2*i+k), linear.Plain()
			if routed {
				key, cell = fmt.Sprintf("t:%d", 2*i+k), linear.Routed(fmt.Sprint(k))
				source.set(key, fmt.Sprint(k))
			}
			if use == linear.Pair {
				cell = cell.With("1")
				r.Do(t, "SET", key, "1")
			}
			g.Keys, g.Start = append(g.Keys, key), append(g.Start, cell)
		}
		w.Groups, w.Uses = append(w.Groups, g), append(w.Uses, use)
	}
	return w
}
