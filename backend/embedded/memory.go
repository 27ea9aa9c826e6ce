package embedded

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/alicebob/miniredis/v2"
	resp "github.com/alicebob/miniredis/v2/server"
)

const (
	// databases is how many databases a Redis has unless it is told otherwise.
	databases = 16
	// stepEvery is the time between two steps of the keeper; a step that took long is followed by a longer pause, so that the
	// keeper uses at most about a twentieth of one core. stepMost bounds it.
	stepEvery = 50 * time.Millisecond
	stepMost  = time.Second
	stepShare = 20
)

// memory is miniredis with what a cache needs and it lacks: time that passes, a bound on its memory, and word of the keys
// it drops.
//
// Miniredis subtracts the time that passed from every TTL, with the keys sorted, at every command. So its clock is not left to
// run (1,500 keys would cost each command 0.2 ms) but is set by one goroutine, the keeper, which therefore also knows which keys are about
// to go. Its record of key versions is never shortened: a key deleted costs its name for the life of the process.
type memory struct {
	mini     *miniredis.Miniredis
	srv      *resp.Server // mini's own; it forgets it, and its address, when it is closed
	address  string
	budget   int64
	onEvict  func(db int, key []byte, expired bool)
	why      string       // why there is no redis-server
	used     atomic.Int64 // bytes, by the last step's estimate
	clock    time.Time    // what mini's clock shows; the keeper's alone
	commands int          // mini's count of commands at the last scan; the keeper's alone
	stop     chan struct{}
	done     chan struct{}
}

var _ server = (*memory)(nil)

// startMemory starts a miniredis on a free port of 127.0.0.1, and its keeper.
func startMemory(o Options, why string) (*memory, error) {
	m := &memory{
		mini:    miniredis.NewMiniRedis(),
		budget:  o.MaxMemory,
		onEvict: o.OnEvict,
		why:     why,
		clock:   time.Now(),
		stop:    make(chan struct{}),
		done:    make(chan struct{}),
	}
	m.mini.SetTime(m.clock)
	m.mini.ClockTTL(true)
	if err := m.mini.StartAddr("127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("listen for the in-process redis: %w", err)
	}
	m.srv, m.address = m.mini.Server(), m.mini.Addr()
	m.srv.SetPreHook(m.answer)
	go m.keep()
	return m, nil
}

func (m *memory) network() string { return "tcp" }

func (m *memory) addr() string { return m.address }

func (m *memory) description() string {
	return fmt.Sprintf("in-process stand-in for Redis on %s, about %s (no redis-server: %s)", m.address, megabytes(m.budget), m.why)
}

func (m *memory) limits() []string {
	return []string{
		"redis: a stand-in in this process, for trying Forebay out; install redis-server for the real thing",
		"redis: no keyspace notifications, CLIENT TRACKING, ACL, CONFIG SET or modules; COMMAND is that of Redis 5",
		fmt.Sprintf("redis: over about %s random keys are evicted, checked every %v; expired and evicted keys are reported, deleted ones are not",
			megabytes(m.budget), stepEvery),
		fmt.Sprintf("redis: TTLs move in steps of %v, longer with very many keys", stepEvery),
		"redis: every user of this machine can connect to " + m.address,
		"redis: nothing is kept on disk: what is cached is gone when Forebay ends",
	}
}

func (m *memory) close() {
	close(m.stop)
	<-m.done
	m.mini.Close()
}

// keep takes a step every now and then until close.
func (m *memory) keep() {
	defer close(m.done)
	timer := time.NewTimer(stepEvery)
	defer timer.Stop()
	for {
		select {
		case <-m.stop:
			return
		case <-timer.C:
		}
		began := time.Now()
		m.expire()
		m.evict()
		timer.Reset(min(max(stepEvery, stepShare*time.Since(began)), stepMost))
	}
}

// dbKey names one key.
type dbKey struct {
	db  int
	key string
}

// expire lets mini's clock catch up and reports the keys whose time is over.
//
// Clients may write between the steps below, since mini has no lock that spans them. Let key k have less time left than passed:
//  1. The keeper reads k's TTL and finds it doomed.
//  2. A client deletes k. It was over by the wall clock, so "expired" is still true, and is reported once.
//  3. Or a client sets k anew with a long TTL: k is there after the clock was set, and nothing is reported, as if k had been
//     overwritten in time.
//  4. The keeper sets the clock; mini drops what is over at its next access, which is the keeper's Exists or a client's.
//  5. Or a client sets k anew between 4 and Exists: k's expiry goes unreported. This takes a client that misses and fills in
//     the few microseconds between two calls.
//
// A key set with a TTL shorter than a step may also go unreported.
func (m *memory) expire() {
	now := time.Now()
	passed := now.Sub(m.clock)
	if passed <= 0 {
		return
	}
	var doomed []dbKey
	for i := range databases {
		db := m.mini.DB(i)
		for _, key := range db.Keys() {
			if ttl := db.TTL(key); ttl > 0 && ttl <= passed {
				doomed = append(doomed, dbKey{i, key})
			}
		}
	}
	m.mini.SetTime(now)
	m.clock = now
	for _, d := range doomed {
		if !m.mini.DB(d.db).Exists(d.key) {
			m.onEvict(d.db, []byte(d.key), true)
		}
	}
}

// evict measures what the keys take, if any command came since it last did, and drops keys at random until they are within the budget.
func (m *memory) evict() {
	commands := m.mini.CommandCount()
	if commands == m.commands {
		return
	}
	m.commands = commands
	var (
		used  int64
		keys  []dbKey
		sizes []int64
	)
	for i := range databases {
		db := m.mini.DB(i)
		for _, key := range db.Keys() {
			size := keyBytes(db, key)
			keys, sizes, used = append(keys, dbKey{i, key}), append(sizes, size), used+size
		}
	}
	if used > m.budget {
		for _, i := range rand.Perm(len(keys)) {
			if used <= m.budget {
				break
			}
			used -= sizes[i]
			if m.mini.DB(keys[i].db).Del(keys[i].key) {
				m.onEvict(keys[i].db, []byte(keys[i].key), false)
			}
		}
	}
	m.used.Store(used)
}
