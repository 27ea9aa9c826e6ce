package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"forebay/backend"
	"forebay/backend/embedded"
	"forebay/backend/redis"
	"forebay/config"
	"forebay/internal/event"
)

// redisAddress is where Redis is, as drivers want it.
type redisAddress struct {
	network, addr string
	tls           *tls.Config // nil: clear text
}

// newRedisAddress reads it from the configuration, which does not say embedded.
func newRedisAddress(c *config.Redis) (redisAddress, error) {
	a := redisAddress{network: "tcp", addr: c.Address}
	if path, ok := strings.CutPrefix(c.Address, "unix://"); ok {
		a = redisAddress{network: "unix", addr: path}
	}
	var err error
	if a.tls, err = c.TLS.Load(); err != nil {
		return a, &usageError{fmt.Errorf("redis.tls: %w", err)}
	}
	if host, _, err := net.SplitHostPort(a.addr); a.tls != nil && a.tls.ServerName == "" && err == nil {
		a.tls.ServerName = host
	}
	return a, nil
}

// open returns Forebay's own client. It asks for nothing yet.
func (a redisAddress) open(c *config.Redis, log *slog.Logger) *redis.Client {
	return redis.Open(redis.Options{
		Network: a.network, Addr: a.addr, TLS: a.tls, Username: c.Username, Password: string(c.Password),
		Timeout: c.Timeout, Log: log,
	})
}

// evictions passes on what the in-process stand-in removes, once there are events to pass it to: it runs before they do.
type evictions struct {
	to atomic.Pointer[event.Pipeline]
}

func (e *evictions) record(db int, key []byte, expired bool) {
	p := e.to.Load()
	if p == nil {
		return
	}
	ev := event.Event{Kind: event.Evict, Reason: event.Evicted, DB: db, Key: key}
	if expired {
		ev.Reason = event.Expired
	}
	p.Record(&ev)
}

// startPrivateRedis starts the embedded Redis if that is what the configuration asks for.
func (n *node) startPrivateRedis(ctx context.Context) error {
	if n.cfg.Redis.Address != config.Embedded {
		var err error
		n.redisAddr, err = newRedisAddress(&n.cfg.Redis)
		return err
	}
	r, err := embedded.StartRedis(ctx, embedded.Options{
		InProcess: n.cmd.InProcess, OnEvict: n.evictions.record, Log: n.log,
	})
	if err != nil {
		return fmt.Errorf("start the embedded redis: %w", err)
	}
	n.private = r
	n.redisAddr = redisAddress{network: r.Network(), addr: r.Addr()}
	n.up.push("embedded redis", closed(r.Close))
	return nil
}

// firstAnswer is how long a start waits for Redis before it goes on without.
const firstAnswer = time.Second

// startRedis opens Forebay's own client and looks at the server. One that is down is no reason not to start; one that cannot be
// served is.
func (n *node) startRedis(ctx context.Context) error {
	c := n.redisAddr.open(&n.cfg.Redis, n.log)
	n.redis = c
	n.up.push("redis", closed(c.Close))
	n.rights = newRights(c.Readable, c.Users)
	if n.private != nil && n.private.InProcess() {
		n.rights = newRights(everybody, func(context.Context) (redis.Users, error) { return redis.Users{}, nil })
	}
	n.upkeep = newUpkeep(c, n.rights, n.log)
	c.OnChange(n.upkeep.change)
	if !n.upkeep.await(ctx, firstAnswer) {
		n.log.Warn("redis does not answer yet: routed reads are loaded, the rest answers REDISDOWN",
			"address", n.redisAddr.addr, "error", c.Err())
		return nil
	}
	return n.upkeep.look(ctx)
}

// everybody is what the in-process stand-in has in place of ACLs: a user who could authenticate may read.
func everybody(context.Context, string) (redis.Readable, error) {
	return redis.Everything(), nil
}

// startWatcher listens for evictions.
func (n *node) startWatcher(ctx context.Context) error {
	n.evictions.to.Store(n.events)
	if n.private != nil && n.private.InProcess() {
		return nil
	}
	mode := redis.Mode(n.cfg.Redis.Notifications)
	n.watcher = n.redis.Watch(context.Background(), redis.WatchOptions{Mode: mode, Record: n.recordEviction})
	n.up.push("watcher", closed(n.watcher.Close))
	if mode != redis.Require || !n.redis.Up() {
		return nil
	}
	if err := n.awaitNotifications(ctx); err != nil {
		return fmt.Errorf("redis.notifications is require, but %w", err)
	}
	return nil
}

// patterns is how many patterns the watcher is subscribed to.
func (n *node) patterns() int {
	if n.watcher == nil {
		return 0
	}
	return n.watcher.Patterns()
}

// recordEviction adds the route, and leaves out the watcher's own keys.
func (n *node) recordEviction(ev *event.Event) {
	if strings.HasPrefix(string(ev.Key), backend.HiddenPrefix) {
		return
	}
	if r := n.routeOf(ev.DB, ev.Key); r != nil {
		ev.Route = r.Name
	}
	n.events.Record(ev)
}

// awaitNotifications waits until the server is known to send what is needed.
func (n *node) awaitNotifications(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*firstAnswer)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := n.watcher.Healthy()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return err
		}
	}
}

// askRedis looks at the configured Redis once.
func askRedis(ctx context.Context, cfg *config.Config) (string, error) {
	if cfg.Redis.Address == config.Embedded {
		return "redis: embedded, started by serve", nil
	}
	a, err := newRedisAddress(&cfg.Redis)
	if err != nil {
		return "", err
	}
	c := a.open(&cfg.Redis, slog.New(slog.DiscardHandler))
	defer c.Close()
	f, err := c.Facts(ctx)
	if err != nil {
		return "", fmt.Errorf("ask redis at %s: %w", a.addr, err)
	}
	if err := f.Check(); err != nil {
		return "", err
	}
	line := "redis: " + a.addr + " answers, version " + f.Version
	for _, w := range f.Warnings() {
		line += "\nwarning: " + w
	}
	return line, nil
}
