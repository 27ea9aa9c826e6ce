package near_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"forebay/internal/near"
)

// Writers, readers and inserts all at once: with the race detector, and against the one rule that can be checked from outside. Each key has a version
// that only grows; a reader's Get may not give an older one than was acknowledged before it began.
func TestWritersSeeTheirWrites(t *testing.T) {
	for _, tt := range []struct {
		name                  string
		keys, writes, unknown int // of 100 commands, and of 100 writes
	}{
		{"some keys", 8, 10, 12},
		{"one key", 1, 20, 12},
		{"one key, written by commands whose keys are not known", 1, 20, 100},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newModel(t, tt.keys)
			var wg sync.WaitGroup
			for g := range 4 {
				r := rand.New(rand.NewPCG(uint64(g), 7))
				wg.Go(func() {
					for range 4000 {
						i := r.IntN(tt.keys)
						if r.IntN(100) < tt.writes {
							m.write(i, r.IntN(100) < tt.unknown)
						} else if !m.read(i) {
							return
						}
					}
				})
			}
			wg.Wait()
			if s := m.cache.Stats(); s.Hits < 100 || s.Inserts < 100 {
				t.Errorf("little was tried: %+v", s)
			}
		})
	}
}

// model is a Redis of versions behind a cache.
type model struct {
	t     *testing.T
	cache *near.Cache
	rows  []row
}

type row struct {
	sync.Mutex
	version int64 // what Redis holds
	acked   atomic.Int64
}

func newModel(t *testing.T, keys int) *model {
	c, f := connected(t)
	f.auto = true
	return &model{t, c, make([]row, keys)}
}

func (m *model) key(i int) []byte { return []byte{'k', byte('0' + i)} }

// write is a client's write.
func (m *model) write(i int, unknown bool) {
	if unknown {
		m.cache.FenceAll()
		defer m.cache.UnfenceAll()
	} else {
		m.cache.Fence(0, m.key(i))
		defer m.cache.Unfence(0, m.key(i))
	}
	row := &m.rows[i]
	row.Lock()
	defer row.Unlock()
	row.version++
	row.acked.Store(row.version)
}

// read is a client's read: false if it was a wrong one.
func (m *model) read(i int) bool {
	k, row := m.key(i), &m.rows[i]
	least := row.acked.Load()
	tok := m.cache.Token(0, k)
	reply, ok := m.cache.Get(0, k)
	if !ok {
		row.Lock()
		v := row.version
		row.Unlock()
		m.cache.Offer(0, k, fmt.Append(nil, v), tok)
		return true
	}
	var n int
	var v int64
	if _, err := fmt.Sscanf(string(reply), "$%d\r\n%d", &n, &v); err != nil || v < least {
		m.t.Errorf("key %d: got version %d, %v; %d was acknowledged before", i, v, err, least)
		return false
	}
	return true
}
