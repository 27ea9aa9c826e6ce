package redis

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"forebay/backend"
)

const (
	// defaultTimeout is the share of a read's budget of 3 s that Redis may use.
	defaultTimeout = time.Second
	// poolSize bounds the connections of one database. Each carries whole batches, so a few go far.
	poolSize = 16
	// maxDatabases bounds the pools. Databases come from routes and client SELECTs; an idle pool holds no connection.
	maxDatabases = 128
	// idleTime is how long an unused connection may stay open.
	idleTime = time.Minute
)

// Options says where Redis is and as whom to speak to it. The zero value means 127.0.0.1:6379 without authentication.
type Options struct {
	Network  string        // "tcp" or "unix"; "" is tcp
	Addr     string        // host:port, or the socket's path; "" is 127.0.0.1:6379
	Username string        // "" with a password is the default user
	Password string        // "" sends no AUTH
	TLS      *tls.Config   // nil is no TLS; an empty ServerName is Addr's host
	Timeout  time.Duration // of one call, dialling included; 0 is 1 s
	Log      *slog.Logger  // nil logs nothing
}

// Client is Forebay's own connection to one Redis. It is safe for concurrent use. Make one with [Open].
type Client struct {
	opt    Options
	log    *slog.Logger
	dialer *dialer
	state  *prober

	// slotTags is a tag for each slot, made at its first use: 10 ms.
	slotTags               func() *[slots]string
	acquire, settle, enter script
	store                  script // of values that are alike: settle for most of them
	ages, stamp, slide     script // of keys with stamps

	cancel context.CancelFunc // ends the client's life
	during during
	wg     sync.WaitGroup

	mu     sync.Mutex
	pools  map[int]*goredis.Client
	closed bool
}

var _ backend.Store = (*Client)(nil)

// Open returns a client and begins to probe the server. It never fails for a server that is down or not yet there:
// ask [Client.Up]. The caller must Close it.
func Open(opt Options) *Client {
	if opt.Network == "" {
		opt.Network = "tcp"
	}
	if opt.Addr == "" {
		opt.Addr = "127.0.0.1:6379"
	}
	if opt.Timeout <= 0 {
		opt.Timeout = defaultTimeout
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	life, cancel := context.WithCancel(context.Background())
	c := &Client{opt: opt, log: opt.Log, cancel: cancel, during: lifetime(life), pools: map[int]*goredis.Client{}}
	c.slotTags = sync.OnceValue(slotTable)
	c.acquire, c.settle, c.enter = newScript(acquireScript), newScript(settleScript), newScript(enterScript)
	c.store = newScript(storeScript)
	c.ages, c.stamp, c.slide = newScript(agesScript), newScript(stampScript), newScript(slideScript)
	c.dialer = newDialer(c.during, opt)
	c.state = newProber(c)
	c.wg.Go(func() { c.state.run(life) })
	return c
}

// during derives a context that also ends with the client. Its cancel must be called.
type during func(context.Context) (context.Context, context.CancelFunc)

func lifetime(life context.Context) during {
	return func(ctx context.Context) (context.Context, context.CancelFunc) {
		ctx, cancel := context.WithCancel(ctx)
		detach := context.AfterFunc(life, cancel)
		return ctx, func() { detach(); cancel() }
	}
}

// Close ends every connection, watcher and goroutine of the client and waits for them.
// Calls under way fail. It must not be called from an [Client.OnChange] hook. A second Close does nothing.
func (c *Client) Close() {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return
	}
	c.closed = true
	pools := c.pools
	c.pools = nil
	c.mu.Unlock()

	c.cancel() // ends dials, the prober and the watchers
	for _, p := range pools {
		_ = p.Close()
	}
	c.dialer.close() // ends reads under way
	c.wg.Wait()
}

// begin runs f in a goroutine that Close waits for, unless the client is closed.
func (c *Client) begin(f func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.wg.Go(f)
	return true
}

// pool returns the pool of a database, made at its first use.
//
// A pool a database, and not one pool with SELECT in front of each pipeline: were such a SELECT refused (an ACL, a
// smaller server after a failover), the commands behind it would still run, in whatever database the connection was
// left in, and a fill would go where nobody looks for it. A pool's handshake selects before anything else may be sent.
func (c *Client) pool(db int) (*goredis.Client, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, c.down(goredis.ErrClosed)
	}
	if p := c.pools[db]; p != nil {
		return p, nil
	}
	if db < 0 {
		return nil, fmt.Errorf("select database %d: not a database", db)
	}
	if len(c.pools) >= maxDatabases {
		return nil, fmt.Errorf("select database %d: %d databases are in use, which is the most", db, len(c.pools))
	}
	o := c.options()
	o.DB = db
	p := goredis.NewClient(o)
	c.pools[db] = p
	return p, nil
}

// options are go-redis's for this server: nothing retried, deadlines kept, no maintenance notifications.
// RESP3 is asked for; a server without HELLO is spoken to in RESP2.
func (c *Client) options() *goredis.Options {
	return &goredis.Options{
		Network:                  c.opt.Network,
		Addr:                     c.opt.Addr,
		Username:                 c.opt.Username,
		Password:                 c.opt.Password,
		Protocol:                 3,
		Dialer:                   c.dialer.dial,
		DialTimeout:              c.opt.Timeout,
		DialerRetries:            1,
		ReadTimeout:              c.opt.Timeout,
		WriteTimeout:             c.opt.Timeout,
		PoolTimeout:              c.opt.Timeout,
		ContextTimeoutEnabled:    true,
		MaxRetries:               -1,
		PoolSize:                 poolSize,
		PipelinePoolSize:         -1, // the pool above is for pipelines already
		MaxIdleConns:             poolSize / 4,
		ConnMaxIdleTime:          idleTime,
		DisableIdentity:          true, // CLIENT SETINFO is unknown before Redis 7.2
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
}
