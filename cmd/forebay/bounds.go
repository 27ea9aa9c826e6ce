package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"forebay/internal/metric"
	"forebay/internal/web"
)

// boundChecks are the lines of health on loads and fills: what neither server says of itself.
func (n *node) boundChecks() []web.Check {
	return []web.Check{
		{Name: "loads", Probe: func(context.Context) error { return n.guarded.Health() }},
		{Name: "fills", Probe: func(context.Context) error { return n.store.refusals.health() }},
	}
}

// loadGauges are the figures of loads and fills for /metrics.
func (n *node) loadGauges() metric.Loads {
	s := n.guarded.State()
	return metric.Loads{
		Limit: s.Limit, UnderWay: s.UnderWay, Waiting: s.Waiting, Open: s.Open,
		Overloaded: s.Overloaded, Broken: s.Broken, Retries: s.Retries, Refusals: n.store.refusals.counts(),
	}
}

// slowRedis is how long Redis may take to answer a PING before it is said to be slow: a part of the second that a request gives it.
const slowRedis = 250 * time.Millisecond

// redisLine is the line of health on Redis: beside what keeps reads from being answered, what slows them.
func (n *node) redisLine(ctx context.Context) error {
	slow := error(nil)
	if took := n.redis.Took(); took >= slowRedis {
		slow = fmt.Errorf("slow: redis answers a PING in %v", took.Round(time.Millisecond))
	}
	return errors.Join(n.redisHealthy(ctx), slow)
}
