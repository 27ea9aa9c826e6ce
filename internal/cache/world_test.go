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

	"forebay/backend"
	"forebay/internal/cache"
)

// rules are what a world may break on purpose.
type rules struct {
	noFence   bool // writers do not fence
	overwrite bool // fills store what is present already
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
	steps   []string
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
	someKeys    = 2
)

func newWorld(t *testing.T, tape []byte, r rules) *world {
	w := &world{f: newFixture(t), tape: tape, r: r}
	w.f.store.overwrite = r.overwrite
	for id := range someKeys {
		m := &model{key: fmt.Sprintf("t:1:%d", id), id: id, started: 1, floor: 1, absent: map[int]bool{}}
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
	for {
		synctest.Wait()
		if len(w.parked) == 0 {
			break
		}
		w.play(w.steppers()[0])
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
	if len(w.tape)%4 == 0 { // fences drop what is interesting
		acts = append(acts, action{"fence", w.fence})
	}
	for _, m := range w.keys {
		if !m.writing {
			acts = append(acts, action{"write " + m.key, func() { w.write(m) }})
		}
		if _, ok := w.f.store.get(m.key); ok && !m.override {
			acts = append(acts, action{"evict " + m.key, func() { w.f.store.del(m.key) }})
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
	p := &parked{label, choices, make(chan string, 1)}
	w.mu.Lock()
	w.parked = append(w.parked, p)
	w.mu.Unlock()
	return <-p.chosen
}

// process runs something that parks.
func (w *world) process(run func()) {
	w.mu.Lock()
	w.live++
	w.mu.Unlock()
	go func() {
		run()
		w.mu.Lock()
		w.live--
		w.mu.Unlock()
	}()
}

// read is a client's GET, or MGET of all: it asks Redis and has loaded what is absent.
func (w *world) read() {
	choice := w.next()
	keys := w.keys
	if choice%4 != 0 {
		keys = []*model{w.keys[choice%len(w.keys)]}
	}
	mode := cache.Mode{NoLook: choice&16 != 0, NoFill: choice&96 == 0}
	floors := make([]int, len(keys))
	for i, m := range keys {
		floors[i] = m.floor
	}
	w.readers++
	w.begun++
	name := fmt.Sprint("reader ", w.begun)
	w.note("%s begins, of %d keys in mode %+v", name, len(keys), mode)
	w.process(func() {
		w.park(name + " asks redis")
		values := make([]string, len(keys))
		var missed []string
		for i, m := range keys {
			v, ok := w.f.store.get(m.key)
			if values[i] = v; !ok {
				missed = append(missed, m.key)
			}
		}
		w.park(name + " has its answer")
		results := w.f.engine.Read(context.Background(), 0, w.f.wants(0, missed...), mode)
		w.mu.Lock()
		defer w.mu.Unlock()
		w.readers--
		for i, m := range keys {
			res := cache.Result{Value: []byte(values[i])}
			if values[i] == "" {
				res, results = results[0], results[1:]
			}
			w.note("%s has %s", name, show(res))
			w.check(m, floors[i], res)
		}
	})
}

// check holds what a read gave to what it may give: a version that was not over when it began.
func (w *world) check(m *model, floor int, res cache.Result) {
	version := 0
	switch {
	case res.Err != nil:
		if c := cause(res.Err); c != "down" && c != "contended" {
			w.problem = fmt.Sprintf("read of %s: %v", m.key, res.Err)
		}
		return
	case res.Value == nil:
		for version = floor; version <= m.started && !m.absent[version]; version++ {
		}
	default:
		if _, err := fmt.Sscanf(string(res.Value), m.key+"@%d", &version); err != nil {
			version = 0
		}
	}
	if version < floor || version > m.started {
		w.problem = fmt.Sprintf("a read of %s gave %s: versions %d to %d are right", m.key, show(res), floor, m.started)
	}
}

// fence is a command that does not write after all, of one key or of unknown ones.
func (w *world) fence() {
	choice := w.next()
	w.process(func() {
		switch choice % 4 {
		case 0:
			w.f.engine.FenceAll(-1)
		case 1:
			w.f.engine.FenceAll(0)
		default:
			w.f.engine.Fence(0, []byte(w.keys[choice%len(w.keys)].key))
		}
	})
}

// write is a client that changes the source, or not, and then Redis.
func (w *world) write(m *model) {
	choice := w.next()
	m.writing = true
	m.started++
	version := m.started
	source, set := true, false
	switch choice % 5 {
	case 0: // an override, in Redis only
		source, set, m.override = false, true, true
	case 1:
		set = true
	case 2: // the row is deleted
		m.absent[version] = true
		w.f.source.remove(1, m.id)
		source = false
	}
	if source {
		w.f.source.set(1, m.id, m.value(version))
	}
	w.note("it is version %d, source changed: %t, set: %t", version, choice%5 != 0, set)
	w.process(func() {
		w.park("write " + m.key)
		switch {
		case w.r.noFence:
		case choice&32 != 0:
			w.f.engine.FenceAll(0)
		default:
			w.f.engine.Fence(0, []byte(m.key))
		}
		w.park("forward " + m.key)
		if set {
			w.f.store.set(m.key, m.value(version))
		} else {
			w.f.store.del(m.key)
		}
		w.park("forward " + m.key + " answer")
		w.mu.Lock()
		defer w.mu.Unlock()
		m.writing, m.floor = false, version
		if choice%5 != 0 {
			m.override = false
		}
	})
}
