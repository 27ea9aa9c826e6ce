package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"

	"forebay/config"
)

// Statuses that a command ends with.
const (
	done   = 0
	failed = 1
	misuse = 2 // wrong usage or configuration
)

// commands is the command line, but for the flags that config names.
type commands struct {
	File string `name:"config" short:"c" placeholder:"FILE" help:"Configuration file (YAML). Without one, everything is embedded."`

	Serve    serveCmd    `cmd:"" help:"Serve Redis clients and HTTP until SIGINT or SIGTERM."`
	Config   configCmd   `cmd:"" help:"Print an example, check a configuration, or show the effective one."`
	Route    routeCmd    `cmd:"" help:"Tell which route serves a key and which query loads it."`
	Load     loadCmd     `cmd:"" help:"Write NPY, NPZ or IDX files, folders of files, CSV or JSON lines into Cassandra: as samples, an object or rows of a table."`
	Warm     warmCmd     `cmd:"" help:"Load keys through a running forebay before they are needed, and count what Redis holds then."`
	Events   eventsCmd   `cmd:"" help:"Print what Forebays told of hits, misses and evictions, or prove that nothing of it is missing."`
	Sessions sessionsCmd `cmd:"" help:"List, end or extend the training sessions of a running forebay."`
	Health   healthCmd   `cmd:"" help:"Ask a running forebay whether it is ready."`
	Version  versionCmd  `cmd:"" help:"Print the version."`
}

// console is what a command has of the world around it.
type console struct {
	ctx      context.Context //nolint:containedctx // the life of one command
	out, err io.Writer
	file     string
	environ  []string
	flags    map[string]string // by field path
}

// config loads the configuration and prints what was ignored in it. Its error is the operator's to mend.
func (c *console) config() (*config.Config, error) {
	cfg, err := config.Load(c.file, c.environ, c.flags)
	if err != nil {
		return nil, &usageError{err}
	}
	return cfg, nil
}

// usageError is a mistake in what the operator asked for: status 2.
type usageError struct{ cause error }

func (e *usageError) Error() string { return e.cause.Error() }
func (e *usageError) Unwrap() error { return e.cause }

func misused(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

// run is the whole program: it returns the status to end with.
func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	ctx, stop := interrupts(ctx)
	defer stop()
	err := execute(&console{ctx: ctx, out: stdout, err: stderr, environ: environ}, args)
	switch usage := (*usageError)(nil); {
	case err == nil:
		return done
	case errors.As(err, &usage):
		complain(stderr, err)
		return misuse
	default:
		complain(stderr, err)
		return failed
	}
}

// complain prints each line of an error.
func complain(w io.Writer, err error) {
	for line := range strings.Lines(err.Error()) {
		if line = strings.TrimRight(line, "\n"); line != "" {
			fmt.Fprintln(w, "forebay:", line)
		}
	}
}

// asked ends a command line that only asked for help, which is printed already.
type asked struct{}

// execute parses the command line and runs its command.
func execute(c *console, args []string) (err error) {
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(asked); !ok {
				panic(r)
			}
		}
	}()
	var cmds commands
	fields := newFieldFlags(config.Fields())
	parser, err := kong.New(&cmds,
		kong.Name("forebay"),
		kong.Description("A read-through cache for training data that speaks Redis's protocol.\n\n"+
			"Each field of the configuration is also a flag (--redis.address=127.0.0.1:6379, see \"forebay serve --help\") and a "+
			"variable (FOREBAY_REDIS_ADDRESS). Flags come before the environment, that before the file."),
		kong.Embed(fields.target()),
		kong.Writers(c.out, c.err),
		kong.Exit(func(int) { panic(asked{}) }),
		kong.Help(help),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
	)
	if err != nil {
		return fmt.Errorf("build command line: %w", err)
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		return misused("%w (see forebay --help)", err)
	}
	c.file, c.flags = cmds.File, fields.given()
	return parsed.Run(c)
}

// help shows the fields' flags only where they are looked for: there are about a hundred.
func help(o kong.HelpOptions, ctx *kong.Context) error {
	if node := ctx.Selected(); node != nil && node.Name == "serve" {
		for _, f := range ctx.Model.Flags {
			f.Hidden = false
		}
	}
	return kong.DefaultHelpPrinter(o, ctx)
}

// versionCmd prints the version.
type versionCmd struct{}

// Run prints one line.
func (versionCmd) Run(c *console) error {
	b := build()
	fmt.Fprintf(c.out, "forebay %s (%s, %s)\n", b.Version, b.Revision, b.GoVersion)
	return nil
}
