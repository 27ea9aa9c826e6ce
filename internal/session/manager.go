package session

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"time"

	"forebay/internal/event"
)

// Manager follows the sessions of one proxy. Its methods are safe for concurrent use. Make one with [New]; [Manager.Run] does the work.
type Manager struct {
	opt    Options
	log    *slog.Logger
	token  string // of this process, in leases and rows
	budget budget
	used   *afterUse

	mu       sync.RWMutex
	sessions map[string]*local
	idle     map[string]*local // those of them without a connection here
	rows     int               // locals made so far
	full     bool              // it was said that there are too many

	failedID string    // the release that failed here last: others are let go first
	failedAt time.Time // when

	telling sync.Mutex // held by whoever tells, so that rounds do not overlap

	ending chan struct{} // one place: who releases in the background
}

// New returns a manager that counts and claims at once, and tells from Run on.
func New(o Options) *Manager {
	o = o.withDefaults()
	return &Manager{
		opt: o, log: o.Log, token: newID(), budget: budget{most: o.MaxBytes}, used: newAfterUse(o.AfterUse),
		sessions: map[string]*local{}, idle: map[string]*local{}, ending: make(chan struct{}, 1),
	}
}

// newID returns 12 random bytes in hex.
func newID() string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails: the program ends if the system has no randomness
	return hex.EncodeToString(b[:])
}

// Open tells that a connection has the name from now on. A name that is no session's is passed over. The caller may hold a lock
// of its own: it returns at once.
func (m *Manager) Open(name string) {
	if !ValidName(name) {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.sessions[name]
	if l == nil {
		if len(m.sessions) >= MaxSessions && !m.makeRoom() {
			if !m.full {
				m.full = true
				m.log.Warn("too many sessions: further names are not followed", "sessions", len(m.sessions))
			}
			return
		}
		m.rows++
		l = &local{name: name, row: m.token + "." + strconv.Itoa(m.rows), dbs: map[int]*claims{}}
		m.sessions[name] = l
	}
	delete(m.idle, name)
	l.mu.Lock()
	l.conns++
	l.closed = time.Time{}
	l.dirty = true
	l.mu.Unlock()
}

// Close tells that a connection has the name no more: it closed or was given another. Each Open has one Close.
func (m *Manager) Close(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.sessions[name]
	if l == nil {
		return // no session's, or opened when there were too many
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conns == 0 {
		return
	}
	l.conns--
	l.dirty = true
	if l.conns == 0 {
		l.closed = time.Now()
		m.idle[name] = l
	}
}

// makeRoom drops one session that has no connection here. What it claimed is told but for the last second, and only keeps keys. m.mu is held.
func (m *Manager) makeRoom() bool {
	for _, l := range m.idle {
		m.drop(l)
		return true
	}
	return false
}

// drop forgets a session here. m.mu is held.
func (m *Manager) drop(l *local) {
	l.mu.Lock()
	l.forget(&m.budget)
	l.mu.Unlock()
	delete(m.sessions, l.name)
	delete(m.idle, l.name)
}

// Observe takes one event of the pipeline, as event.Options.Observe does. It counts reads of sessions that are open here, or
// were within their grace, and allocates nothing but for a new key.
func (m *Manager) Observe(v *event.View) {
	if v.Kind != event.Hit && v.Kind != event.Miss {
		return
	}
	if v.Kind == event.Hit && v.Origin != event.FromSource {
		m.used.offer(v)
	}
	if len(v.Session) == 0 {
		return
	}
	m.mu.RLock()
	l := m.sessions[string(v.Session)]
	m.mu.RUnlock()
	if l != nil {
		l.read(v, m.opt.MaxClaims, &m.budget)
	}
}

// Coalesced counts misses of the session's that needed no query of their own, because another reader's served them.
func (m *Manager) Coalesced(name string, n int) {
	m.mu.RLock()
	l := m.sessions[name]
	m.mu.RUnlock()
	if l == nil {
		return
	}
	l.mu.Lock()
	l.stats.Coalesced += int64(n)
	l.dirty = true
	l.mu.Unlock()
}

// Run tells Redis, ends sessions whose time is over, and gives back what is after its use, until ctx ends; then it waits for what it
// began. Call [Manager.Flush] after it, when the last connection is closed.
func (m *Manager) Run(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { m.giveBack(ctx) })
	wg.Go(func() { m.sweep(ctx) })
	tick := time.NewTicker(m.opt.Every)
	defer tick.Stop()
	down := false
	for {
		err := m.Flush(ctx)
		if err != nil && !down && ctx.Err() == nil {
			m.log.Warn("sessions cannot be told to redis: they wait", "error", err)
		}
		down = err != nil
		if !down {
			wg.Go(func() { m.endDue(ctx) })
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// snapshot lists the sessions that are open here, or were.
func (m *Manager) snapshot() []*local {
	m.mu.RLock()
	defer m.mu.RUnlock()
	list := make([]*local, 0, len(m.sessions))
	for _, l := range m.sessions {
		list = append(list, l)
	}
	slices.SortFunc(list, func(a, b *local) int {
		if a.name < b.name {
			return -1
		}
		return 1
	})
	return list
}
