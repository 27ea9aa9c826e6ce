package session

import (
	"context"
	"errors"
	"sync"
	"time"

	"forebay/backend"
	"forebay/internal/event"
)

const (
	// maxUsed and maxUsedBytes bound the keys that wait to be given back; further ones stay until their next hit.
	maxUsed      = 8192
	maxUsedBytes = 1 << 20
	// usedEvery is how long a key waits at most, so that some go together.
	usedEvery = 100 * time.Millisecond
	// giveWithin bounds giving back one lot.
	giveWithin = 30 * time.Second
)

// afterUse holds keys of routes whose values are wanted once. It is safe for concurrent use.
type afterUse struct {
	routes map[string]bool

	mu    sync.Mutex
	keys  map[int][]string // by database
	n     int
	bytes int
}

func newAfterUse(routes []string) *afterUse {
	u := &afterUse{routes: map[string]bool{}, keys: map[int][]string{}}
	for _, r := range routes {
		u.routes[r] = true
	}
	return u
}

// offer takes the key of a hit, if its route is one of those and there is room.
func (u *afterUse) offer(v *event.View) {
	if len(u.routes) == 0 || !u.routes[string(v.Route)] || len(v.Key) == 0 || v.KeyLen != len(v.Key) {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.n >= maxUsed || u.bytes+len(v.Key) > maxUsedBytes {
		return
	}
	u.keys[v.DB] = append(u.keys[v.DB], string(v.Key))
	u.n++
	u.bytes += len(v.Key)
}

// take empties it.
func (u *afterUse) take() map[int][]string {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.n == 0 {
		return nil
	}
	keys := u.keys
	u.keys, u.n, u.bytes = map[int][]string{}, 0, 0
	return keys
}

// giveBack releases keys after their use until ctx ends. Sessions' claims are not asked: one use is what such a route is for. What cannot be
// released now stays until its next hit, or its TTL.
func (m *Manager) giveBack(ctx context.Context) {
	if len(m.used.routes) == 0 {
		return
	}
	tick := time.NewTicker(usedEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		for db, keys := range m.used.take() {
			limited, cancel := context.WithTimeout(ctx, giveWithin)
			_, _, err := m.opt.Store.Release(limited, db, keys)
			cancel()
			if err != nil && ctx.Err() == nil && !errors.Is(err, backend.ErrStoreDown) {
				m.log.Warn("keys are not given back after their use", "db", db, "error", err)
			}
		}
	}
}
