package near

import (
	"bytes"
	"sync"
	"sync/atomic"
)

// maxWaiting bounds the bytes of values that wait for their PTTL; a larger value may wait alone.
const maxWaiting = 8 << 20

// waiting is a value whose TTL is being asked for.
type waiting struct {
	entry  *entry
	place  place
	token  Token
	ticket uint64
	void   atomic.Bool // Redis has given another value since
}

// asking are the values that wait. A value stays among them until it is inserted, so that a newer one finds it in either place.
type asking struct {
	some atomic.Int64 // how many, to be read without the lock

	mu       sync.Mutex
	last     uint64 // ticket
	byTicket map[uint64]*waiting
	byID     map[uint64]*waiting
	bytes    int64
}

func (a *asking) init() {
	a.byTicket, a.byID = map[uint64]*waiting{}, map[uint64]*waiting{}
}

// add gives w its ticket, unless another value of its id waits or there is no room.
func (a *asking) add(w *waiting) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.byID[w.place.id] != nil || len(a.byID) > 0 && a.bytes+w.entry.bytes() > maxWaiting {
		return false
	}
	a.last++
	w.ticket = a.last
	a.byTicket[w.ticket], a.byID[w.place.id] = w, w
	a.bytes += w.entry.bytes()
	a.some.Add(1)
	return true
}

// find tells whether this value of the key waits. Another value of it is voided.
func (a *asking) find(id uint64, db int, key, value []byte) (same, other bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	w := a.byID[id]
	switch {
	case w == nil || w.void.Load():
		return false, false
	case w.entry.is(db, key) && bytes.Equal(w.entry.value, value):
		return true, false
	}
	w.void.Store(true)
	return false, true
}

// voidOf voids what waits of an id.
func (a *asking) voidOf(id uint64) {
	if a.some.Load() == 0 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if w := a.byID[id]; w != nil {
		w.void.Store(true)
	}
}

func (a *asking) get(ticket uint64) *waiting {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.byTicket[ticket]
}

// done lets go of w. Once: it may be gone already.
func (a *asking) done(w *waiting) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.byTicket[w.ticket] != w {
		return
	}
	delete(a.byTicket, w.ticket)
	delete(a.byID, w.place.id)
	a.bytes -= w.entry.bytes()
	a.some.Add(-1)
}

// drop lets go of all.
func (a *asking) drop() {
	a.mu.Lock()
	defer a.mu.Unlock()
	clear(a.byTicket)
	clear(a.byID)
	a.bytes = 0
	a.some.Store(0)
}
