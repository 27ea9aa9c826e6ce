package main

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"forebay/backend/redis"
	"forebay/proxy"
)

// upkeep does what is due each time Redis comes up: look at its settings, learn its commands, ask for users' rights anew.
type upkeep struct {
	redis  *redis.Client
	rights *rights
	log    *slog.Logger
	up     chan bool     // the latest state, if it was not taken yet
	first  chan struct{} // closed at the first answer
	once   sync.Once

	mu    sync.Mutex
	facts redis.Facts // zero while unknown
	err   error       // the server cannot be served
	front *proxy.Server
}

func newUpkeep(c *redis.Client, r *rights, log *slog.Logger) *upkeep {
	return &upkeep{redis: c, rights: r, log: log, up: make(chan bool, 1), first: make(chan struct{})}
}

// change takes Redis's state from the prober, which must not be kept waiting: only the latest counts.
func (u *upkeep) change(up bool) {
	if up {
		u.once.Do(func() { close(u.first) })
	}
	select {
	case <-u.up:
	default:
	}
	u.up <- up // there is room: nobody else sends
}

// await waits for the first answer.
func (u *upkeep) await(ctx context.Context, within time.Duration) bool {
	select {
	case <-u.first:
		return true
	case <-time.After(within):
	case <-ctx.Done():
	}
	return false
}

// settleWithin bounds each round of questions.
const settleWithin = 5 * time.Second

// look asks for the server's settings. The error is that it cannot be served; one that does not tell is served.
func (u *upkeep) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, settleWithin)
	defer cancel()
	f, err := u.redis.Facts(ctx)
	if err != nil {
		u.log.Warn("redis did not tell its settings", "error", err)
		return nil
	}
	u.mu.Lock()
	known := u.facts.RunID == f.RunID && f.RunID != ""
	u.facts, u.err = f, f.Check()
	u.mu.Unlock()
	if !known {
		u.log.Info("redis answers", "version", f.Version, "mode", f.Mode, "maxmemory", f.MaxMemory, "policy", f.Policy)
		for _, w := range f.Warnings() {
			u.log.Warn("redis settings", "problem", w)
		}
	}
	return u.unfit()
}

// unfit is why the server cannot be served, nil if it can or is not known.
func (u *upkeep) unfit() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.err
}

// version is the server's, "" if it is not known.
func (u *upkeep) version() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.facts.Version
}

// attach gives the front what was learnt, and lets it have what is learnt from now on.
func (u *upkeep) attach(front *proxy.Server) {
	u.mu.Lock()
	u.front = front
	u.mu.Unlock()
	if u.redis.Up() {
		u.learn(context.Background())
	}
}

// learn asks for COMMAND: a server may have commands that the front does not know.
func (u *upkeep) learn(ctx context.Context) {
	u.mu.Lock()
	front := u.front
	u.mu.Unlock()
	if front == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, settleWithin)
	defer cancel()
	list, err := u.redis.Commands(ctx)
	if err != nil {
		u.log.Warn("redis did not tell its commands: those unknown here go on connections of their own", "error", err)
		return
	}
	learnt := make([]proxy.Command, len(list))
	for i, c := range list {
		learnt[i] = learntCommand(&c)
	}
	front.Learn(learnt)
}

// learntCommand is a command as the front wants it. One whose subcommands write, writes: which keys is not known.
func learntCommand(c *redis.CommandInfo) proxy.Command {
	flags := c.Flags
	for i := range c.Sub {
		if slices.Contains(c.Sub[i].Flags, "write") {
			flags = append(slices.Clip(flags), "write")
			break
		}
	}
	return proxy.Command{Name: c.Name, Arity: c.Arity, Flags: flags, First: c.First, Last: c.Last, Step: c.Step}
}

// run does what is due until ctx ends.
func (u *upkeep) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case up := <-u.up:
			if !up {
				continue
			}
		}
		if err := u.look(ctx); err != nil {
			u.log.Error("redis cannot be served", "error", err)
		}
		u.learn(ctx)
		u.rights.refresh(ctx)
	}
}

// startUpkeep begins to follow Redis, and asks what users may read: now and then.
func (n *node) startUpkeep(ctx context.Context) error {
	n.rights.mayRead("", "") // asked for now, so that it is known when Redis goes down
	if n.redis.Up() {
		n.rights.refresh(ctx)
	}
	n.up.push("upkeep", closed(background(n.upkeep.run)))
	n.up.push("rights", closed(background(n.rights.run)))
	return nil
}
