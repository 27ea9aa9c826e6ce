package linear_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"forebay/backend"
	"forebay/internal/linear"
	"forebay/internal/testkit"
)

// bound is README's second, for a tracking connection that hangs, and room for a busy machine.
const bound = 1500 * time.Millisecond

// Near copies of one key in two processes, of which one has a tracking connection that fails now and then. Writers take turns: through either process, or
// straight to Redis.
func TestCopiesInOtherProcesses(t *testing.T) {
	r := testkit.Redis(t)
	from, until := testkit.Soak()
	writes, reads, old, hits := 0, 0, 0, uint64(0)
	seed := from
	for ; seed == from || time.Now().Before(until); seed++ {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			r.Do(t, "FLUSHALL")
			source, network := newRows(), testkit.NewFaultProxy(t, "tcp", r.Addr)
			source.set("t:1", "0")
			a := start(t, options{redis: r.Addr, near: true, source: source})
			b := start(t, options{redis: r.Addr, tracking: network.Addr, near: true, source: source})
			ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
			defer cancel()
			var wg sync.WaitGroup
			wg.Go(func() { weather(ctx, seed, network, delays, cuts, hangs, hangsAndCuts, dribbles) })
			c := &linear.Copies{Bound: bound}
			follow(ctx, t, c, seed, []string{a.addr, b.addr, r.Addr}, 0)
			wg.Wait()
			for _, err := range c.Check() {
				t.Errorf("seed %d: %v", seed, err)
			}
			w, n, o := c.Len()
			writes, reads, old = writes+w, reads+n, old+o
			hits += a.near.Stats().Hits + b.near.Stats().Hits
		})
		if t.Failed() {
			t.FailNow()
		}
	}
	t.Logf("seeds %d to %d: %d writes, %d reads, %d of them near, %d of an older version", from, seed-1, writes, reads, hits, old)
	if hits == 0 {
		t.Error("nothing was answered from a near copy")
	}
}

// follow writes versions of t:1 through the servers from the first writer on, in turns, and reads them through the first two servers, until ctx is done.
func follow(ctx context.Context, t *testing.T, c *linear.Copies, seed uint64, addrs []string, firstWriter int) {
	begun := time.Now()
	now := func() int64 { return int64(time.Since(begun)) }
	var wg sync.WaitGroup
	each := func(addr string, step func(do func(words ...string) string)) {
		wg.Go(func() {
			conn, err := linear.Dial(addr)
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			for ctx.Err() == nil && !t.Failed() {
				step(func(words ...string) string {
					reply, err := ask(conn, words...)
					if err != nil || reply.Err != "" {
						t.Errorf("seed %d: %v: %v %+v", seed, words, err, reply)
						return "0"
					}
					return reply.Text
				})
			}
		})
	}
	for process, addr := range addrs[:2] {
		for range 2 {
			each(addr, func(do func(words ...string) string) {
				call := now()
				version, err := strconv.Atoi(do("GET", "t:1"))
				if err != nil {
					t.Errorf("seed %d: %v", seed, err)
				}
				c.Read(process, version, call, now())
				pause(ctx, rand.N(500*time.Microsecond))
			})
		}
	}
	var turn sync.Mutex
	version := 0
	for process, addr := range addrs {
		if process < firstWriter {
			continue
		}
		if process == 2 {
			process = -1 // nobody reads through it
		}
		each(addr, func(do func(words ...string) string) {
			turn.Lock()
			version++
			v, call := version, now()
			do("SET", "t:1", strconv.Itoa(v))
			c.Wrote(process, v, call, now())
			turn.Unlock()
			pause(ctx, rand.N(40*time.Millisecond))
		})
	}
	wg.Wait()
}

func ask(conn *linear.Conn, words ...string) (*linear.Reply, error) {
	if err := conn.Send(time.Now().Add(5*time.Second), words); err != nil {
		return nil, err
	}
	return conn.Reply()
}

// A tracker that is not told of anything, and writes that pass no fence in the process that is read through: reads stay old, and both checks see it.
func TestMissedInvalidationsAreSeen(t *testing.T) {
	r := testkit.Redis(t)
	source := newRows()
	source.set("t:1", "0")
	blind := start(t, options{redis: r.Addr, tracker: &deaf{}, source: source})
	other := start(t, options{redis: r.Addr, source: source})

	t.Run("copies", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
		defer cancel()
		c := &linear.Copies{Bound: 100 * time.Millisecond}
		follow(ctx, t, c, 1, []string{blind.addr, other.addr, r.Addr}, 1)
		if len(c.Check()) == 0 {
			t.Error("nothing was found")
		}
	})
	t.Run("order", func(t *testing.T) {
		r.Do(t, "DEL", "t:2")
		source.set("t:2", "0")
		w := &linear.Workload{
			Seed: 1, Clients: 4, Steps: 60, SetRow: source.set,
			Groups: []linear.Group{{Name: "routed", Keys: []string{"t:2"}, Start: []linear.Cell{linear.Routed("0")}}}, Uses: []linear.Use{linear.Anything},
			Addrs: []string{blind.addr}, Writers: []string{other.addr},
		}
		mustFail(t, w.Run(t.Context()))
	})
}

// overwriting is a store whose fills overwrite what is there, and forget which keys were written while they were loaded.
type overwriting struct {
	backend.Store
	addr string
}

func (o *overwriting) Settle(_ context.Context, _ int, entries []backend.Entry) (fits []bool, errs []error, err error) {
	conn, err := linear.Dial(o.addr)
	if err != nil {
		return nil, nil, err
	}
	defer conn.Close()
	fits, errs = make([]bool, len(entries)), make([]error, len(entries))
	for i := range entries {
		fits[i] = true
		if entries[i].Do != backend.StoreValue {
			continue
		}
		if _, err := ask(conn, "SET", string(entries[i].Key), string(entries[i].Value), "PX", "3600000"); err != nil {
			return nil, nil, err
		}
	}
	return fits, errs, nil
}

// Fills that overwrite what another process's client has written are seen.
func TestOverwritingFillsAreSeen(t *testing.T) {
	r := testkit.Redis(t)
	s := scenario{processes: 2, uses: map[string]linear.Use{"routed 1": linear.Anything, "routed 2": linear.Anything}, clients: 6, steps: 150}
	source := newRows()
	w := s.workload(t, r, source, 1)
	for range s.processes {
		w.Addrs = append(w.Addrs, start(t, options{redis: r.Addr, source: source, store: func(s backend.Store) backend.Store {
			return &overwriting{Store: s, addr: r.Addr}
		}}).addr)
	}
	mustFail(t, w.Run(t.Context()))
}

// heedless is a store that says that leases are gone which are not.
type heedless struct{ backend.Store }

func (heedless) Drop(context.Context, int, [][]byte, []string) error { return nil }

// Writers that leave leases as they are are seen in what other processes give.
func TestLeasesThatAreNotDroppedAreSeen(t *testing.T) {
	r := testkit.Redis(t)
	s := scenario{processes: 3, uses: map[string]linear.Use{"routed 1": linear.Rows, "routed 2": linear.Rows}, clients: 6, steps: 200}
	source := newRows()
	source.most = 4 * time.Millisecond
	var addrs []string
	for range s.processes {
		addrs = append(addrs, start(t, options{redis: r.Addr, source: source, store: func(s backend.Store) backend.Store { return heedless{s} }}).addr)
	}
	for seed := uint64(1); seed <= 20; seed++ {
		r.Do(t, "FLUSHALL")
		w := s.workload(t, r, source, seed)
		w.Addrs = addrs
		if len(w.Run(t.Context()).Check(20*time.Second)) > 0 {
			t.Logf("found by seed %d", seed)
			return
		}
	}
	t.Error("nothing was found")
}

// mustFail fails the test if the history can be explained.
func mustFail(t *testing.T, res *linear.Result) {
	t.Helper()
	found := res.Check(20 * time.Second)
	if len(found) == 0 {
		t.Fatal("nothing was found")
	}
	for _, v := range found {
		if v.Undecided || !strings.Contains(v.Text, "*") {
			t.Errorf("found, but not told: %v", v)
		}
	}
}
