package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// taken is what a reader that stalls takes before it does.
const taken = 1 << 20

// turn is what the slow reader takes at a time, between pauses that make its rate: as a trainer that decodes as it reads would.
const turn = 64 << 10

// targets are who is asked, in the order of a round, and besides whom.
func targets() []string { return []string{"redis", "forebay"} }
func besides() []string { return []string{"idle", "slow", "stalled"} }

// latency is what one phase of small GETs took.
type latency struct{ p50, p99, most time.Duration }

// setting is one of the measurements of a round.
type setting struct{ target, beside string }

// smalls are the measured ones, one a round.
type smalls map[setting][]latency

// measureSmall measures each target beside each reader.
func (s *stack) measureSmall(ctx context.Context, o options, all smalls) error {
	for _, beside := range besides() {
		for _, target := range targets() {
			l, err := s.beside(ctx, o, target, beside)
			if err != nil {
				return fmt.Errorf("small GETs of %s, %s: %w", target, beside, err)
			}
			all[setting{target, beside}] = append(all[setting{target, beside}], l)
		}
	}
	return nil
}

// beside measures small GETs while another client reads the large value.
func (s *stack) beside(ctx context.Context, o options, target, how string) (latency, error) {
	c, err := dial(ctx, s.ports[target])
	if err != nil {
		return latency{}, err
	}
	defer c.close()
	if how == "idle" {
		return smallGets(c, o.phase)
	}
	reading, stop := context.WithCancel(ctx)
	defer stop()
	begun, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- s.readSlowly(reading, o, target, how == "stalled", begun) }()
	select {
	case <-begun:
	case err := <-ended:
		return latency{}, fmt.Errorf("the slow reader: %w", err)
	}
	l, err := smallGets(c, o.phase)
	stop()
	if slow := <-ended; err == nil && slow != nil {
		err = fmt.Errorf("the slow reader: %w", slow)
	}
	return l, err
}

// smallGets asks for the small value, one GET after the other.
func smallGets(c *conn, phase time.Duration) (latency, error) {
	ask := command("GET", smallKey)
	took := make([]time.Duration, 0, 100_000*int(phase/time.Second+1))
	if err := c.SetDeadline(time.Now().Add(phase + patience)); err != nil {
		return latency{}, err
	}
	for began := time.Now(); time.Since(began) < phase; {
		asked := time.Now()
		if _, err := c.Write(ask); err != nil {
			return latency{}, err
		}
		n, err := c.head()
		if err == nil {
			_, err = c.in.Discard(n + 2)
		}
		if err != nil {
			return latency{}, err
		}
		took = append(took, time.Since(asked))
	}
	slices.Sort(took)
	n := len(took)
	return latency{took[n/2], took[n*99/100], took[n-1]}, nil
}

// readSlowly reads the large value at the rate of the options, again and again, or only its first bytes, until ctx ends. begun is closed when the first of it has
// come.
func (s *stack) readSlowly(ctx context.Context, o options, target string, stall bool, begun chan<- struct{}) error {
	c, err := dial(ctx, s.ports[target])
	if err != nil {
		return err
	}
	defer c.close()
	tick := time.NewTicker(time.Duration(turn) * time.Second / time.Duration(o.rate))
	defer tick.Stop()
	for first := true; ; first = false {
		if err := c.send("GET", largeKey); err != nil {
			return unless(ctx, err)
		}
		n, err := c.head()
		for left := n + 2; err == nil && left > 0; left -= turn {
			if _, err = io.CopyN(io.Discard, c.in, int64(min(left, turn))); err != nil {
				break
			}
			if first && n+2-left >= taken-turn {
				close(begun)
				first = false
			}
			if stall && n+2-left >= taken-turn {
				<-ctx.Done()
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return nil
			}
		}
		if err != nil {
			return unless(ctx, err)
		}
	}
}

// unless is err, but for what the end of ctx has caused.
func unless(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return nil
	}
	return err
}
