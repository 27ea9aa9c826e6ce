// Command compat runs redis-py's tests, and programs of other clients, straight to Redis and through Forebay, and compares:
//
//	compat -forebay bin/forebay
//
// It ends with 0 if nothing differs but what is expected to, with 1 if something does, and with 2 if it could not be run.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"forebay/internal/compat"
)

func main() {
	os.Exit(run(os.Args[1:]))
}

func run(args []string) int {
	flags := flag.NewFlagSet("compat", flag.ContinueOnError)
	forebay := flags.String("forebay", "bin/forebay", "`path` of the program")
	protocols := flags.String("protocol", "2,3", "RESP `versions`")
	names := flags.String("files", "", "redis-py's `files`, comma-separated, as tests/test_lock.py; all if empty")
	fresh := flags.Bool("fresh", false, "do not go on where an interrupted run stopped")
	only := flags.String("only", "", "`suite` or clients; both if empty")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	path, err := filepath.Abs(*forebay)
	if err != nil {
		return told(err)
	}
	o := compat.Options{Forebay: path, Fresh: *fresh, Out: os.Stdout}
	for p := range strings.SplitSeq(*protocols, ",") {
		version, err := strconv.Atoi(p)
		if err != nil || version != 2 && version != 3 {
			return told(fmt.Errorf("protocol %q: want 2, 3 or 2,3", p))
		}
		o.Protocols = append(o.Protocols, version)
	}
	if *names != "" {
		o.Files = strings.Split(*names, ",")
	}
	var errs []error
	if *only != "suite" {
		errs = append(errs, compat.Clients(ctx, o))
	}
	if *only != "clients" && ctx.Err() == nil {
		errs = append(errs, compat.Suite(ctx, o))
	}
	return told(errs...)
}

// told prints errors and returns the status that they mean.
func told(errs ...error) int {
	status := 0
	for _, err := range errs {
		switch {
		case err == nil:
		case errors.Is(err, compat.ErrDiffers):
			status = max(status, 1)
		default:
			fmt.Fprintln(os.Stderr, "compat:", err)
			status = 2
		}
	}
	return status
}
