package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"forebay/backend/embedded"
	"forebay/backend/kafka"
	"forebay/backend/redis"
	"forebay/backend/redis/wire"
	"forebay/config"
	"forebay/internal/cache"
	"forebay/internal/event"
	"forebay/internal/guard"
	"forebay/internal/invalidation"
	"forebay/internal/metric"
	"forebay/internal/near"
	"forebay/internal/route"
	"forebay/internal/session"
	"forebay/internal/web"
	"forebay/proxy"
)

// serveCmd is the cache itself.
type serveCmd struct {
	InProcess bool `help:"With the embedded Redis: the built-in stand-in, also where a redis-server is installed."`
}

// node is one running Forebay. Each step of its way up fills in what it made and pushes the way down.
type node struct {
	cmd   serveCmd
	cfg   *config.Config
	log   *slog.Logger
	began time.Time
	up    stack

	routes    *route.Table
	registry  *prometheus.Registry
	metrics   *metric.Metrics
	resp      net.Listener
	http      net.Listener
	private   *embedded.Redis // nil: Redis is not ours
	evictions evictions       // of the in-process stand-in
	redis     *redis.Client
	store     store // redis, as the engine has it
	redisAddr redisAddress
	upkeep    *upkeep
	rights    *rights
	source    *source
	guarded   *guard.Source // what source asks
	sourceUp  atomic.Bool
	sinks     []event.Sink
	kafka     *kafka.Sink // nil: none
	eventFile string      // "": none
	events    *event.Pipeline
	sessions  *session.Manager
	pool      *wire.Pool
	watcher   *redis.Watcher // nil: evictions are not watched
	engine    *cache.Engine
	near      *near.Cache // nil: none
	invalid   *invalidation.Queue
	changes   *kafka.Reader // nil: no topic of changed keys
	removers  *rights       // who may remove keys
	front     *proxy.Server
	web       *web.Server
	reads     reads         // by HTTP
	gate      *cache.Gate   // nil: all that is loaded is stored
	memory    memory        // of Redis
	broken    chan error    // a part that ended by itself
	ready     chan struct{} // closed when everything is up
}

// Run serves until SIGINT or SIGTERM.
func (cmd serveCmd) Run(c *console) (err error) {
	cfg, err := c.config()
	if err != nil {
		return err
	}
	n := &node{
		cmd: cmd, cfg: cfg, log: newLogger(c.err, cfg.Log), began: time.Now(), broken: make(chan error, 2), ready: make(chan struct{}),
	}
	for _, w := range cfg.Warnings {
		n.log.Warn("configuration", "problem", w)
	}
	defer func() {
		err = errors.Join(err, n.up.close(cfg.Shutdown.Grace, n.log))
	}()
	// What depends on the operator alone comes first, so that a mistake is told at once. The way down is this list backwards: no new
	// clients, those there are drained, then HTTP, the engine, and what they stood on; events end after all who record them.
	for _, start := range []func(context.Context) error{
		n.startMetrics,
		n.listen,
		n.startPrivateRedis,
		n.startRedis,
		n.startSource,
		n.makeSessions,
		n.startEvents,
		n.startSessions,
		n.startPool,
		n.startWatcher,
		n.startUpkeep,
		n.startEngine,
		n.startNear,
		n.startInvalidation,
		n.startHTTP,
		n.startFront,
	} {
		if err := start(c.ctx); err != nil {
			if c.ctx.Err() != nil {
				n.log.Info("interrupted while starting")
				return nil
			}
			return err
		}
	}
	fmt.Fprint(c.out, n.banner())
	close(n.ready)
	select {
	case <-c.ctx.Done():
		n.log.Info("shutting down", "clients", n.front.Clients(), "grace", cfg.Shutdown.Grace.String())
		return nil
	case err := <-n.broken:
		return err
	}
}

// listen takes both ports, before anything is started that a taken port would make useless. Clients that come early wait.
func (n *node) listen(ctx context.Context) error {
	for _, p := range []struct {
		field, address string
		to             *net.Listener
	}{{"listen.address", n.cfg.Listen.Address, &n.resp}, {"http.address", n.cfg.HTTP.Address, &n.http}} {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", p.address)
		if err != nil {
			return fmt.Errorf("%s: %w; stop what listens there, or choose another with --%[1]s", p.field, err)
		}
		*p.to = l
		// Whoever serves it closes it first; that it is closed already is no error worth telling.
		n.up.push("listener "+p.field, closed(func() { _ = l.Close() }))
	}
	return nil
}

// startMetrics compiles the routes and makes their counts.
func (n *node) startMetrics(context.Context) error {
	var err error
	if n.routes, err = compile(n.cfg); err != nil {
		return err
	}
	if len(n.routes.Routes()) == 0 {
		n.log.Warn("no routes are configured: every command is forwarded and nothing is loaded")
	}
	names := make([]string, len(n.routes.Routes()))
	for i, r := range n.routes.Routes() {
		names[i] = r.Name
	}
	n.registry = prometheus.NewRegistry()
	n.metrics, err = metric.New(metric.Options{Registerer: n.registry, Routes: names, Build: build()})
	if err != nil {
		return err
	}
	n.up.push("metrics", closed(background(n.metrics.Run)))
	return nil
}

// startSource opens the source and checks the routes against it; where it is down, that is done when it answers.
func (n *node) startSource(ctx context.Context) error {
	src, err := openSource(ctx, n.cfg, n.log)
	if err != nil {
		return err
	}
	n.guarded = guarded(src, n.cfg, n.log)
	src.Source = n.guarded
	n.source = src
	n.up.push("source", closed(src.Close))
	mine, down := bind(ctx, n.routes, src)
	if mine != nil {
		return &usageError{mine}
	}
	n.sourceUp.Store(down == nil)
	if down != nil {
		n.log.Warn("source does not answer yet: misses answer SOURCEDOWN", "source", src.text, "error", down)
		n.up.push("rebind", closed(background(func(ctx context.Context) { rebind(ctx, n.routes, src, n.log) })))
	}
	return nil
}

// startPool makes the shared raw connections; none is dialled yet.
func (n *node) startPool(context.Context) error {
	n.pool = wire.NewPool(wire.Options{
		Network: n.redisAddr.network, Addr: n.redisAddr.addr, TLS: n.redisAddr.tls, DialTimeout: n.cfg.Redis.Timeout,
		GiveUp: n.cfg.Budget, Down: func() bool { return !n.redis.Up() },
		Executes: func(ctx context.Context) bool { return n.redis.Executes(ctx) == nil },
		Replaced: func(owed time.Duration) {
			n.log.Warn("connection to redis went dead: closed, and made anew when needed", "owed", owed.Round(time.Millisecond))
		},
	})
	n.up.push("pool", closed(n.pool.Close))
	return nil
}

// maxLoads is how many queries of the source are under way or wait for their turn (loads.limit): each has a goroutine.
const maxLoads = 64 << 10

// startEngine makes what loads.
func (n *node) startEngine(ctx context.Context) error {
	if a := n.cfg.Admission; a.Policy == config.AdmitStable {
		n.gate = cache.NewGate(a.High, a.MaxBytes)
	}
	n.store.Client = n.redis
	o := cache.Options{
		Store: &n.store, Source: n.source, Routes: n.routes, Record: n.events.Record,
		Budget: n.cfg.Budget, StoreBudget: n.storeBudget(), Loads: maxLoads, Log: n.log,
		Settle: func(ctx context.Context) error { return n.invalid.Settle(ctx) },
	}
	if n.gate != nil {
		o.Admit = n.gate.Admit
		n.askMemory(ctx) // or the first fills would not know that it is full
	}
	n.engine = cache.New(o)
	n.up.push("engine", closed(n.engine.Close))
	return nil
}

// storeBudget is the part of a request's time that Redis may take: of the default 3 s, 1 s.
func (n *node) storeBudget() time.Duration { return min(n.cfg.Redis.Timeout, n.cfg.Budget/3) }

// startFront serves Redis clients.
func (n *node) startFront(context.Context) error {
	tls, err := n.cfg.Listen.TLS.Load()
	if err != nil {
		return &usageError{fmt.Errorf("listen.tls: %w", err)}
	}
	l := n.cfg.Listen.Limits
	n.front, err = proxy.New(proxy.Options{
		Pool: n.pool, Engine: n.engine, Near: n.near, Routes: n.routes, Store: n.redis, Events: n.events, Commands: n.metrics.Commands(),
		Limits: proxy.Limits{
			Clients: l.Clients, RequestBytes: l.RequestBytes, Arguments: int64(l.Arguments), Pipeline: l.Pipeline,
			ReplyBytes: int(l.ReplyBytes), InputBytes: int(l.InputBytes), WriteTimeout: l.WriteTimeout, TotalBytes: l.TotalBytes,
		},
		Budget: n.cfg.Budget, StoreBudget: n.storeBudget(),
		MayRead: n.rights.mayRead, MayRun: n.rights.mayRun, RightsChanged: n.rightsChanged, Permits: n.redis.Permits, Info: n.info, Patterns: n.patterns, Sessions: sessionVerbs{n.sessions, n.events}, AfterUse: n.cfg.AfterUse(), Version: version, TLS: tls, Log: n.log,
		Invalid: n.invalid, MayRemove: n.mayRemove,
	})
	if err != nil {
		return err
	}
	n.upkeep.attach(n.front)
	n.rights.attach(n.front.CloseUsers)
	if err := n.startGauges(); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := n.front.Serve(n.resp); err != nil {
			n.broken <- fmt.Errorf("serve %s: %w", n.resp.Addr(), err)
		}
	}()
	n.up.push("front", func(ctx context.Context) error {
		n.web.Drain() // balancers turn away while clients finish
		err := n.front.Shutdown(ctx)
		<-ended
		return err
	})
	return nil
}
