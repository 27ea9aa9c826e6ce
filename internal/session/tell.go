package session

import (
	"context"
	"encoding/json"
	"time"

	"forebay/backend"
	"forebay/internal/event"
)

// maxTold is how many bytes of claims of one session go out at once: a script of that size takes Redis well under a millisecond.
const maxTold = 256 << 10

// beaten is one local and what was told of it.
type beaten struct {
	l    *local
	id   string      // as it was told
	told map[int]int // bytes of claims by database
	over map[int]bool
}

// Flush tells Redis everything that is known and not told. It is what Run does each time.
func (m *Manager) Flush(ctx context.Context) error {
	m.telling.Lock()
	defer m.telling.Unlock()
	for {
		more, err := m.tellOnce(ctx)
		if err != nil || !more {
			return err
		}
	}
}

// tellOnce tells one piece of each session. m.telling is held.
func (m *Manager) tellOnce(ctx context.Context) (more bool, err error) {
	var beats []backend.SessionBeat
	var of []beaten
	for _, l := range m.snapshot() {
		if m.over(l) {
			continue
		}
		if b, t, ok := m.beat(l); ok {
			beats, of = append(beats, b), append(of, t)
		}
	}
	if len(beats) == 0 {
		return false, nil
	}
	pulses, err := m.opt.Store.Beat(ctx, beats)
	if err != nil {
		for _, t := range of {
			t.l.mu.Lock()
			t.l.dirty = true
			t.l.mu.Unlock()
		}
		return false, err
	}
	for i := range of {
		if m.hear(of[i], pulses[i]) {
			more = true
		}
	}
	return more, nil
}

// over forgets a session whose grace is over. Whether it ended is Redis's to say; if it lives on, by another proxy's connections, then
// this proxy's row and claims stay there, and a new connection here begins a row of its own.
func (m *Manager) over(l *local) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	l.mu.Lock()
	over := l.conns == 0 && time.Since(l.closed) > m.opt.Grace+m.opt.Every
	l.mu.Unlock()
	if over {
		m.drop(l)
	}
	return over
}

// beat says what is to be told of a session; nothing if it is closed and all is told.
//
// A session without connections is told to stay for what is left of its grace, never longer: a proxy that could not tell for a while must not
// bring to life again what has ended.
func (m *Manager) beat(l *local) (backend.SessionBeat, beaten, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	stay := m.opt.Grace
	if l.conns == 0 {
		if !l.dirty {
			return backend.SessionBeat{}, beaten{}, false
		}
		stay -= time.Since(l.closed)
	}
	b := backend.SessionBeat{
		Name: l.name, ID: l.id, NewID: newID(), Create: l.conns > 0 || l.id == "", Limit: MaxSessions,
		Row: l.row, Connections: l.conns, Data: l.data(m.opt.Proxy), Stay: max(stay, 0),
	}
	t := beaten{l: l, id: l.id, told: map[int]int{}, over: map[int]bool{}}
	room := maxTold
	for db, c := range l.dbs {
		n := min(len(c.pending), room)
		if n == 0 && c.over == c.overNow {
			continue
		}
		room -= n
		t.told[db], t.over[db] = n, c.over
		// What is pending is only appended to until hear cuts it, in this goroutine.
		b.Claims = append(b.Claims, backend.SessionNews{DB: db, Hashes: c.pending[:n:n], Total: c.told + int64(n), Over: c.over})
	}
	l.dirty = false
	return b, t, true
}

// data is the row's statistics.
func (l *local) data(proxy string) []byte {
	b, err := json.Marshal(row{Proxy: proxy, Counts: l.stats})
	if err != nil {
		return nil // numbers and a name always encode
	}
	return b
}

// row is the data of a row in Redis.
type row struct {
	Proxy string `json:"proxy"`
	Counts
}

// hear takes the answer to a beat, and tells whether there is more to tell at once.
func (m *Manager) hear(t beaten, p backend.SessionPulse) (more bool) {
	l := t.l
	l.mu.Lock()
	switch {
	case p.ID == "":
		l.id = ""
		if t.id != "" {
			l.forget(&m.budget)
		}
		l.dirty = false // it ended, and no connection is here; or there are too many
	case t.id != "" && p.ID != t.id:
		// It ended meanwhile, and this is another of the same name.
		l.id = p.ID
		l.forget(&m.budget)
	default:
		l.id = p.ID
		for db, n := range t.told {
			if c := l.dbs[db]; c != nil {
				c.tell(n, &m.budget)
				c.overNow = t.over[db]
				more = more || len(c.pending) > 0
			}
		}
		l.dirty = l.dirty || more
	}
	l.mu.Unlock()
	if p.Begun {
		m.opt.Record(&event.Event{Kind: event.Session, Session: l.name, Reason: event.Opened, By: m.opt.Proxy})
	}
	return more
}
