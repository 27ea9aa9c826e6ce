package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"forebay/internal/testkit"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

func TestParse(t *testing.T) {
	t.Setenv("TEST_CASSANDRA_ADDR", "")
	for args, want := range map[string]string{
		"": "", "-rounds 2 -phase 1ms -size 3000000 -rate 5 -clients 1 -cassandra h:1 -keyspace k -forebay x": "",
		"-rounds 0": "above 0", "-phase 0s": "above 0", "-rate 0": "above 0", "-clients 0": "above 0", "-size 100": "at least 2097152", "now": `unexpected argument "now"`,
	} {
		_, err := parse(strings.Fields(args), io.Discard)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", args, err, want)
		}
	}
}

func TestWhatIsMissingIsNamed(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	if _, err := startStack(t.Context(), options{}); err == nil || !strings.Contains(err.Error(), "apt-get install redis-server") {
		t.Errorf("no redis-server: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "redis-server"), []byte("#!/bin/sh\nexit 3\n"), 0o700); err != nil { //nolint:gosec // it is to be run
		t.Fatal(err)
	}
	if _, err := startStack(t.Context(), options{forebay: dir + "/none"}); err == nil || !strings.Contains(err.Error(), "make build") {
		t.Errorf("no forebay: %v", err)
	}
}

// Both targets are one real Redis here: that everything is read whole, and that what cannot be is told.
func TestMeasures(t *testing.T) {
	server := testkit.Redis(t)
	_, port, _ := net.SplitHostPort(server.Addr)
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	s := &stack{pid: os.Getpid(), ports: map[string]int{"redis": n, "forebay": n}}
	o := options{rounds: 1, phase: 20 * time.Millisecond, size: 4 << 20, rate: 500 << 20, clients: 3}
	if err := s.fill(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	small := smalls{}
	if err := s.measureSmall(t.Context(), o, small); err != nil {
		t.Fatal(err)
	}
	for _, target := range targets() {
		for _, beside := range besides() {
			if l := small[setting{target, beside}]; len(l) != 1 || l[0].p50 <= 0 || l[0].p99 < l[0].p50 || l[0].most < l[0].p99 {
				t.Errorf("%s, %s: %v", target, beside, l)
			}
		}
	}
	if err := s.measureObject(t.Context(), o, &objects{}); err == nil || !strings.Contains(err.Error(), `answered by "$-1`) {
		t.Errorf("an object that is not there: %v", err)
	}
	server.Do(t, "set", objectKey, "short")
	if _, err := s.readAtOnce(t.Context(), o, "redis"); err == nil || !strings.Contains(err.Error(), "has 5 bytes, want 4194304") {
		t.Errorf("an object of another size: %v", err)
	}
	server.Do(t, "set", objectKey, string(largeValue(o.size)))
	if r, err := s.readAtOnce(t.Context(), o, "redis"); err != nil || r.took <= 0 || r.peak < 1<<20 {
		t.Errorf("%+v, %v", r, err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.measureSmall(ended, o, small); !errors.Is(err, context.Canceled) && !errors.Is(err, net.ErrClosed) {
		t.Errorf("interrupted: %v", err)
	}
}

// A ratio is of one round: here the machine was twice as slow in the second.
func TestTables(t *testing.T) {
	us := func(p50, p99, most int) latency {
		return latency{time.Duration(p50) * time.Microsecond, time.Duration(p99) * time.Microsecond, time.Duration(most) * time.Microsecond}
	}
	small := smalls{}
	for _, target := range targets() {
		small[setting{target, "idle"}] = []latency{us(20, 100, 1000), us(40, 200, 2000)}
		small[setting{target, "slow"}] = []latency{us(20, 150, 1000), us(40, 300, 2000)}
		small[setting{target, "stalled"}] = []latency{us(20, 100, 1000), us(40, 400, 2000)}
	}
	object := objects{
		cold: []reads{{2 * time.Second, 60e6}, {4 * time.Second, 62e6}},
		warm: []reads{{time.Second, 50e6}, {2 * time.Second, 50e6}}, direct: []reads{{time.Second, 0}, {2 * time.Second, 0}},
	}
	var out bytes.Buffer
	if err := writeTables(&out, options{rounds: 2, phase: time.Second, size: 47_000_000, rate: 20_000_000, clients: 10}, small, object); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"beside one reader of 47 MB (slow: 20 MB/s): median (least–most) of 2 rounds of 1s.",
		"| forebay | slow | 30.0 (20.0–40.0) | 225 (150–300) | 1,500 (1,000–2,000) | **1.50** (1.50–1.50) |",
		"| redis | stalled | 30.0 (20.0–40.0) | 250 (100–400) | 1,500 (1,000–2,000) | **1.50** (1.00–2.00) |",
		"| through Forebay, cold: from Cassandra | 3.00 (2.00–4.00) | **2.00** (2.00–2.00) | 61.0 (60.0–62.0) |",
		"| straight from Redis | 1.50 (1.00–2.00) | | |",
	} {
		if !strings.Contains(out.String(), want+"\n") {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}
