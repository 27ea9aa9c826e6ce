// Command compare measures Forebay beside what stands in for it: redis-benchmark straight to a Redis, through twemproxy, and
// through Forebay, all three in front of the same private Redis, in turns.
//
// The figures of a machine change from minute to minute, so only those of one round are set against each other, and what is printed is
// the median of the rounds' ratios. See bench/README.md for how to read the table.
//
// It starts everything it needs on free ports of 127.0.0.1 and leaves nothing behind.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"forebay/internal/child"
)

// options say what to measure and with what.
type options struct {
	forebay  string // path of the binary
	rounds   int
	requests int   // of one command and run at depth 1; a run of depth P sends P times as many
	sizes    []int // bytes of a value
	depths   []int // commands of a pipeline
	clients  int   // connections
}

func main() {
	o, err := parse(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	ctx, cancel := child.WithParent(ctx)
	defer cancel()
	if err := run(ctx, o, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		cancel()
		os.Exit(1) //nolint:gocritic // nothing is left to release: run has stopped what it started
	}
}

// parse reads the command line. Its errors are the user's to mend.
func parse(args []string, usage io.Writer) (options, error) {
	o := options{sizes: []int{100, 3136}, depths: []int{1, 16}}
	fs := flag.NewFlagSet("compare", flag.ContinueOnError)
	fs.SetOutput(usage)
	fs.StringVar(&o.forebay, "forebay", "bin/forebay", "path of the forebay binary (make build)")
	fs.IntVar(&o.rounds, "rounds", 5, "rounds; each measures the three one after the other")
	fs.IntVar(&o.requests, "requests", 40_000, "requests of one command in one run at depth 1; a run of depth P sends P times as many")
	fs.IntVar(&o.clients, "clients", 50, "connections of redis-benchmark")
	fs.Var((*list)(&o.sizes), "sizes", "bytes of a value, comma-separated")
	fs.Var((*list)(&o.depths), "depth", "commands of a pipeline, comma-separated")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	switch {
	case fs.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	case o.rounds < 1 || o.requests < 1 || o.clients < 1:
		return o, errors.New("-rounds, -requests and -clients must be at least 1")
	}
	return o, nil
}

// list is a flag of numbers above zero.
type list []int

// String writes the list as it is given.
func (l *list) String() string {
	var s []string
	for _, n := range *l {
		s = append(s, strconv.Itoa(n))
	}
	return strings.Join(s, ",")
}

// Set reads one.
func (l *list) Set(s string) error {
	var parsed list
	for field := range strings.SplitSeq(s, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(field))
		if err != nil || n < 1 {
			return fmt.Errorf("%q is no number above zero", field)
		}
		parsed = append(parsed, n)
	}
	*l = parsed
	return nil
}

// run starts the servers, measures, prints the table, and stops them, whatever happens.
func run(ctx context.Context, o options, stdout, progress io.Writer) (err error) {
	s, err := startStack(ctx, o.forebay)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	ctx, cancel := s.WhileAlive(ctx)
	defer cancel()
	results, err := measureAll(ctx, o, s.targets(), progress)
	if err != nil {
		switch cause := context.Cause(ctx); {
		case errors.Is(cause, context.Canceled):
			return errors.New("interrupted")
		case cause != nil:
			return cause // a server's end; what redis-benchmark made of it tells less
		}
		return err
	}
	return writeTable(stdout, o, results)
}
