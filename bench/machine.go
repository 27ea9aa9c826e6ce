package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"forebay/bench/page"
)

// describe says when, on what and of what the figures are.
func describe(ctx context.Context, o options, p programs, now time.Time) string {
	proxy := "none"
	if p.twemproxy != "" {
		proxy = strings.TrimPrefix(page.Say(ctx, p.twemproxy, "-V"), "This is nutcracker-")
	}
	broker := "none"
	if o.kafka != "" {
		broker = "one broker on the same machine"
	}
	quick := ""
	if o.quick {
		quick = " **A quick run: it shows that everything works, no more.**"
	}
	return fmt.Sprintf("%s Redis %s, twemproxy %s, %s, Kafka: %s. Rounds: %d, of %v a row and target.%s", page.Machine(ctx, now),
		field(page.Say(ctx, p.redis, "--version"), "v="), proxy, page.Say(ctx, p.forebay, "version"), broker, o.rounds, o.duration, quick)
}

// field finds the word of s that begins with name and returns the rest of it.
func field(s, name string) string {
	for _, word := range strings.Fields(s) {
		if v, found := strings.CutPrefix(word, name); found {
			return v
		}
	}
	return s
}

// metric reads a counter without labels from a Forebay's /metrics.
func metric(ctx context.Context, port, name string) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1:"+port+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, fmt.Errorf("read metrics: %w", err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	if err != nil {
		return 0, fmt.Errorf("read metrics: %w", err)
	}
	for l := range bytes.Lines(b) {
		if fields := strings.Fields(string(l)); len(fields) == 2 && fields[0] == name {
			return strconv.ParseFloat(fields[1], 64)
		}
	}
	return 0, fmt.Errorf("read metrics: no %s", name)
}
