package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"forebay/backend/embedded"
	"forebay/config"
	"forebay/internal/route"
)

// configCmd is about the configuration itself.
type configCmd struct {
	Example configExample `cmd:"" help:"Print a commented configuration with every field at its default."`
	Check   configCheck   `cmd:"" help:"Report every mistake of the configuration."`
	Show    configShow    `cmd:"" help:"Print the effective configuration, secrets redacted."`
}

type configExample struct{}

// Run prints the example.
func (configExample) Run(c *console) error {
	_, err := c.out.Write(config.Example())
	return err
}

type configShow struct{}

// Run prints the configuration as YAML.
func (configShow) Run(c *console) error {
	cfg, err := c.config()
	if err != nil {
		return err
	}
	_, err = c.out.Write(cfg.Show())
	return err
}

type configCheck struct {
	Connect bool `help:"Ask Redis and the source too, and check the routes against the source's tables."`
}

// Run reports what is wrong, or says that nothing is.
func (cmd configCheck) Run(c *console) error {
	cfg, err := c.config()
	if err != nil {
		return err
	}
	for _, w := range cfg.Warnings {
		fmt.Fprintln(c.err, "forebay: warning:", w)
	}
	routes, err := compile(cfg)
	if err != nil {
		return err
	}
	if cmd.Connect {
		if err := connect(c, cfg, routes); err != nil {
			return err
		}
	}
	fmt.Fprintf(c.out, "the configuration is valid: %s\n", count(len(routes.Routes()), "route"))
	return nil
}

// compile makes the table of the configuration's routes; the bundled digits bring theirs where there are none. Its error is the operator's to
// mend.
func compile(cfg *config.Config) (*route.Table, error) {
	specs := cfg.Specs()
	if len(specs) == 0 && cfg.Source.Embedded {
		specs = embedded.DefaultRoutes()
		for i := range specs {
			specs[i].TTL, specs[i].Jitter, specs[i].AbsentTTL = cfg.Defaults.TTL, cfg.Defaults.Jitter, cfg.Defaults.AbsentTTL
		}
	}
	table, err := route.Compile(specs)
	if err != nil {
		return nil, &usageError{err}
	}
	return table, nil
}

// connect asks the servers that the configuration names.
func connect(c *console, cfg *config.Config, routes *route.Table) error {
	ctx, cancel := context.WithTimeout(c.ctx, 10*time.Second)
	defer cancel()
	var errs []error
	if line, err := askRedis(ctx, cfg); err != nil {
		errs = append(errs, err)
	} else {
		fmt.Fprintln(c.out, line)
	}
	if line, err := askSource(ctx, cfg, routes); err != nil {
		errs = append(errs, err)
	} else {
		fmt.Fprintln(c.out, line)
	}
	return errors.Join(errs...)
}

// count is "1 route", "2 routes".
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
