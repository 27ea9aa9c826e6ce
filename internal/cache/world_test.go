package cache_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"forebay/backend"
)

// rules are what a world may break on purpose.
type rules struct {
	noFence   bool // writers do not fence
	overwrite bool // fills store what is present already
	leaseless bool // fills are stored whoever has the lease
	aged      bool // breaks nothing: the keys are of a route whose values age in the time that a world takes
	ahead     bool // breaks nothing: the keys are of the route that reads ahead
}

// world is readers, writers and an engine whose every step a tape of bytes chooses: each round trip stops before it has its
// effect, and again before its answer. It knows the versions of each key and so what a read may give.
//
// Writers of one key come one after the other, as a trainer's do; those that change the source do so before they touch Redis. While such
// a writer is between the two, reads may give either version, in any order: nobody could tell them which is the right one.
type world struct {
	f    *fixture
	tape []byte
	r    rules

	mu      sync.Mutex
	parked  []*parked
	keys    []*model
	readers int  // under way
	begun   int  // readers so far
	live    int  // processes under way
	full    bool // Redis is out of memory for the round trip that goes on now
	problem string
	steps   []string // what happened, for a failure
}

// model is what is known of one key. Version n is the n-th write; version 1 is in the source from the start.
type model struct {
	key      string
	id       int
	started  int          // the last version whose write has begun
	floor    int          // the last version that was written to the end: reads that begin now must not give an older one
	absent   map[int]bool // versions that are the absence of a row
	writing  bool
	override bool // Redis may hold what the source does not: losing it would be the end of it
}

// parked is a process that waits for its next step.
type parked struct {
	label   string
	choices []string
	chosen  chan string
}

// action is something that the tape can choose.
type action struct {
	label string
	do    func()
}

const (
	mostReaders = 5
	mostKeys    = 2
)

func newWorld(t *testing.T, tape []byte, r rules) *world {
	w := &world{f: newFixture(t), tape: tape, r: r}
	w.f.store.overwrite, w.f.store.leaseless = r.overwrite, r.leaseless
	prefix := "t"
	if r.ahead {
		prefix = "ra"
	}
	if r.aged {
		prefix = "sh"
	}
	for id := range 1 + w.next()%mostKeys {
		m := &model{key: fmt.Sprintf("%s:1:%d", prefix, id), id: id, started: 1, floor: 1, absent: map[int]bool{}}
		w.keys = append(w.keys, m)
		w.f.source.set(1, id, m.value(1))
	}
	w.f.store.before = func(_ context.Context, o op) error {
		choices := []string{"", "down", "full"}
		if o.name == "get" {
			choices = choices[:2]
		}
		how := w.park(fmt.Sprint(o.name, o.keys), choices...)
		w.mu.Lock()
		w.full = how == "full"
		w.mu.Unlock()
		return failure(how == "down")
	}
	w.f.store.refuse = func(o op, _ string) error {
		w.mu.Lock()
		defer w.mu.Unlock()
		if o.name == "fill" && w.full {
			return errOOM
		}
		return nil
	}
	w.f.store.after = func(_ context.Context, o op) error {
		return failure(w.park(fmt.Sprint(o.name, o.keys, " answer"), "", "lost") == "lost")
	}
	w.f.source.before = func(_ context.Context, q asked) error {
		w.park(fmt.Sprint("load", q.in), "")
		return nil
	}
	w.f.source.after = func(_ context.Context, q asked) error {
		if w.park(fmt.Sprint("load", q.in, " answer"), "", "down") != "" {
			return backend.ErrSourceDown
		}
		return nil
	}
	return w
}

func failure(failed bool) error {
	if !failed {
		return nil
	}
	return errors.New("connection reset")
}

func (m *model) value(version int) string { return fmt.Sprintf("%s@%d", m.key, version) }

// next takes a byte of the tape; past its end it is 255, which chooses nothing unusual.
func (w *world) next() int {
	if len(w.tape) == 0 {
		return 255
	}
	b := w.tape[0]
	w.tape = w.tape[1:]
	return int(b)
}

// run plays the tape, lets everybody come to an end, and returns what was wrong, "" for nothing.
func (w *world) run() string {
	for len(w.tape) > 0 {
		synctest.Wait()
		if w.problem != "" {
			break
		}
		acts := w.enabled()
		w.play(acts[w.next()%len(acts)])
	}
	for waits := 0; ; {
		synctest.Wait()
		switch {
		case len(w.parked) > 0:
			w.play(w.steppers()[0])
			continue
		case w.live > 0 && waits < 100: // for another's lease
			waits++
			w.pass(60 * time.Millisecond)
			continue
		}
		break
	}
	if w.live > 0 && w.problem == "" {
		w.problem = fmt.Sprintf("%d processes are stuck", w.live)
	}
	if w.problem == "" {
		w.quiet()
	}
	return w.problem
}

func (w *world) play(a action) {
	w.steps = append(w.steps, a.label)
	a.do()
}

// pass lets time pass: those who wait for a lease look again, or a lease ends. Time orders nothing for the race detector: what was done
// before is shown to whoever it wakes by the lock that they take first.
func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	w.mu.Unlock() //nolint:staticcheck // see above
	<-time.After(d)
}

// foreign is a fill of another process, which looks, loads and stores at once.
func (w *world) foreign(m *model) {
	w.f.source.mu.Lock()
	data, ok := w.f.source.rows[cell{int64(1), int64(m.id)}]
	w.f.source.mu.Unlock()
	if ok {
		w.f.store.set(m.key, string(data))
	}
}

// note adds to the steps.
func (w *world) note(format string, args ...any) {
	w.steps = append(w.steps, "  "+fmt.Sprintf(format, args...))
}

// quiet checks the end: no write is under way, so every key has one right value.
func (w *world) quiet() {
	w.f.store.before, w.f.store.after, w.f.store.refuse = nil, nil, nil
	w.f.source.before, w.f.source.after = nil, nil
	for _, m := range w.keys {
		want := m.value(m.started)
		if m.absent[m.started] {
			want = "nil"
		}
		if v, ok := w.f.store.get(m.key); ok && v != want {
			w.problem = fmt.Sprintf("redis is left with %s, want %s", v, want)
		} else if !ok {
			if got := show(w.f.read(m.key)[0]); strings.TrimSuffix(got, "*") != want {
				w.problem = fmt.Sprintf("the source gives %s, want %s", got, want)
			}
		}
	}
	w.f.idle()
}

// enabled lists what can happen now, in an order that depends on nothing but that.
func (w *world) enabled() []action {
	steps := w.steppers()
	acts := slices.Concat(steps, steps, steps) // or else few would come to an end
	if w.readers < mostReaders {
		acts = append(acts, action{"read", w.read}, action{"read", w.read})
	}
	acts = append(acts, action{"60 ms pass", func() { w.pass(60 * time.Millisecond) }})
	if w.r.aged {
		for range 4 {
			acts = append(acts, action{"40 ms pass", func() { w.pass(40 * time.Millisecond) }})
		}
	}
	if len(w.tape)%8 == 0 && !w.r.aged {
		acts = append(acts, action{"2 s pass", func() { w.pass(2 * time.Second) }})
	}
	if len(w.tape)%4 == 0 { // fences drop what is interesting
		acts = append(acts, action{"fence", w.fence})
	}
	for _, m := range w.keys {
		if !m.writing && !(w.r.aged && len(w.tape)%4 > 0) { // else no value would grow old
			acts = append(acts, action{"write " + m.key, func() { w.write(m) }})
		}
		switch _, ok := w.f.store.get(m.key); {
		case ok && !m.override && !(w.r.aged && len(w.tape)%4 > 0): // time ends enough
			acts = append(acts, action{"evict " + m.key, func() { w.f.store.del(m.key) }})
		case !ok:
			acts = append(acts, action{"foreign fill of " + m.key, func() { w.foreign(m) }})
		}
	}
	return acts
}

// steppers lists the steps of those who are under way. The unusual ones are a few of many.
func (w *world) steppers() (acts []action) {
	w.mu.Lock()
	defer w.mu.Unlock()
	slices.SortStableFunc(w.parked, func(a, b *parked) int { return strings.Compare(a.label, b.label) })
	for _, p := range w.parked {
		acts = append(acts, action{p.label, func() {
			how := p.choices[0]
			if n := w.next(); len(p.choices) > 1 && n%8 == 0 {
				how = p.choices[1+n/8%(len(p.choices)-1)]
			}
			w.mu.Lock()
			w.parked = slices.DeleteFunc(w.parked, func(other *parked) bool { return other == p })
			w.mu.Unlock()
			p.chosen <- how
		}})
	}
	return acts
}

// park waits until the tape lets this process go on, and returns how.
func (w *world) park(label string, choices ...string) string {
	if len(choices) == 0 {
		choices = []string{""}
	}
	p := &parked{label: label, choices: choices, chosen: make(chan string, 1)}
	w.mu.Lock()
	w.parked = append(w.parked, p)
	w.mu.Unlock()
	return <-p.chosen
}
