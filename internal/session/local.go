package session

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
	"time"

	"forebay/internal/event"
)

// local is what this proxy knows of one session.
type local struct {
	name string
	row  string // unique to this local, ever

	mu     sync.Mutex
	id     string // "": not told yet, or not answered
	conns  int
	closed time.Time // when the last connection closed; zero while there are any
	stats  Counts
	dbs    map[int]*claims
	dirty  bool // there is something to tell besides being alive
}

// claims are the keys of one database.
type claims struct {
	set     hashSet
	pending []byte // hashes not told yet
	told    int64  // bytes
	over    bool   // there are keys that are not in the set
	overNow bool   // over was told
}

// budget is the memory that the claims of all sessions may use.
type budget struct {
	used atomic.Int64
	most int64
}

func (b *budget) take(n int64) bool {
	if b.used.Add(n) > b.most {
		b.used.Add(-n)
		return false
	}
	return true
}

func (b *budget) give(n int64) { b.used.Add(-n) }

// read counts one hit or miss and claims its key.
func (l *local) read(v *event.View, most int, b *budget) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dirty = true
	n := max(v.Count, 1)
	if v.Kind == event.Hit {
		l.stats.Hits += n
	} else {
		l.stats.Misses += n
		if v.Result != event.Loaded {
			return // there is no key
		}
		l.stats.Loads += n
	}
	switch v.Origin {
	case event.FromNear:
		l.stats.Bytes.Near += v.Bytes
	case event.FromRedis:
		l.stats.Bytes.Redis += v.Bytes
	case event.FromSource:
		l.stats.Bytes.Source += v.Bytes
	}
	if v.KeyLen > 0 {
		l.claim(v.DB, v.Hash, most, b)
	}
}

const (
	// hashBytes is a hash as it is told.
	hashBytes = 8
	// pendingBytes is what it costs until then: a slice that grows has up to twice the room.
	pendingBytes = 16
	// allDatabases stands for every database, where a session reads in more than are followed.
	allDatabases = -1
)

// claim adds one key. l.mu is held.
func (l *local) claim(db int, hash uint64, most int, b *budget) {
	c := l.dbs[db]
	if c == nil {
		if len(l.dbs) >= maxDatabases {
			db = allDatabases
			c = l.dbs[db]
		}
		if c == nil {
			c = &claims{over: db == allDatabases}
			l.dbs[db] = c
		}
	}
	if db == allDatabases {
		return
	}
	if c.set.n >= most {
		c.over = c.over || !c.set.has(hash)
		return
	}
	added, ok := c.set.add(hash, b.take)
	switch {
	case !ok:
		c.over = true
	case added && !b.take(pendingBytes):
		c.over = true // it is in the set, but nobody will be told: that is what over says
	case added:
		c.pending = binary.LittleEndian.AppendUint64(c.pending, hash)
		l.stats.Held++
	}
}

// forget drops what is claimed. l.mu is held.
func (l *local) forget(b *budget) {
	for _, c := range l.dbs {
		b.give(c.set.bytes() + int64(len(c.pending))/hashBytes*pendingBytes)
	}
	l.dbs = map[int]*claims{}
	l.stats = Counts{}
	l.dirty = true
}

// tell takes n bytes off what is pending. l.mu is held.
func (c *claims) tell(n int, b *budget) {
	b.give(int64(n) / hashBytes * pendingBytes)
	c.told += int64(n)
	c.pending = c.pending[n:]
	if len(c.pending) == 0 {
		c.pending = nil
	}
}
