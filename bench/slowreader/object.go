package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
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
	if err := resetPeak(s.pid); err != nil {
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
	var err error
	r.peak, err = peak(s.pid)
	return r, err
}

// resetPeak has Linux forget the most memory that a process had until now.
func resetPeak(pid int) error {
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0); err != nil {
		return fmt.Errorf("reset the peak of memory: %w", err)
	}
	return nil
}

// peak is the most memory that a process had, in bytes.
func peak(pid int) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("read the peak of memory: %w", err)
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kb << 10, err
		}
	}
	return 0, fmt.Errorf("process %d tells no peak of memory", pid)
}
