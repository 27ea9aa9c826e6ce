package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// warmCmd loads keys through a running forebay: FOREBAY PREFETCH in batches, on several connections. What it says at the end is counted in Redis, not
// concluded from the loads: a cache may give up while it fills what it was filled with before.
type warmCmd struct {
	front
	Keys      []string      `arg:"" optional:"" name:"key" help:"Keys to load."`
	Pattern   []pattern     `sep:"none" placeholder:"KEYS" help:"Keys that differ in numbers, as mnist:train:{0..59999}. May be given several times."`
	File      string        `type:"path" placeholder:"FILE" help:"File of keys, one a line."`
	Parallel  int           `default:"4" placeholder:"N" help:"Commands at once, each of up to 256 keys. 1 to 64. Default: 4."`
	Patience  time.Duration `default:"30s" help:"How long to try again while forebay, Redis or the source does not answer."`
	MaxFailed int           `default:"100" placeholder:"N" help:"Stop after so many keys that could not be loaded. Default: 100."`
	Verify    bool          `default:"true" negatable:"" help:"Count afterwards what Redis holds."`
}

// Run loads and verifies, and prints what was done. It fails unless every key that the source has is in Redis then.
func (cmd warmCmd) Run(c *console) error {
	if err := cmd.usage(); err != nil {
		return err
	}
	to, err := cmd.address(c)
	if err != nil {
		return err
	}
	keys := &keyList{keys: cmd.Keys, patterns: cmd.Pattern, file: cmd.File}
	total, err := keys.count()
	if err != nil {
		return err
	}
	w := &warmer{to: to, keys: keys, total: total, parallel: cmd.Parallel, patience: cmd.Patience, maxFailed: cmd.MaxFailed, errs: c.err}
	w.progress.w = c.err
	began := time.Now()
	stopped := w.load(c.ctx)
	took := time.Since(began)
	fmt.Fprintf(c.out, "%s: %d loaded, %d present already, %d absent in the source, %d without a route, %d failed; %v, %.0f keys/s\n",
		count(total, "key"), w.loaded, w.cached, w.absent, w.unrouted, w.failed, took.Round(time.Millisecond), float64(w.done)/max(took.Seconds(), 0.001))
	if stopped != nil {
		return fmt.Errorf("%w; %d of %s were not tried: the same command goes on there, what is present is not loaded again",
			stopped, total-w.done, count(total, "key"))
	}
	var wrong []string
	if cmd.Verify {
		if err := w.verify(c.ctx); err != nil {
			return fmt.Errorf("count what redis holds: %w", err)
		}
		fmt.Fprintf(c.out, "Redis holds %d of them\n", w.held)
		if left := w.loaded + w.cached - w.held; left > 0 {
			wrong = append(wrong, fmt.Sprintf("%s left Redis again since, evicted or expired: it does not hold them all at once", have(left)))
		}
	}
	if w.failed > 0 {
		wrong = append(wrong, fmt.Sprintf("%s could not be loaded", count(w.failed, "key")))
	}
	if w.unrouted > 0 {
		wrong = append(wrong, fmt.Sprintf("%s no route (see forebay route KEY)", have(w.unrouted)))
	}
	if len(wrong) > 0 {
		return errors.New("not complete: " + strings.Join(wrong, "; "))
	}
	return nil
}

// have is so many keys, and what they have.
func have(n int) string {
	if n == 1 {
		return "1 key has"
	}
	return fmt.Sprintf("%d keys have", n)
}

func (cmd warmCmd) usage() error {
	switch {
	case len(cmd.Keys) == 0 && len(cmd.Pattern) == 0 && cmd.File == "":
		return misused("warm needs keys, --pattern or --file (see forebay warm --help)")
	case cmd.Parallel < 1 || cmd.Parallel > 64:
		return misused("--parallel: want 1 to 64")
	case cmd.Patience < 0:
		return misused("--patience is below zero")
	case cmd.MaxFailed < 1:
		return misused("--max-failed: want 1 or more")
	case cmd.DB < 0:
		return misused("--db is below zero")
	}
	if cmd.File == "" {
		return nil
	}
	info, err := os.Stat(cmd.File)
	if err != nil {
		return misused("--file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return misused("--file: %s is no regular file: it is gone through several times", cmd.File)
	}
	return nil
}
