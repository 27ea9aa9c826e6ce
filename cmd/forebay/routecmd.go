package main

import (
	"errors"
	"fmt"
	"log/slog"

	"forebay/internal/route"
)

// routeCmd tells which route serves a key.
type routeCmd struct {
	DB  int    `name:"db" help:"The key's database." default:"0"`
	Key string `arg:"" help:"A key, as clients spell it."`
}

// Run explains. The routes are checked against the source where it can be asked.
func (cmd routeCmd) Run(c *console) error {
	cfg, err := c.config()
	if err != nil {
		return err
	}
	routes, err := compile(cfg)
	if err != nil {
		return err
	}
	src, err := openSource(c.ctx, cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer src.Close()
	mine, down := bind(c.ctx, routes, src)
	text, err := routes.Explain(cmd.DB, []byte(cmd.Key))
	if errors.Is(err, route.ErrUnrouted) {
		return err
	}
	if err != nil {
		return fmt.Errorf("explain %q: %w", cmd.Key, err)
	}
	fmt.Fprintln(c.out, text)
	if mine != nil {
		return &usageError{mine}
	}
	if down != nil {
		fmt.Fprintf(c.out, "not checked against the source, which did not answer: %v\n", down)
	}
	return nil
}
