package near

import (
	"hash/maphash"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"forebay/backend"
)

const (
	// MaxAge is how long a value of a key without expiry is kept at most.
	MaxAge = time.Hour
	// aliveFor is how long the answer to a PING vouches for the tracking, from its sending.
	aliveFor = time.Second
)

// Options of a Cache. MaxBytes, Tracker and Now are required.
type Options struct {
	MaxBytes   int64           // bytes of keys, values and their upkeep
	MaxEntries int             // 0: as many as MaxBytes holds
	MaxValue   int64           // the largest value kept; 0: a quarter of MaxBytes; at most 1 GiB
	Tracker    backend.Tracker // closed by the Cache
	Now        func() int64    // monotonic nanoseconds; the clock of the Tracker
	// Reserve is the part of a key's TTL in which it is not given out, so that its reads go to Redis again before it ends. nil: none.
	Reserve func(db int, key []byte) time.Duration
	Log     *slog.Logger // nil logs nothing
}

// Cache is the near copy. It is safe for concurrent use. A nil Cache is one that has nothing and wants nothing.
//
// Keys and values given to it are borrowed for the call. Databases are told apart, as far as Redis tells them apart.
type Cache struct {
	opt  Options
	log  *slog.Logger
	seed maphash.Seed

	words  [numWords]word
	epoch  word         // of all keys
	until  atomic.Int64 // when the present answer to a PING ceases to vouch
	shelf  atomic.Pointer[shelf]
	door   *doorkeeper
	gate   gate
	counts counts

	asking  asking
	tracked tracked
	dbs     atomic.Pointer[[]int] // that entries may be of

	mu       sync.Mutex // of dbs, to be extended
	closing  sync.Once
	replaced sync.Mutex // of shelf, to be replaced
}

// New makes a Cache and begins to track. The caller must Close it.
func New(o Options) *Cache {
	if o.MaxValue <= 0 {
		o.MaxValue = o.MaxBytes / 4
	}
	o.MaxValue = min(o.MaxValue, 1<<30)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	c := &Cache{opt: o, log: o.Log, seed: maphash.MakeSeed(), door: newDoorkeeper(o.MaxBytes)}
	c.asking.init()
	c.tracked.cause = errStarting
	c.dbs.Store(&[]int{})
	c.shelf.Store(newShelf(c))
	o.Tracker.Track(follower{c})
	return c
}

// Close ends tracking and waits for it. Nothing is given out any more.
func (c *Cache) Close() {
	if c == nil {
		return
	}
	c.closing.Do(func() {
		c.opt.Tracker.Close()
		follower{c}.Lost(errClosed, false)
	})
}

// place is where a key is found.
type place struct {
	hash uint64 // of the key alone, as invalidations name it
	id   uint64 // of the key in its database; two keys of one id are never in the store together
}

func (c *Cache) place(db int, key []byte) place {
	h := maphash.Bytes(c.seed, key)
	return place{h, idOf(h, db)}
}

// idOf spreads the databases by the golden ratio. Database 0 is the hash itself.
func idOf(hash uint64, db int) uint64 { return hash ^ uint64(db)*0x9e3779b97f4a7c15 }

// Get returns a key's value as a RESP bulk ("$3\r\nabc\r\n"). It is shared: nobody may change it. It allocates nothing and takes no lock but now and then the
// policy's, for its upkeep.
func (c *Cache) Get(db int, key []byte) (reply []byte, ok bool) {
	if c == nil {
		return nil, false
	}
	p := c.place(db, key)
	// The epoch is read before the entry. An entry's own was read while no fence was up, so that none is found while all are fenced. Of a key that is
	// fenced there is no entry: Fence has removed it, and none is inserted.
	epoch := c.epoch.Load()
	if now := c.opt.Now(); now < c.until.Load() {
		if e, ok := c.shelf.Load().GetIfPresent(p.id); ok && e.is(db, key) && e.epoch == epoch && now < e.expires {
			c.counts.of(p).hits.Add(1)
			return e.reply, true
		}
	}
	c.counts.of(p).misses.Add(1)
	return nil, false
}

// Token is the state of a key at the moment it was asked for. The zero Token holds for nothing that matters: take one before each question.
type Token struct{ gen, epoch uint64 }

// Token returns the state of a key now. Take it before the key is asked for.
func (c *Cache) Token(db int, key []byte) Token {
	if c == nil {
		return Token{}
	}
	return c.token(c.place(db, key))
}

func (c *Cache) token(p place) Token { return Token{gen: c.word(p).Load(), epoch: c.epoch.Load()} }

func (c *Cache) holds(p place, t Token) bool {
	return !fenced(t.gen) && !fenced(t.epoch) && c.token(p) == t
}
