// Command slowreader measures what one reader of a large value costs the others, straight to Redis and through Forebay.
//
// First, small GETs over one connection: alone, beside a client that takes a value of 47 MB at 20 MB/s, again and again, and beside one that takes the
// first MB of it and then nothing. Redis itself, asked in the same way in the same round, is the measure: it too has to write the value. Then, with a Cassandra
// (-cassandra), ten clients at once that read an object of that size: cold, when one load serves them all; cached; and straight from
// Redis; with the most memory that Forebay had.
//
// It starts everything else on free ports of 127.0.0.1 and leaves nothing behind, but the object's keyspace in the
// Cassandra. See bench/README.md for how to read the tables.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"forebay/internal/child"
)

// options say what to measure and with what.
type options struct {
	forebay   string // path of the binary
	cassandra string // host:port; "": the object is not measured
	keyspace  string // there, for the object; made if it is not there
	rounds    int
	phase     time.Duration // of small GETs
	size      int           // bytes of the large value
	rate      int           // bytes a second of the slow reader
	clients   int           // that read the object at once
}

func main() {
	o, err := parse(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "slowreader:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	ctx, cancel := child.WithParent(ctx)
	defer cancel()
	if err := run(ctx, o, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "slowreader:", err)
		cancel()
		os.Exit(1) //nolint:gocritic // nothing is left to release: run has stopped what it started
	}
}

// parse reads the command line. Its errors are the user's to mend.
func parse(args []string, usage io.Writer) (options, error) {
	var o options
	fs := flag.NewFlagSet("slowreader", flag.ContinueOnError)
	fs.SetOutput(usage)
	fs.StringVar(&o.forebay, "forebay", "bin/forebay", "path of the forebay binary (make build)")
	fs.StringVar(&o.cassandra, "cassandra", os.Getenv("TEST_CASSANDRA_ADDR"), "host:port of a Cassandra, for the object; none: only small GETs")
	fs.StringVar(&o.keyspace, "keyspace", "forebay_bench", "keyspace of the object, which stays")
	fs.IntVar(&o.rounds, "rounds", 5, "rounds; each measures everything once")
	fs.DurationVar(&o.phase, "phase", time.Second, "how long small GETs are measured at a time")
	fs.IntVar(&o.size, "size", 47_040_000, "bytes of the large value: MNIST's images")
	fs.IntVar(&o.rate, "rate", 20_000_000, "bytes a second that the slow reader takes")
	fs.IntVar(&o.clients, "clients", 10, "clients that read the object at once")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	switch {
	case fs.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	case o.rounds < 1 || o.phase <= 0 || o.clients < 1 || o.rate < 1:
		return o, errors.New("-rounds, -phase, -clients and -rate must be above 0")
	case o.size < 2*taken:
		return o, fmt.Errorf("-size must be at least %d", 2*taken)
	}
	return o, nil
}

// run starts the servers, measures, prints the tables, and stops them, whatever happens.
func run(ctx context.Context, o options, stdout, progress io.Writer) (err error) {
	s, err := startStack(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	ctx, cancel := s.WhileAlive(ctx)
	defer cancel()
	small, object := smalls{}, objects{}
	for round := range o.rounds {
		fmt.Fprintf(progress, "round %d of %d\n", round+1, o.rounds)
		err := s.measureSmall(ctx, o, small)
		if err == nil && o.cassandra != "" {
			err = s.measureObject(ctx, o, &object)
		}
		if err != nil {
			return because(ctx, err)
		}
	}
	return writeTables(stdout, o, small, object)
}

// because returns why ctx ended, if it did: a server's end, say; what a client made of it tells less.
func because(ctx context.Context, err error) error {
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, context.Canceled):
		return errors.New("interrupted")
	case cause != nil:
		return cause
	default:
		return err
	}
}
