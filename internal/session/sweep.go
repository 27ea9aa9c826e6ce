package session

import (
	"context"
	"time"
)

// sweepEvery is how often the index of fills is gone through, so that keys which expired or were evicted while no session ended do not stay in it.
// A pass costs Redis an EXISTS for each fill, a thousand at a time.
const sweepEvery = 10 * time.Minute

// sweep goes through the index of each database in which a session here claims keys, now and then until ctx ends.
func (m *Manager) sweep(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		for _, db := range m.claimedDatabases() {
			for cursor := uint64(0); ; {
				_, next, err := m.opt.Store.Filled(ctx, db, cursor)
				if cursor = next; err != nil || cursor == 0 {
					break // the next pass comes
				}
			}
		}
	}
}

// claimedDatabases lists those in which sessions here claim keys, and the first.
func (m *Manager) claimedDatabases() []int {
	seen := map[int]bool{0: true}
	for _, l := range m.snapshot() {
		l.mu.Lock()
		for db := range l.dbs {
			seen[db] = db >= 0
		}
		l.mu.Unlock()
	}
	var dbs []int
	for db, is := range seen {
		if is {
			dbs = append(dbs, db)
		}
	}
	return dbs
}
