// Command demo shows a Forebay that nobody has configured: it starts one, reads the bundled training digits through it as a
// trainer would, twice, and prints how fast that was, how many reads the cache answered and some of the events that it gave.
//
// Then it keeps Forebay running until it is interrupted, its parent ends or Forebay does; with ONCE=1 in the environment it stops at
// once. Forebay never outlives it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"

	"forebay/internal/child"
)

// options say what to run and where.
type options struct {
	forebay    string   // path of the binary
	arguments  []string // of the binary
	resp, http string   // host:port of Forebay's two ports
	once       bool     // end after the two epochs
}

func main() {
	o := options{arguments: []string{"serve"}, once: os.Getenv("ONCE") != "" && os.Getenv("ONCE") != "0"}
	flag.StringVar(&o.forebay, "forebay", "bin/forebay", "path of the forebay binary")
	flag.StringVar(&o.resp, "resp", "127.0.0.1:6380", "address of the RESP port")
	flag.StringVar(&o.http, "http", "127.0.0.1:8380", "address of the HTTP port")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	ctx, cancel := child.WithParent(ctx)
	defer cancel()
	if err := run(ctx, o, os.Stdout, os.Stderr); err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		cancel()
		os.Exit(1) //nolint:gocritic // nothing is left to release: run has stopped the child
	}
}

// run is the demonstration, from the free ports to the end of the child. A ctx that ends is the way to stop it, not an error.
func run(ctx context.Context, o options, stdout, stderr io.Writer) (err error) {
	for _, addr := range []string{o.resp, o.http} {
		if err := mustBeFree(ctx, addr); err != nil {
			return err
		}
	}
	forebay, banner, err := startForebay(o, stdout, stderr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, forebay.Stop()) }()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ended := forebay.Ended()
	detach := context.AfterFunc(ended, func() { cancel(context.Cause(ended)) })
	defer detach()
	if err := show(ctx, o, banner, stdout); err != nil {
		return because(ctx, err)
	}
	if o.once {
		return nil
	}
	<-ctx.Done()
	return because(ctx, nil)
}

// because returns why ctx ended: nil if it was an interrupt, the child's end if it was that; while ctx goes on, err.
func because(ctx context.Context, err error) error {
	switch cause := context.Cause(ctx); {
	case cause == nil:
		return err
	case errors.Is(cause, context.Canceled):
		return nil
	default:
		return cause
	}
}

// mustBeFree tells, before anything is started, that a port is taken.
func mustBeFree(ctx context.Context, addr string) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		if errors.Is(err, syscall.EADDRINUSE) {
			return fmt.Errorf("%s is taken: stop what listens there (perhaps another forebay), or choose other ports with -resp and -http", addr)
		}
		return fmt.Errorf("listen on %s: %w", addr, err)
	}
	return l.Close()
}
