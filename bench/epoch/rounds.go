package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"forebay/bench/page"
	"forebay/internal/child"
)

// partitionRows is how many samples forebay load puts into a partition.
const partitionRows = 1024

// stack is the servers and what was measured.
type stack struct {
	*child.Group
	options
	python, program string
	ports           map[string]int
	begun           int // Forebays so far

	figures map[string][]float64
}

// run measures everything and prints the tables.
func run(ctx context.Context, o options, stdout, progress io.Writer) (err error) {
	redis, err := exec.LookPath("redis-server")
	if err != nil {
		return errors.New("redis-server is not installed: apt-get install redis-server")
	}
	group, err := child.NewGroup("forebay-epoch-")
	if err != nil {
		return err
	}
	s := &stack{Group: group, options: o, figures: map[string][]float64{}}
	defer func() { err = errors.Join(err, s.Stop()) }()
	if s.python, err = python(ctx, o.venv); err != nil {
		return err
	}
	if s.program, err = s.Write("epoch.py", script); err != nil {
		return err
	}
	if s.ports, err = child.FreePorts("redis", "forebay", "http"); err != nil {
		return err
	}
	if _, err := s.Start(ctx, "redis", s.answers("redis"), redis, "--port", fmt.Sprint(s.ports["redis"]), "--bind", "127.0.0.1",
		"--save", "", "--appendonly", "no", "--dir", s.Dir()); err != nil {
		return err
	}
	fmt.Fprintf(progress, "storing %d samples\n", o.samples)
	if err := s.store(ctx); err != nil {
		return err
	}
	for round := range o.rounds {
		if err := s.round(ctx, round, progress); err != nil {
			return err
		}
	}
	report := s.report(page.Machine(ctx, time.Now()) + " " + page.Say(ctx, o.forebay, "version") + ".")
	if err := page.Write(o.out, reportName, reportBy, report); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	_, err = fmt.Fprintf(stdout, "%s\nwritten to %s/README.md\n", report, o.out)
	return err
}

// store writes random samples to a file and has forebay load store them.
func (s *stack) store(ctx context.Context) error {
	header := fmt.Sprintf("{'descr': '|u1', 'fortran_order': False, 'shape': (%d, %d), }", s.samples, s.bytes)
	file := fmt.Appendf([]byte("\x93NUMPY\x01\x00\x76\x00"), "%-117s\n", header)
	random := rand.NewChaCha8([32]byte{1})
	at := len(file)
	file = append(file, make([]byte, s.samples*s.bytes)...)
	if _, err := random.Read(file[at:]); err != nil {
		return fmt.Errorf("make samples: %w", err)
	}
	path, err := s.Write("samples.npy", file)
	if err != nil {
		return err
	}
	if err := command(ctx, s.forebay, "load", "--source.cassandra.hosts="+s.cassandra, "--source.cassandra.keyspace="+s.keyspace,
		"--dataset=epoch", "--split=train", path); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("remove the samples' file: %w", err)
	}
	return nil
}

// round measures everything once.
func (s *stack) round(ctx context.Context, round int, progress io.Writer) error {
	for _, m := range []struct {
		name, mode string
		count      int
	}{
		{forebayEpoch, "forebay", s.samples},
		{bestEpoch, "best", s.samples},
		{asideEpoch, "aside", s.aside},
	} {
		out, err := s.cold(ctx, m.mode, "partition", func(port int) ([]byte, error) {
			return s.run(ctx, m.mode, port, m.count, round)
		})
		if err != nil {
			return err
		}
		var n, took float64
		if _, err := fmt.Sscan(string(out), &n, &took); err != nil {
			return fmt.Errorf("read what %s printed: %w", m.mode, err)
		}
		s.add(m.name, n/took)
		fmt.Fprintf(progress, "round %d: %s: %.0f samples/s\n", round+1, m.name, n/took)
	}
	for _, mode := range []string{"get", "select"} {
		out, err := s.cold(ctx, mode, "off", func(port int) ([]byte, error) { return s.run(ctx, mode, port, s.singles, round) })
		if err != nil {
			return err
		}
		var median, most float64
		if _, err := fmt.Sscan(string(out), &median, &most); err != nil {
			return fmt.Errorf("read what %s printed: %w", mode, err)
		}
		s.add(mode+" p50", median)
		s.add(mode+" p99", most)
	}
	return s.partitions(ctx, round)
}

func (s *stack) add(name string, figure float64) { s.figures[name] = append(s.figures[name], figure) }

// run runs the script.
func (s *stack) run(ctx context.Context, mode string, port, count, round int) ([]byte, error) {
	return output(ctx, s.python, s.program, mode, fmt.Sprint(port), s.cassandra, s.keyspace, fmt.Sprint(s.samples), fmt.Sprint(count), "2", fmt.Sprint(round+1))
}

// cold empties Redis, and calls measure with its port, or for what reads through Forebay with that of a Forebay that was just started.
func (s *stack) cold(ctx context.Context, mode, readAhead string, measure func(port int) ([]byte, error)) (out []byte, err error) {
	if err := s.empty(ctx); err != nil {
		return nil, err
	}
	if mode != "forebay" && mode != "get" {
		return measure(s.ports["redis"])
	}
	s.begun++
	conf, err := s.Write("forebay.yaml", s.config(readAhead))
	if err != nil {
		return nil, err
	}
	p, err := child.Start(child.Program{Name: "forebay", Path: s.forebay, Args: []string{"serve", "--config", conf}, Log: filepath.Join(s.Dir(), "forebay.log"), KillAfter: 10 * time.Second})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.Stop()) }()
	for s.answers("forebay")(ctx) != nil {
		select {
		case <-p.Ended().Done():
			return nil, errors.New("forebay has ended")
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
	return measure(s.ports["forebay"])
}

func (s *stack) config(readAhead string) []byte {
	return fmt.Appendf(nil, `listen: {address: "127.0.0.1:%d"}
http: {address: "127.0.0.1:%d"}
redis: {address: "127.0.0.1:%d"}
source: {cassandra: {hosts: [%q], keyspace: %s}}
routes:
  - name: epoch
    key: "epoch:{split}:{idx:int}"
    table: samples
    where: {dataset: epoch, split: "{split}", shard: "{idx / 1024}", idx: "{idx}"}
    value: data
    read_ahead: %s
`, s.ports["forebay"], s.ports["http"], s.ports["redis"], s.cassandra, s.keyspace, readAhead)
}

// answers tells whether a server answers.
func (s *stack) answers(name string) func(context.Context) error {
	return func(ctx context.Context) error { return ask(ctx, s.ports[name], "PING") }
}

// empty removes everything from Redis.
func (s *stack) empty(ctx context.Context) error { return ask(ctx, s.ports["redis"], "FLUSHALL") }
