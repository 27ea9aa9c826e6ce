// Command forebay is a read-through cache for training data that speaks Redis's protocol.
//
// Its subcommands load the configuration in one way (cli.go) and end with one of three statuses: 0 done, 1 failed, 2 wrong usage or
// configuration. "forebay serve" is the cache itself; serve.go reads as the order in which its parts come up and go down.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// version is set when a release is built: -ldflags "-X main.version=v1.2.3".
var version = "dev"

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}

// interrupts returns a context that ends with the first SIGINT or SIGTERM. From then on a second one ends the process at once, as if
// nobody had listened.
func interrupts(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}
