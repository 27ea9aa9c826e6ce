package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"forebay/bench/proc"
)

// reads are ten clients' (or as many as are asked for) of the large value at once.
type reads struct {
	took time.Duration // until the last had it
	peak int64         // bytes of memory that Forebay had at most meanwhile
}

// objects are the measured ones, one a round.
type objects struct{ cold, warm, direct []reads }

// measureObject reads the object cold, cached, and straight from Redis.
func (s *stack) measureObject(ctx context.Context, o options, all *objects) error {
	c, err := dial(ctx, s.ports["redis"])
	if err != nil {
		return err
	}
	defer c.close()
	if err := c.ok("DEL", objectKey); err != nil {
		return err
	}
	for _, m := range []struct {
		target string
		to     *[]reads
	}{{"forebay", &all.cold}, {"forebay", &all.warm}, {"redis", &all.direct}} {
		r, err := s.readAtOnce(ctx, o, m.target)
		if err != nil {
			return fmt.Errorf("%d readers of the object, %s: %w", o.clients, m.target, err)
		}
		*m.to = append(*m.to, r)
	}
	return nil
}

// readAtOnce has as many clients as are asked for read the object.
func (s *stack) readAtOnce(ctx context.Context, o options, target string) (reads, error) {
	conns := make([]*conn, o.clients)
	for i := range conns {
		c, err := dial(ctx, s.ports[target])
		if err != nil {
			return reads{}, err
		}
		defer c.close()
		if err := c.ok("PING"); err != nil {
			return reads{}, err
		}
		conns[i] = c
	}
	if err := proc.ResetPeak(s.pid); err != nil {
		return reads{}, err
	}
	errs := make(chan error, o.clients)
	var all sync.WaitGroup
	began := time.Now()
	for _, c := range conns {
		all.Go(func() { errs <- c.get(objectKey, o.size) })
	}
	all.Wait()
	r := reads{took: time.Since(began)}
	for range conns {
		if err := <-errs; err != nil {
			return r, err
		}
	}
	usage, err := proc.Of(s.pid)
	r.peak = usage.Peak
	return r, err
}
