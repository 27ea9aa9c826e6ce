// Command load offers load to one server that speaks Redis's protocol and prints what it measured: the rate of commands, and
// how long they took.
//
//	go run ./bench/cmd/load -depth 16 -bytes 3136 -fill 127.0.0.1:6379
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"forebay/bench/load"
)

// options are the command line.
type options struct {
	load.Options
	addr     string
	fill     bool
	warm     time.Duration
	duration time.Duration
}

func main() {
	o, err := parse(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		stop()
		os.Exit(1) //nolint:gocritic // nothing is left to release
	}
}

func parse(args []string, usage io.Writer) (options, error) {
	var o options
	fs := flag.NewFlagSet("load", flag.ContinueOnError)
	fs.SetOutput(usage)
	fs.Usage = func() {
		fmt.Fprintln(usage, "usage: load [flags] host:port")
		fs.PrintDefaults()
	}
	fs.IntVar(&o.Conns, "conns", 50, "connections")
	fs.IntVar(&o.Threads, "threads", 1, "threads that serve them")
	fs.IntVar(&o.Depth, "depth", 1, "commands that a connection sends at once (P)")
	fs.IntVar(&o.Width, "width", 1, "keys of a read; over 1, reads are MGET")
	fs.Float64Var(&o.Sets, "sets", 0, "share of commands that are SET, 0 to 1")
	fs.IntVar(&o.Bytes, "bytes", 100, "bytes of a value")
	fs.StringVar(&o.Keys.Prefix, "prefix", "load:", "what keys begin with")
	fs.IntVar(&o.Keys.Count, "keys", 10_000, "how many keys")
	fs.StringVar((*string)(&o.Keys.Order), "order", string(load.Uniform), "how keys are chosen: uniform, zipf, or epoch (each once, shuffled, then again)")
	fs.Float64Var(&o.Rate, "rate", 0, "commands a second, over all connections; latency then counts from when a command was due. 0 is as fast as possible")
	fs.Uint64Var(&o.Seed, "seed", 1, "of the choices")
	fs.BoolVar(&o.fill, "fill", false, "set every key first")
	fs.DurationVar(&o.warm, "warm", time.Second, "time before what is measured")
	fs.DurationVar(&o.duration, "duration", 5*time.Second, "time that is measured")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	if fs.NArg() != 1 {
		return o, errors.New("want one argument, the server's host:port")
	}
	o.addr = fs.Arg(0)
	o.Keys.First = o.Keys.Count // numbers of about the same length
	return o, nil
}

// run offers the load and prints what came of it.
func run(ctx context.Context, o options, out io.Writer) error {
	if o.fill {
		if err := load.Fill(ctx, o.addr, o.Keys, o.Bytes); err != nil {
			return err
		}
	}
	c, err := load.Dial(ctx, o.addr, o.Options)
	if err != nil {
		return err
	}
	defer c.Close()
	if o.warm > 0 {
		if _, err := c.Run(ctx, o.warm); err != nil {
			return err
		}
	}
	r, err := c.Run(ctx, o.duration)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%.0f commands/s over %.1f s\np50 %v  p90 %v  p99 %v  p99.9 %v  most %v\n", r.PerSecond(), r.Elapsed.Seconds(),
		r.Latency.Quantile(0.5), r.Latency.Quantile(0.9), r.Latency.Quantile(0.99), r.Latency.Quantile(0.999), r.Latency.Quantile(1))
	return err
}
