package main

import (
	"context"
	"fmt"
	"io"
	"slices"

	"forebay/bench/load"
)

// sample is what one run measured.
type sample struct {
	rate            float64 // commands a second
	p50, p99, p999  float64 // milliseconds
	redis, proxy    float64 // microseconds of CPU a command
	redisMB, peakMB float64 // the most memory of Redis and of the proxy during the run, MB
}

// series are the samples of a row and a target, one a round.
type series map[row]map[string][]sample

// of lists one figure of a row and a target, one a round.
func (s series) of(r row, target string, figure func(sample) float64) []float64 {
	var out []float64
	for _, one := range s[r][target] {
		out = append(out, figure(one))
	}
	return out
}

func rate(s sample) float64 { return s.rate }

// bench measures.
type bench struct {
	options
	*servers
	rows     []row
	progress io.Writer
	series   series
}

// prepare sets every key of every row, and has the near copies read them.
func (b *bench) prepare(ctx context.Context) error {
	var done []int
	for _, r := range b.rows {
		if slices.Contains(done, r.bytes) {
			continue
		}
		done = append(done, r.bytes)
		for _, prefix := range []string{unrouted, routed} {
			if err := load.Fill(ctx, b.targets[direct].addr, keys(prefix, r.bytes), r.bytes); err != nil {
				return fmt.Errorf("set keys: %w", err)
			}
		}
	}
	return nil
}

// rounds measures every row in every round. The targets of a row take turns at being first.
func (b *bench) rounds(ctx context.Context) error {
	b.series = series{}
	for round := range b.options.rounds {
		for i, r := range b.rows {
			fmt.Fprintf(b.progress, "round %d of %d, row %d of %d: %v\n", round+1, b.options.rounds, i+1, len(b.rows), r)
			names := r.targets()
			for turn := range names {
				t, there := b.targets[names[(turn+round)%len(names)]]
				if !there {
					continue
				}
				if err := b.add(r, t, func() (sample, error) { return b.measure(ctx, r, t) }); err != nil {
					return err
				}
				if twin, crossed := r.crossed(); crossed && t.crossed() {
					if err := b.add(twin, t, func() (sample, error) { return b.cross(ctx, r, t) }); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

// add measures once and keeps the sample.
func (b *bench) add(r row, t target, measure func() (sample, error)) error {
	s, err := measure()
	if err != nil {
		return fmt.Errorf("measure %v, %s: %w", r, t.name, err)
	}
	if b.series[r] == nil {
		b.series[r] = map[string][]sample{}
	}
	b.series[r][t.name] = append(b.series[r][t.name], s)
	return nil
}

// measure runs a row against a target once.
func (b *bench) measure(ctx context.Context, r row, t target) (sample, error) {
	c, err := load.Dial(ctx, t.addr, r.options(t))
	if err != nil {
		return sample{}, err
	}
	defer c.Close()
	if t.name == near { // each key once, so that it can be there
		o := r.options(t)
		o.Keys.Order, o.Depth, o.Width, o.Rate = load.Epoch, 1, 1, 0
		if err := pass(ctx, t.addr, o); err != nil {
			return sample{}, err
		}
	}
	duration := b.duration
	if r.bytes == whole {
		duration *= 3 // a few dozen commands, at least
	}
	if _, err := c.Run(ctx, duration/5); err != nil {
		return sample{}, err
	}
	before, err := t.usage(true)
	if err != nil {
		return sample{}, err
	}
	result, err := c.Run(ctx, duration)
	if err != nil {
		return sample{}, err
	}
	after, err := t.usage(false)
	if err != nil {
		return sample{}, err
	}
	if t.name == kafka { // what is still to be sent would take from the next
		err = quiet(ctx, t.proxyPid())
	}
	return reduce(result, before, after), err
}

// pass reads every key once.
func pass(ctx context.Context, addr string, o load.Options) error {
	c, err := load.Dial(ctx, addr, o)
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.Pass(ctx)
	return err
}
