// Command bench measures Forebay beside what stands in for it: a load straight to a Redis, through twemproxy, and through
// Forebay, all in front of the same private Redis, in turns. It writes tables into bench/README.md and charts beside it.
//
// The figures of a machine change from minute to minute, so only those of one round are set against each other. See bench/README.md
// for how to read them.
//
// It starts everything it needs but Kafka on free ports of 127.0.0.1 and leaves nothing behind.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"syscall"
	"time"

	"forebay/bench/figure"
	"forebay/internal/child"
)

// options say what to measure and with what.
type options struct {
	forebay  string // path of the binary
	kafka    string // broker, host:port; "" for none
	out      string // folder of the report
	rounds   int
	duration time.Duration // of one run, warm-up aside
	idle     []int         // numbers of connections that are weighed
	only     *regexp.Regexp
	quick    bool
}

func main() {
	o, err := parse(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	ctx, cancel := child.WithParent(ctx)
	defer cancel()
	if err := run(ctx, o, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		cancel()
		os.Exit(1) //nolint:gocritic // nothing is left to release: run has stopped what it started
	}
}

// parse reads the command line. Its errors are the user's to mend.
func parse(args []string, usage io.Writer) (options, error) {
	o := options{idle: []int{100, 1000, 10_000}}
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.SetOutput(usage)
	fs.StringVar(&o.forebay, "forebay", "bin/forebay", "path of the forebay binary (make build)")
	fs.StringVar(&o.kafka, "kafka", os.Getenv("TEST_KAFKA_BROKER"), "host:port of a Kafka broker, for what events cost; empty for none")
	fs.StringVar(&o.out, "out", "", "folder whose README.md gets the report (default bench, with -quick bin/bench)")
	fs.IntVar(&o.rounds, "rounds", 5, "rounds; each measures every row against all its targets, one after the other")
	fs.DurationVar(&o.duration, "for", 800*time.Millisecond, "how long one row is measured against one target; a fifth of it before that is warm-up")
	only := fs.String("only", "", "measure the rows whose name matches this expression; the names are printed as they run")
	fs.BoolVar(&o.quick, "quick", false, "one short round, which shows only that everything works")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	var err error
	switch {
	case fs.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	case o.rounds < 1 || o.duration <= 0:
		return o, errors.New("-rounds must be at least 1, -for above 0")
	}
	if o.only, err = regexp.Compile(*only); err != nil {
		return o, fmt.Errorf("read -only: %w", err)
	}
	if o.quick {
		o.rounds, o.duration, o.idle = 1, 150*time.Millisecond, o.idle[:2]
	}
	if o.out == "" {
		o.out = "bench"
		if o.quick || *only != "" {
			o.out = "bin/bench"
		}
	}
	return o, nil
}

// run starts the servers, measures, writes the report, and stops the servers, whatever happens.
func run(ctx context.Context, o options, stdout, progress io.Writer) (err error) {
	p, err := find(o.forebay)
	if err != nil {
		return err
	}
	machine := describe(ctx, o, p, time.Now())
	fmt.Fprintln(progress, machine)
	costs, err := idle(ctx, p, o.idle)
	if err != nil {
		return interrupted(ctx, err)
	}
	s, err := startServers(ctx, p, o.kafka)
	if err != nil {
		return interrupted(ctx, err)
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	ctx, cancel := s.WhileAlive(ctx)
	defer cancel()
	b := &bench{options: o, servers: s, progress: progress}
	b.rows = slices.DeleteFunc(plan(), func(r row) bool { return !o.only.MatchString(r.String()) })
	if err := b.prepare(ctx); err != nil {
		return interrupted(ctx, err)
	}
	if err := b.rounds(ctx); err != nil {
		return interrupted(ctx, err)
	}
	report := b.report(machine, costs, b.lost(ctx))
	if err := publish(o.out, report, b.charts()); err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "%s\nwritten to %s/README.md\n", report, o.out)
	return err
}

// lost says how many events Kafka did not get.
func (b *bench) lost(ctx context.Context) string {
	if _, there := b.targets[kafka]; !there {
		return "Not measured: no Kafka was given (TEST_KAFKA_BROKER or -kafka)."
	}
	lost, err := metric(ctx, b.port("kafka-http"), "forebay_events_lost_total")
	if err != nil {
		return "How many events were lost is not known: " + err.Error() + "."
	}
	return "An event for every GET. Lost on the way to Kafka: " + figure.Amount(lost) + "."
}

// interrupted tells why a run ended: a server's end says more than what it made of the load, and an interrupt more than both.
func interrupted(ctx context.Context, err error) error {
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, context.Canceled):
		return errors.New("interrupted")
	case cause != nil:
		return cause
	}
	return err
}
