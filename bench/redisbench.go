package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"forebay/internal/child"
)

// crossLimit is how long one run of redis-benchmark may take.
const crossLimit = 2 * time.Minute

// cross measures a row by redis-benchmark, whose commands are all about one key.
func (b *bench) cross(ctx context.Context, r row, t target) (sample, error) {
	ctx, cancel := context.WithTimeout(ctx, crossLimit)
	defer cancel()
	host, port, err := net.SplitHostPort(t.addr)
	if err != nil {
		return sample{}, err
	}
	// It runs for a number of requests, not for a time: about what this takes on two cores.
	requests := int(b.duration.Seconds()*50_000) * min(r.depth, 8)
	cmd := exec.CommandContext(ctx, b.benchmark, "-h", host, "-p", port, "--csv", "-t", strings.ToLower(r.command), "-n", strconv.Itoa(max(requests, 1)),
		"-c", strconv.Itoa(r.conns), "-d", strconv.Itoa(r.bytes), "-P", strconv.Itoa(r.depth))
	cmd.SysProcAttr = child.Attributes(syscall.SIGKILL)
	runtime.LockOSThread() // see child.Attributes
	defer runtime.UnlockOSThread()
	var said strings.Builder
	cmd.Stderr = &said // twemproxy does not know CONFIG GET: warnings
	out, err := cmd.Output()
	if err != nil {
		return sample{}, fmt.Errorf("run redis-benchmark: %w: %s", err, strings.TrimSpace(said.String()))
	}
	s, err := parseCSV(string(out), r.command)
	if err != nil {
		return sample{}, fmt.Errorf("run redis-benchmark: %w: %s", err, strings.TrimSpace(said.String()))
	}
	return s, nil
}

// parseCSV reads what redis-benchmark --csv prints: a header, and a line a command with its name, its rate and its latencies.
func parseCSV(out, command string) (sample, error) {
	// What is said of a server without CONFIG goes to standard output, too, in some versions.
	start := strings.Index(out, `"test"`)
	if start < 0 {
		return sample{}, fmt.Errorf("no table in its output %q", out)
	}
	records, err := csv.NewReader(strings.NewReader(out[start:])).ReadAll()
	if err != nil {
		return sample{}, fmt.Errorf("read its table: %w", err)
	}
	at := slices.IndexFunc(records, func(r []string) bool { return r[0] == command })
	if at < 0 {
		return sample{}, fmt.Errorf("its table has no line for %s", command)
	}
	var s sample
	for name, to := range map[string]*float64{"rps": &s.rate, "p50_latency_ms": &s.p50, "p99_latency_ms": &s.p99} {
		column := slices.Index(records[0], name)
		if column < 0 {
			return sample{}, errors.New("its table has no column " + name)
		}
		if *to, err = strconv.ParseFloat(records[at][column], 64); err != nil {
			return sample{}, fmt.Errorf("read its %s: %w", name, err)
		}
	}
	if s.rate <= 0 {
		return sample{}, fmt.Errorf("%s has %v requests per second", command, s.rate)
	}
	return s, nil
}
