package cache_test

import (
	"context"
	"fmt"

	"forebay/internal/cache"
	"forebay/internal/route"
)

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
			v, ok := w.ask(m.key)
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
			w.note("%s has %s", name, told(res))
			w.check(m, floors[i], res)
		}
	})
}

// ask is a GET in front of which the age is asked for, as the proxy does it: not ok, the engine is to be asked.
func (w *world) ask(key string) (value string, ok bool) {
	r := w.f.wants(0, key)[0].Route
	v, left, ok := w.f.store.getAged(key)
	if !ok || !r.Ages() {
		return v, ok
	}
	switch r.Age(left) {
	case route.Fresh:
		return v, true
	case route.Aging:
		w.f.engine.Refresh(0, []byte(key), r)
		return v, true
	default:
		return "", false
	}
}

// check holds what a read gave to what it may give: a version that was not over when it began.
func (w *world) check(m *model, floor int, res cache.Result) {
	version := 0
	switch {
	case res.Err != nil:
		if c := cause(res.Err); c != "down" && c != "contended" && c != "timeout" {
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
