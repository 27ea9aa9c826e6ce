package redis

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

const (
	probeEvery   = 500 * time.Millisecond
	probeTimeout = time.Second
	// probeGap is the least time between two probes, so that failing calls cannot make the prober spin.
	probeGap = 50 * time.Millisecond
)

// The states of the server. At the start nothing is known: Up says no, but calls are tried.
const (
	unknown int32 = iota
	isUp
	isDown
)

// prober PINGs the server on a connection of its own and is the only one to change the state.
type prober struct {
	c     *Client
	state atomic.Int32
	why   atomic.Pointer[error] // of the last probe, nil when it was answered
	took  atomic.Int64          // by the last probe that was answered, ns; 0: none, or the last was not
	wake  chan struct{}

	mu    sync.Mutex
	hooks []*hook
}

// errNotYet is why Redis is not up before the first probe has ended.
var errNotYet = errors.New("not asked yet")

// hook is one OnChange function and the state it was last told.
type hook struct {
	f    func(up bool)
	told int32
}

func newProber(c *Client) *prober {
	return &prober{c: c, wake: make(chan struct{}, 1)}
}

// Up tells, without asking, whether Redis answered lately: at most half a second ago when it lives, and at most a second
// and a half ago when it does not. It is false until the first answer.
func (c *Client) Up() bool { return c.state.state.Load() == isUp }

// Err tells why Redis is not up: nil if it is. The error wraps backend.ErrStoreDown.
func (c *Client) Err() error {
	if c.Up() {
		return nil
	}
	if why := c.state.why.Load(); why != nil {
		return c.down(*why)
	}
	return c.down(errNotYet)
}

// Took is how long Redis took to answer the last probe, with a connection made for it if there was none. It is 0 while Redis is not up.
func (c *Client) Took() time.Duration { return time.Duration(c.state.took.Load()) }

// OnChange has f called with the present state once that is known, and then with each change, in order. All
// functions are called from one goroutine, the prober's: they must not block for long nor call Close.
func (c *Client) OnChange(f func(up bool)) {
	c.state.mu.Lock()
	c.state.hooks = append(c.state.hooks, &hook{f: f})
	c.state.mu.Unlock()
	c.state.kick()
}

// kick asks for a probe now.
func (p *prober) kick() {
	select {
	case p.wake <- struct{}{}:
	default: // one is asked for already
	}
}

// run probes until ctx, the client's life, ends.
func (p *prober) run(ctx context.Context) {
	o := p.c.options()
	o.PoolSize = 1
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout = probeTimeout, probeTimeout, probeTimeout
	conn := goredis.NewClient(o)
	defer conn.Close() //nolint:errcheck // the client's Close has ended its connection, which is what ends a PING under way

	for {
		p.probe(ctx, conn)
		if !p.pause(ctx) {
			return
		}
	}
}

// probe asks once and tells the hooks.
func (p *prober) probe(ctx context.Context, conn *goredis.Client) {
	asking, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	began := time.Now()
	err := conn.Ping(asking).Err()
	if ctx.Err() != nil {
		return // Close is no news of the server
	}
	state := isUp
	p.took.Store(int64(time.Since(began)))
	if err != nil && isUnasked(err) {
		// One failure is enough. A timeout of a whole second or a refused dial is no hiccup, and the cost of an
		// error here is small: the next probe that is answered mends it, half a second on.
		state = isDown
		p.took.Store(0)
		p.why.Store(&err)
	}
	switch was := p.state.Swap(state); {
	case was == state:
	case state == isUp:
		p.c.log.Info("redis is up", "addr", p.c.opt.Addr)
	default:
		p.c.log.Warn("redis is down", "addr", p.c.opt.Addr, "error", err)
	}
	p.tell(state)
}

// tell calls each hook that has not been told of the state. It holds no lock meanwhile: a hook may add another.
func (p *prober) tell(state int32) {
	p.mu.Lock()
	hooks := p.hooks[:len(p.hooks):len(p.hooks)]
	p.mu.Unlock()
	for _, h := range hooks {
		if h.told != state {
			h.told = state // only this goroutine reads or writes it
			h.f(state == isUp)
		}
	}
}

// pause waits for the next turn, or for less if a probe is asked for. It returns false when the client is closed.
func (p *prober) pause(ctx context.Context) bool {
	gap, turn := time.NewTimer(probeGap), time.NewTimer(probeEvery)
	defer gap.Stop()
	defer turn.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-gap.C:
	}
	select {
	case <-ctx.Done():
		return false
	case <-p.wake:
	case <-turn.C:
	}
	return true
}
