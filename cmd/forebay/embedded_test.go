package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"forebay/internal/event"
)

// TestServeEmbedded runs what "forebay serve" is without a configuration, on both kinds of embedded Redis. It needs no server but
// the redis-server on PATH, without which both are the stand-in.
func TestServeEmbedded(t *testing.T) {
	for name, args := range map[string][]string{
		"on what there is":           nil,
		"on the in-process stand-in": {"--in-process"},
	} {
		t.Run(name, func(t *testing.T) {
			state := t.TempDir()
			t.Setenv("XDG_STATE_HOME", state)
			in := serve(t, args...)
			if !strings.Contains(in.banner, "embedded: ") {
				t.Errorf("banner:\n%s", in.banner)
			}
			readTwice(t, in)
			if status := in.stop(t); status != done {
				t.Errorf("status %d:\n%s", status, in.stderr)
			}
			kinds := eventFile(t, state)
			if kinds["miss"] != 100 || kinds["hit"] != 100 || kinds["evict"] != 1 {
				t.Errorf("events: %v", kinds)
			}
		})
	}
}

// readTwice reads 100 samples twice, and has one value expire.
func readTwice(t *testing.T, in *instance) {
	t.Helper()
	c, ctx := in.client(t), t.Context()
	keys := make([]string, 100)
	for i := range keys {
		keys[i] = fmt.Sprintf("digits:train:%d", i)
	}
	for range 2 {
		values, err := c.MGet(ctx, keys...).Result()
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range values {
			if s, ok := v.(string); !ok || !strings.Contains(s, "ndarray") {
				t.Fatalf("%s is %v", keys[i], v)
			}
		}
	}
	// Exactly as many as were replied to, however soon one asks.
	info, err := c.Info(ctx).Result()
	if err != nil || !strings.Contains(info, "forebay_hits:100\r\nforebay_misses:100\r\n") {
		t.Errorf("INFO, %v:\n%s", err, info)
	}
	events := follow(t, in, "?kind=evict")
	if err := c.Set(ctx, "short", "lived", 20*time.Millisecond).Err(); err != nil {
		t.Fatal(err)
	}
	if got, want := next(t, events), (liveEvent{Kind: "evict", Key: "short", Reason: "expired"}); got != want {
		t.Errorf("event %+v, want %+v", got, want)
	}
}

// eventFile checks that the one file of events in the state folder is complete, and counts its kinds.
func eventFile(t *testing.T, state string) map[string]int {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(state, "forebay", "events-*.ndjson"))
	if err != nil || len(files) != 1 {
		t.Fatalf("event files: %v, %v", files, err)
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	report, err := event.Verify(func(yield func(int, []byte) bool) {
		for line := range bytes.Lines(data) {
			var e struct {
				Kind      string
				Partition int
			}
			if err := json.Unmarshal(line, &e); err != nil {
				t.Fatal(err)
			}
			kinds[e.Kind]++
			if !yield(e.Partition, line) {
				return
			}
		}
	})
	if err != nil || !report.Complete() || report.Open > 0 || report.Lost > 0 {
		t.Errorf("the event file is not complete: %+v, %v", report, err)
	}
	return kinds
}
