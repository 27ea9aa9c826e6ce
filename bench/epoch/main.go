// Command epoch measures the cold first epoch of a trainer: through Forebay with read_ahead: partition, and by the cache-aside code
// that it replaces, in Python as trainers are, on a real Cassandra (-cassandra) and a private Redis. Each round runs all of them one after the
// other, each with an empty Redis; Forebay is started anew for each.
//
// It also measures one cold GET beside a plain SELECT, on a route that does not read ahead, and a whole partition through Forebay
// beside the driver reading it and nothing else. The tables go to bench/README.md (-out).
//
// It leaves its keyspace in the Cassandra, and a virtual environment with redis and cassandra-driver in -venv.
package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"

	"forebay/internal/child"
)

//go:embed epoch.py
var script []byte

// options say what to measure and with what.
type options struct {
	forebay, cassandra, keyspace, venv, out string

	rounds, samples, bytes, aside, singles int
}

func main() {
	o, err := parse(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "epoch:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	ctx, cancel := child.WithParent(ctx)
	defer cancel()
	if err := run(ctx, o, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "epoch:", err)
		cancel()
		os.Exit(1) //nolint:gocritic // nothing is left to release: run has stopped what it started
	}
}

// parse reads the command line. Its errors are the user's to mend.
func parse(args []string, usage io.Writer) (options, error) {
	var o options
	fs := flag.NewFlagSet("epoch", flag.ContinueOnError)
	fs.SetOutput(usage)
	fs.StringVar(&o.forebay, "forebay", "bin/forebay", "path of the forebay binary (make build)")
	fs.StringVar(&o.cassandra, "cassandra", os.Getenv("TEST_CASSANDRA_ADDR"), "host:port of a Cassandra; needed")
	fs.StringVar(&o.keyspace, "keyspace", "forebay_epoch", "keyspace of the samples, which stays")
	fs.StringVar(&o.venv, "venv", "bin/epoch-venv", "virtual environment, made if it is not there")
	fs.StringVar(&o.out, "out", "bench", "folder whose README.md gets the report")
	fs.IntVar(&o.rounds, "rounds", 3, "rounds")
	fs.IntVar(&o.samples, "samples", 60_000, "samples of an epoch")
	fs.IntVar(&o.bytes, "bytes", 3136, "bytes of a sample")
	fs.IntVar(&o.aside, "aside", 6_000, "samples that cache-aside one by one is measured with: its rate does not depend on them")
	fs.IntVar(&o.singles, "singles", 1_000, "single cold reads")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	switch {
	case fs.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	case o.cassandra == "":
		return o, errors.New("-cassandra is needed")
	case o.rounds < 1 || o.bytes < 1 || o.samples < partitionRows || o.aside < 1 || o.singles < 1:
		return o, fmt.Errorf("-rounds, -bytes, -aside and -singles must be above 0, -samples at least %d", partitionRows)
	}
	o.aside, o.singles = min(o.aside, o.samples), min(o.singles, o.samples)
	return o, nil
}

// python makes the virtual environment, once, and returns its interpreter.
func python(ctx context.Context, venv string) (string, error) {
	path := filepath.Join(venv, "bin", "python")
	done := filepath.Join(venv, "ready")
	if _, err := os.Stat(done); err == nil {
		return filepath.Abs(path)
	}
	for _, c := range [][]string{
		{"python3", "-m", "venv", venv},
		{path, "-m", "pip", "install", "--quiet", "redis==8.1.0", "hiredis", "cassandra-driver"},
	} {
		if err := command(ctx, c[0], c[1:]...); err != nil {
			return "", err
		}
	}
	if err := os.WriteFile(done, nil, 0o600); err != nil {
		return "", fmt.Errorf("make the virtual environment: %w", err)
	}
	return filepath.Abs(path)
}

// command runs a program to its end.
func command(ctx context.Context, path string, args ...string) error {
	_, err := output(ctx, path, args...)
	return err
}

// output runs a program to its end and returns what it printed.
func output(ctx context.Context, path string, args ...string) ([]byte, error) {
	var out, said bytes.Buffer
	c := exec.CommandContext(ctx, path, args...)
	c.Stdout, c.Stderr = &out, &said
	if err := c.Run(); err != nil {
		return nil, fmt.Errorf("run %s: %w\n%s", filepath.Base(path), err, said.Bytes())
	}
	return out.Bytes(), nil
}
