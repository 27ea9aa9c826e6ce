package main

import (
	"context"
	"fmt"
	"net"

	"forebay/bench/proc"
)

// idleCost is memory by connections: what each of them costs a server.
type idleCost struct {
	conns   int
	servers map[string]float64 // bytes a connection
}

// idle opens more and more connections, lets each ask once, and weighs the server when it has come to rest. It uses servers of its own, which
// nothing else has made grow.
func idle(ctx context.Context, p programs, counts []int) (costs []idleCost, err error) {
	s, err := startServers(ctx, p, "")
	if err != nil {
		return nil, err
	}
	defer func() {
		if stopped := s.Stop(); err == nil {
			err = stopped
		}
	}()
	for _, n := range counts {
		costs = append(costs, idleCost{n, map[string]float64{}})
	}
	for _, name := range []string{direct, twemproxy, forebay} {
		t, there := s.targets[name]
		if !there {
			continue
		}
		if err := t.weigh(ctx, counts, costs); err != nil {
			return nil, fmt.Errorf("weigh idle connections of %s: %w", name, err)
		}
	}
	return costs, nil
}

// weigh opens connections up to each of the counts, and puts what each costs into costs.
func (t target) weigh(ctx context.Context, counts []int, costs []idleCost) error {
	pid := t.proxyPid()
	if pid == 0 {
		pid = t.redis.Pid()
	}
	var conns []net.Conn
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	base, err := settled(ctx, pid)
	if err != nil {
		return err
	}
	for i, n := range counts {
		for len(conns) < n {
			c, err := new(net.Dialer).DialContext(ctx, "tcp", t.addr)
			if err != nil {
				return err
			}
			conns = append(conns, c)
			if err := askForNothing(c); err != nil {
				return err
			}
		}
		rss, err := settled(ctx, pid)
		if err != nil {
			return err
		}
		costs[i].servers[t.name] = float64(rss-base) / float64(n)
	}
	return nil
}

// settled waits until a process's memory changes by less than a thousandth from one look to the next, or settleMost.
func settled(ctx context.Context, pid int) (int64, error) {
	if err := rest(ctx, pid, func(before, now proc.Usage) bool { return max(now.RSS-before.RSS, before.RSS-now.RSS) < now.RSS/1000 }); err != nil {
		return 0, err
	}
	u, err := proc.Of(pid)
	return u.RSS, err
}
