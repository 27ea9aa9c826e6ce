package near

import (
	"errors"
	"sync"
	"time"

	"forebay/backend"
)

var (
	errOff      = errors.New("the near copy is turned off")
	errStarting = errors.New("redis was not asked yet to tell of changes")
	errSilent   = errors.New("redis has not answered for a second")
	errClosed   = errors.New("closed")
)

// tracked is what is known of the tracking connection.
type tracked struct {
	mu    sync.Mutex
	cause error  // why there is none; nil while there is one
	told  string // the cause that was logged last
}

func (t *tracked) err() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.cause
}

// set changes the cause and tells whether it is another text than was logged last.
func (t *tracked) set(cause error) (news bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cause = cause
	text := ""
	if cause != nil {
		text = cause.Error()
	}
	news = t.told != text
	t.told = text
	return news
}

// follower is a Cache as its Tracker sees it.
type follower struct{ c *Cache }

var _ backend.Follower = follower{}

// Tracking raises the epoch: a token of before says nothing of changes that were not told.
func (f follower) Tracking(asked int64) {
	f.c.epoch.Add(generation)
	if f.c.tracked.set(nil) {
		f.c.log.Info("the near copy follows redis")
	}
	f.Alive(asked)
}

func (f follower) Alive(asked int64) { f.c.until.Store(asked + int64(aliveFor)) }

// Changed drops the key in every database: Redis does not say of which it is.
func (f follower) Changed(key []byte) {
	c := f.c
	p := c.place(0, key)
	c.word(p).Add(generation)
	for _, db := range *c.dbs.Load() {
		c.remove(idOf(p.hash, db))
	}
}

func (f follower) Flushed() {
	f.c.epoch.Add(generation)
	f.c.counts.flushes.Add(1)
	f.c.clear()
}

func (f follower) TTL(ticket uint64, asked int64, left time.Duration) {
	w := f.c.asking.get(ticket)
	if w == nil {
		return
	}
	f.c.insert(w, asked, left)
	f.c.asking.done(w) // not before: see 3 in the package's comment
}

func (f follower) Lost(cause error, refused bool) {
	c := f.c
	c.until.Store(0)
	c.epoch.Add(generation)
	c.clear()
	c.asking.drop()
	if c.tracked.err() == nil {
		c.counts.lost.Add(1)
	}
	switch news := c.tracked.set(cause); {
	case !news || errors.Is(cause, errClosed):
	case refused:
		c.log.Warn("redis does not let the near copy follow: every read goes to redis", "error", cause)
	default:
		c.log.Warn("the near copy is dropped until redis can be followed again", "error", cause)
	}
}
