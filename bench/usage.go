package main

import (
	"context"
	"time"

	"forebay/bench/load"
	"forebay/bench/proc"
)

const (
	// settleEvery is how often a server is looked at until it is at rest, and settleMost how long at most.
	settleEvery = 100 * time.Millisecond
	settleMost  = 5 * time.Second
)

// usages are what the servers of a target use.
type usages struct{ redis, proxy proc.Usage }

// usage reads them; with reset, their peaks begin anew.
func (t target) usage(reset bool) (u usages, err error) {
	for _, p := range []struct {
		pid int
		to  *proc.Usage
	}{{t.redis.Pid(), &u.redis}, {t.proxyPid(), &u.proxy}} {
		if p.pid == 0 {
			continue
		}
		if reset {
			if err := proc.ResetPeak(p.pid); err != nil {
				return u, err
			}
		}
		if *p.to, err = proc.Of(p.pid); err != nil {
			return u, err
		}
	}
	return u, nil
}

func (t target) proxyPid() int {
	if t.proxy == nil {
		return 0
	}
	return t.proxy.Pid()
}

// reduce makes a sample of a run and what was used before and after it.
func reduce(r *load.Result, before, after usages) sample {
	ms := func(q float64) float64 { return float64(r.Latency.Quantile(q)) / float64(time.Millisecond) }
	each := func(before, after proc.Usage) float64 {
		return float64((after.CPU - before.CPU).Microseconds()) / float64(r.Commands)
	}
	return sample{
		rate: r.PerSecond(), p50: ms(0.5), p99: ms(0.99), p999: ms(0.999),
		redis: each(before.redis, after.redis), proxy: each(before.proxy, after.proxy),
		redisMB: float64(after.redis.Peak) / 1e6, peakMB: float64(after.proxy.Peak) / 1e6,
	}
}

// quiet waits until a process uses less than a tenth of a core, or settleMost.
func quiet(ctx context.Context, pid int) error {
	return rest(ctx, pid, func(before, now proc.Usage) bool { return now.CPU-before.CPU < settleEvery/10 })
}

// rest looks at a process until two looks, one after the other, are as wanted, or settleMost.
func rest(ctx context.Context, pid int, wanted func(before, now proc.Usage) bool) error {
	tick := time.NewTicker(settleEvery)
	defer tick.Stop()
	before, err := proc.Of(pid)
	for range settleMost / settleEvery {
		if err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		var now proc.Usage
		if now, err = proc.Of(pid); err == nil && wanted(before, now) {
			return nil
		}
		before = now
	}
	return err
}
