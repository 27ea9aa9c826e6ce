package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"
)

const (
	samples    = 1437 // of the training split
	batch      = 64
	epochs     = 2
	readyAfter = 30 * time.Second // the longest wait for Forebay to be ready
	readyEvery = 20 * time.Millisecond
	// bannerAfter is the longest wait for Forebay's banner once it is ready, so that it does not appear between the results.
	bannerAfter = time.Second
)

// show waits for Forebay, reads the epochs and prints what came of it.
func show(ctx context.Context, o options, banner <-chan struct{}, out io.Writer) error {
	if err := awaitReady(ctx, "http://"+o.http+"/readyz"); err != nil {
		return err
	}
	select {
	case <-banner:
	case <-time.After(bannerAfter):
	}
	events, err := follow(ctx, "http://"+o.http+"/events")
	if err != nil {
		return err
	}
	defer events.close()
	c, err := dial(ctx, o.resp)
	if err != nil {
		return err
	}
	defer c.close()
	fmt.Fprintf(out, "\nReading %d handwritten digits by MGET of %d, as a trainer would:\n", samples, batch)
	for epoch := 1; epoch <= epochs; epoch++ {
		line, err := readEpoch(c)
		if err != nil {
			return fmt.Errorf("read epoch %d: %w", epoch, err)
		}
		fmt.Fprintf(out, "  epoch %d: %s\n", epoch, line)
	}
	fmt.Fprintln(out, "\nThree of the events it gave:")
	for _, event := range events.three(ctx) {
		fmt.Fprintln(out, " ", event)
	}
	fmt.Fprint(out, hints(o))
	return nil
}

// hints say what to try next.
func hints(o options) string {
	port := o.resp[strings.LastIndexByte(o.resp, ':')+1:]
	text := fmt.Sprintf(`
Try next:
  redis-cli -p %s GET digits:train:0                    a pickled sample
  curl -N http://%s/events                  hits, misses and evictions, live
  http://%s/                                the dashboard
  python3 examples/train.py --url redis://%s/0   train on it (pip install redis numpy)
`, port, o.http, o.http, o.resp)
	if !o.once {
		text += "\nForebay keeps serving; Ctrl-C ends it.\n"
	}
	return text
}

// readEpoch reads every sample once, in random order, and words the outcome.
func readEpoch(c *client) (string, error) {
	hits0, misses0, err := c.counts()
	if err != nil {
		return "", err
	}
	order := rand.Perm(samples)
	began := time.Now()
	for len(order) > 0 {
		n := min(batch, len(order))
		keys := make([]string, n)
		for i, idx := range order[:n] {
			keys[i] = fmt.Sprintf("digits:train:%d", idx)
		}
		order = order[n:]
		values, err := c.mget(keys)
		if err != nil {
			return "", err
		}
		for i, value := range values {
			if value == nil {
				return "", fmt.Errorf("there is no %s", keys[i])
			}
		}
	}
	rate := samples / time.Since(began).Seconds()
	hits, misses, err := c.counts()
	if err != nil {
		return "", err
	}
	hits, misses = hits-hits0, misses-misses0
	if hits+misses != samples {
		return "", fmt.Errorf("%d samples were read, and %d hits and %d misses counted", samples, hits, misses)
	}
	return fmt.Sprintf("%6.0f samples/s, hit ratio %5.1f %% (%d hits, %d misses)", rate, 100*float64(hits)/samples, hits, misses), nil
}

// awaitReady returns when the readiness check answers 200.
func awaitReady(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, readyAfter)
	defer cancel()
	tick := time.NewTicker(readyEvery)
	defer tick.Stop()
	for {
		status, err := get(ctx, url)
		if status == http.StatusOK {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: status %d: %w", url, status, err)
		}
	}
}

// get returns the status of a page, 0 with an error where there is none.
func get(ctx context.Context, url string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}
