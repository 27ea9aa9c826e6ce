package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"forebay/internal/child"
)

// runLimit is how long one run of redis-benchmark may take.
const runLimit = 5 * time.Minute

// commands are what is measured, in the order in which redis-benchmark does: GET reads what SET has written.
func commands() []string { return []string{"SET", "GET"} }

// setting is one row of the table.
type setting struct {
	command     string
	size, depth int
}

// rates are the requests per second that were measured: of a setting and a target, one a round.
type rates map[setting]map[string][]float64

// measureAll runs the rounds, the targets of each setting one right after the other.
func measureAll(ctx context.Context, o options, targets []target, progress io.Writer) (rates, error) {
	all := rates{}
	for round := range o.rounds {
		for _, depth := range o.depths {
			for _, size := range o.sizes {
				fmt.Fprintf(progress, "round %d of %d: %d bytes, depth %d\n", round+1, o.rounds, size, depth)
				for _, t := range targets {
					measured, err := measure(ctx, o, t, size, depth)
					if err != nil {
						return nil, err
					}
					all.add(t, size, depth, measured)
				}
			}
		}
	}
	return all, nil
}

func (r rates) add(t target, size, depth int, measured map[string]float64) {
	for command, rps := range measured {
		s := setting{command, size, depth}
		if r[s] == nil {
			r[s] = map[string][]float64{}
		}
		r[s][t.name] = append(r[s][t.name], rps)
	}
}

// measure runs redis-benchmark once and returns the requests per second of each command.
func measure(ctx context.Context, o options, t target, size, depth int) (map[string]float64, error) {
	ctx, cancel := context.WithTimeout(ctx, runLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "redis-benchmark", "-h", "127.0.0.1", "-p", strconv.Itoa(t.port), "--csv",
		"-t", strings.ToLower(strings.Join(commands(), ",")), "-n", strconv.Itoa(o.requests*depth),
		"-c", strconv.Itoa(o.clients), "-d", strconv.Itoa(size), "-P", strconv.Itoa(depth))
	cmd.SysProcAttr = child.Attributes(syscall.SIGKILL)
	// The kernel ends the child when the thread that forked it does.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var said strings.Builder
	cmd.Stderr = &said // twemproxy does not know CONFIG GET: warnings
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("run redis-benchmark against %s: %w: %s", t.name, err, strings.TrimSpace(said.String()))
	}
	measured, err := parseCSV(string(out))
	if err != nil {
		return nil, fmt.Errorf("run redis-benchmark against %s: %w: %s", t.name, err, strings.TrimSpace(said.String()))
	}
	return measured, nil
}

// parseCSV reads what redis-benchmark --csv prints: a header, and a line a command with its name and its requests per second.
func parseCSV(out string) (map[string]float64, error) {
	// What is said of a server without CONFIG goes to standard output, too, in some versions.
	start := strings.Index(out, `"test"`)
	if start < 0 {
		return nil, fmt.Errorf("no table in its output %q", out)
	}
	records, err := csv.NewReader(strings.NewReader(out[start:])).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("read its table: %w", err)
	}
	column := slices.Index(records[0], "rps")
	if column < 0 {
		return nil, errors.New("its table has no column rps")
	}
	measured := map[string]float64{}
	for _, record := range records[1:] {
		rps, err := strconv.ParseFloat(record[column], 64)
		if err != nil || rps <= 0 {
			return nil, fmt.Errorf("%s has %q requests per second", record[0], record[column])
		}
		measured[record[0]] = rps
	}
	for _, c := range commands() {
		if measured[c] == 0 {
			return nil, fmt.Errorf("its table has no line for %s", c)
		}
	}
	return measured, nil
}
