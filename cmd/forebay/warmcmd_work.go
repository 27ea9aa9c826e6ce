package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"forebay/backend/cassandra"
)

// warmer goes through keys on several connections and counts. Its fields below mu are guarded by it.
type warmer struct {
	to        address
	keys      *keyList
	total     int
	parallel  int
	patience  time.Duration
	maxFailed int
	errs      io.Writer // the first failures

	mu       sync.Mutex
	progress loadProgress
	done     int // keys that are decided
	loaded, cached, absent, unrouted, failed,
	held int // of loaded and cached, what Redis holds afterwards
}

// shownFailures is how many failed keys are named.
const shownFailures = 10

// errFailing ends a warm-up of which too much fails.
var errFailing = errors.New("too many keys could not be loaded")

// load has every key loaded. The error says why it stopped before the last.
func (w *warmer) load(ctx context.Context) error {
	w.progress.begin("warm", "key", w.total)
	defer w.progress.end()
	return w.pass(ctx, func(ctx context.Context, c *respClient, batch [][]byte) error {
		return w.prefetch(ctx, c, batch, w.patience)
	})
}

// verify counts what of the keys Redis holds.
func (w *warmer) verify(ctx context.Context) error {
	w.progress.begin("verify", "key", w.total)
	defer w.progress.end()
	seen := 0
	return w.pass(ctx, func(ctx context.Context, c *respClient, batch [][]byte) error {
		var n int
		err := patiently(ctx, w.patience, func() error {
			b, err := c.ask(ctx, append([][]byte{[]byte("EXISTS")}, batch...))
			if err != nil {
				return err
			}
			if n, err = strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(string(b), ":"))); err != nil {
				return &errReply{fmt.Sprintf("EXISTS is answered %.40q", b)}
			}
			return nil
		})
		if err != nil {
			return err
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.held += n
		seen += len(batch)
		w.progress.show(cassandra.Progress{Done: seen, Total: w.total})
		return nil
	})
}

// pass gives all batches to the connections. The first error ends it.
func (w *warmer) pass(ctx context.Context, work func(context.Context, *respClient, [][]byte) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	batches := make(chan [][]byte)
	var wg sync.WaitGroup
	for range w.parallel {
		wg.Go(func() {
			c := &respClient{to: w.to}
			defer c.close()
			for batch := range batches {
				if err := work(ctx, c, batch); err != nil {
					cancel(err)
					return
				}
			}
		})
	}
	err := w.keys.batches(func(batch [][]byte) error {
		select {
		case batches <- batch:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	})
	close(batches)
	wg.Wait()
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, context.Canceled):
		return errors.New("interrupted")
	case cause != nil:
		return cause
	default:
		return err
	}
}

// patiently does something until it is done, or is refused, or nobody has answered for so long.
func patiently(ctx context.Context, patience time.Duration, do func() error) error {
	until, pause := time.Now().Add(patience), 100*time.Millisecond
	for {
		err := do()
		if err == nil || !passing(err) || ctx.Err() != nil || time.Now().Add(pause).After(until) {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return err
		}
		pause = min(2*pause, 5*time.Second)
	}
}

// passing tells whether an error may be gone when the same is asked again.
func passing(err error) bool {
	var refused *errReply
	if !errors.As(err, &refused) {
		return true // of the connection
	}
	switch refused.word() {
	case "SOURCEDOWN", "SOURCETIMEOUT", "REDISDOWN", "LOADING", "BUSY":
		return true
	default:
		return false
	}
}

// ofKeys tells whether an error is about some of the keys that were asked for, and not about all that could be.
func ofKeys(err error) bool {
	var refused *errReply
	if !errors.As(err, &refused) {
		return false
	}
	return refused.word() == "SOURCEINVALID" || refused.word() == "SOURCETIMEOUT" || refused.word() == "WRONGTYPE"
}

// prefetch has a batch loaded. PREFETCH ends with the first failure: which keys of the batch failed is found by halving it. What was loaded before a
// failure counts as present when it is asked for again.
func (w *warmer) prefetch(ctx context.Context, c *respClient, batch [][]byte, patience time.Duration) error {
	var found found
	err := patiently(ctx, patience, func() (err error) {
		var b []byte
		if b, err = c.ask(ctx, append([][]byte{[]byte("FOREBAY"), []byte("PREFETCH")}, batch...)); err == nil {
			found, err = parseFound(b, len(batch))
		}
		return err
	})
	switch {
	case err == nil:
		w.add(found, len(batch))
		return nil
	case !ofKeys(err):
		var refused *errReply
		if errors.As(err, &refused) && refused.word() == "ERR" && strings.Contains(refused.text, "unknown command") {
			return fmt.Errorf("%s is no forebay: %w", c.to.host, err)
		}
		return err
	case len(batch) == 1:
		return w.fail(batch[0], err)
	}
	if passing(err) {
		patience = 0 // it was waited for as long; now it is found out whose fault it is
	}
	if err := w.prefetch(ctx, c, batch[:len(batch)/2], patience); err != nil {
		return err
	}
	return w.prefetch(ctx, c, batch[len(batch)/2:], patience)
}

// found is PREFETCH's answer.
type found struct{ cached, loaded, absent, unrouted int }

// parseFound reads it: names and numbers, n in all.
func parseFound(b []byte, n int) (f found, err error) {
	lines := bytes.Split(b, []byte("\r\n"))
	for i := 1; i+2 < len(lines); i += 3 { // of each: the name's length, the name, the number
		number, err := strconv.Atoi(strings.TrimPrefix(string(lines[i+2]), ":"))
		if err != nil {
			return f, &errReply{fmt.Sprintf("PREFETCH is answered %.80q", b)}
		}
		switch string(lines[i+1]) {
		case "cached":
			f.cached = number
		case "loaded":
			f.loaded = number
		case "absent":
			f.absent = number
		case "unrouted":
			f.unrouted = number
		}
	}
	if sum := f.cached + f.loaded + f.absent + f.unrouted; sum != n {
		return f, &errReply{fmt.Sprintf("PREFETCH of %d keys is answered %.80q", n, b)}
	}
	return f, nil
}

func (w *warmer) add(f found, n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cached += f.cached
	w.loaded += f.loaded
	w.absent += f.absent
	w.unrouted += f.unrouted
	w.decided(n)
}

func (w *warmer) decided(n int) {
	w.done += n
	w.progress.show(cassandra.Progress{Done: w.done, Total: w.total})
}

// fail counts a key that could not be loaded. The error ends the warm-up.
func (w *warmer) fail(key []byte, err error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failed++
	w.decided(1)
	if w.failed <= shownFailures {
		w.progress.clear()
		fmt.Fprintf(w.errs, "forebay: %s: %v\n", key, err)
	}
	if w.failed >= w.maxFailed {
		return errFailing
	}
	return nil
}
