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

// cross measures a row by redis-benchmark, with commands about the same keys.
func (b *bench) cross(ctx context.Context, r row, t target) (sample, error) {
	ctx, cancel := context.WithTimeout(ctx, crossLimit)
	defer cancel()
	host, port, err := net.SplitHostPort(t.addr)
	if err != nil {
		return sample{}, err
	}
	// It runs for a number of requests, not for a time: about what this takes on two cores.
	requests := int(b.duration.Seconds()*50_000) * min(r.depth, 8)
	k := keys(t.prefix, r.bytes)
	command := []string{r.command, k.Prefix + "1__rand_int__"}
	if r.command == "SET" {
		command = append(command, strings.Repeat("x", r.bytes))
	}
	cmd := exec.CommandContext(ctx, b.benchmark, append([]string{
		"-h", host, "-p", port, "--csv", "-n", strconv.Itoa(max(requests, 1)),
		"-c", strconv.Itoa(r.conns), "-P", strconv.Itoa(r.depth), "-r", strconv.Itoa(k.Count),
	}, command...)...)
	cmd.SysProcAttr = child.Attributes(syscall.SIGKILL)
	runtime.LockOSThread() // see child.Attributes
	defer runtime.UnlockOSThread()
	var said strings.Builder
	cmd.Stderr = &said // twemproxy does not know CONFIG GET: warnings
	out, err := cmd.Output()
	if err != nil {
		return sample{}, fmt.Errorf("run redis-benchmark: %w: %s", err, strings.TrimSpace(said.String()))
	}
	s, err := parseCSV(string(out))
	if err != nil {
		return sample{}, fmt.Errorf("run redis-benchmark: %w: %s", err, strings.TrimSpace(said.String()))
	}
	return s, nil
}

// parseCSV reads what redis-benchmark --csv prints: a header, and a line with the command, its rate and its latencies.
func parseCSV(out string) (sample, error) {
	// What is said of a server without CONFIG goes to standard output, too, in some versions.
	start := strings.Index(out, `"test"`)
	if start < 0 {
		return sample{}, fmt.Errorf("no table in its output %q", out)
	}
	records, err := csv.NewReader(strings.NewReader(out[start:])).ReadAll()
	if err != nil {
		return sample{}, fmt.Errorf("read its table: %w", err)
	}
	if len(records) != 2 {
		return sample{}, fmt.Errorf("its table has %d lines", len(records))
	}
	var s sample
	for name, to := range map[string]*float64{"rps": &s.rate, "p50_latency_ms": &s.p50, "p99_latency_ms": &s.p99} {
		column := slices.Index(records[0], name)
		if column < 0 {
			return sample{}, errors.New("its table has no column " + name)
		}
		if *to, err = strconv.ParseFloat(records[1][column], 64); err != nil {
			return sample{}, fmt.Errorf("read its %s: %w", name, err)
		}
	}
	if s.rate <= 0 {
		return sample{}, fmt.Errorf("%v requests per second", s.rate)
	}
	return s, nil
}
