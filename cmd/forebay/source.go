package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"forebay/backend"
	"forebay/backend/cassandra"
	"forebay/backend/embedded"
	"forebay/config"
	"forebay/internal/guard"
	"forebay/internal/route"
)

// source is where rows come from, and how people are told of it.
type source struct {
	backend.Source
	name    string         // "cassandra" or "digits", as metrics and health call it
	text    string         // for the banner
	retries *guard.Retries // nil: nothing is retried
}

// openSource opens what the configuration names. A Cassandra that is down is no error.
func openSource(ctx context.Context, cfg *config.Config, log *slog.Logger) (*source, error) {
	if cfg.Source.Embedded {
		d, err := embedded.NewDigits()
		if err != nil {
			return nil, err
		}
		return &source{Source: d, name: "digits", text: "the bundled digits (1,437 train and 360 test samples)"}, nil
	}
	o, err := cassandraOptions(cfg)
	if err != nil {
		return nil, err
	}
	o.Lazy, o.Logger = true, log
	retries := guard.NewRetries(cfg.Loads.Retries)
	o.Retry = retries.Spend
	s, err := cassandra.Open(ctx, o)
	if err != nil {
		return nil, &usageError{fmt.Errorf("open source.cassandra: %w", err)}
	}
	text := "cassandra " + strings.Join(o.Hosts, ", ")
	if o.Keyspace != "" {
		text += ", keyspace " + o.Keyspace
	}
	return &source{Source: s, name: "cassandra", text: text, retries: retries}, nil
}

// guarded puts the bounds of loads in front of a source.
func guarded(src *source, cfg *config.Config, log *slog.Logger) *guard.Source {
	l := &cfg.Loads
	return guard.New(src.Source, guard.Options{
		Limit: l.Limit, Least: l.Least, Failures: l.Breaker, Pause: l.Pause, Retries: src.retries, Log: log,
	})
}

// cassandraOptions are the driver's form of the configuration. An unreadable certificate is the operator's to mend.
func cassandraOptions(cfg *config.Config) (cassandra.Options, error) {
	c := &cfg.Source.Cassandra
	tls, err := c.TLS.Load()
	if err != nil {
		return cassandra.Options{}, &usageError{fmt.Errorf("source.cassandra.tls: %w", err)}
	}
	return cassandra.Options{
		Hosts: c.Hosts, Keyspace: c.Keyspace, Consistency: c.Consistency, LocalDC: c.LocalDC,
		Username: c.Username, Password: string(c.Password), TLS: tls, Timeout: c.Timeout, SpeculateAfter: c.SpeculateAfter,
	}, nil
}

// bound is how long checking the routes may take at start: a source that is slower is asked again in the background.
const boundWithin = 10 * time.Second

// bind checks the routes against the source. mine are the problems that only the operator can solve, one a line; down is why the
// rest could not be checked.
func bind(ctx context.Context, routes *route.Table, src backend.Source) (mine, down error) {
	ctx, cancel := context.WithTimeout(ctx, boundWithin)
	defer cancel()
	err := routes.Bind(ctx, src)
	if err == nil {
		return nil, nil
	}
	var list []error
	for _, e := range split(err) {
		if outage(e) {
			down = e
		} else {
			list = append(list, e)
		}
	}
	return errors.Join(list...), down
}

// split returns the errors that errors.Join has joined.
func split(err error) []error {
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		return joined.Unwrap()
	}
	return []error{err}
}

// outage tells whether an error is one that passes by itself.
func outage(err error) bool {
	return errors.Is(err, backend.ErrSourceDown) || errors.Is(err, backend.ErrSourceTimeout) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// rebindEvery is how often routes are checked that could not be at start. While the source has no session that asks nobody, and once it has one, its keys are served
// within so much time.
const rebindEvery = time.Second

// rebind checks the routes again until all are bound, ctx ends, or what is left is the operator's to mend: those routes answer
// SOURCEDOWN.
func rebind(ctx context.Context, routes *route.Table, src backend.Source, log *slog.Logger) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(rebindEvery):
		}
		mine, down := bind(ctx, routes, src)
		if ctx.Err() != nil {
			return
		}
		if down != nil {
			log.Debug("routes not checked yet", "error", down)
			continue
		}
		if mine == nil {
			log.Info("source answers, routes checked", "routes", len(routes.Routes()))
			return
		}
		for _, e := range split(mine) {
			log.Error("route cannot be served: its keys answer SOURCEDOWN until it is mended and forebay is started again", "error", e)
		}
		return
	}
}

// askSource opens the source, checks the routes and closes it.
func askSource(ctx context.Context, cfg *config.Config, routes *route.Table) (string, error) {
	src, err := openSource(ctx, cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return "", err
	}
	defer src.Close()
	if err := src.Ping(ctx); err != nil {
		return "", fmt.Errorf("ask the source (%s): %w", src.text, err)
	}
	mine, down := bind(ctx, routes, src)
	if mine != nil {
		return "", &usageError{mine}
	}
	if down != nil {
		return "", fmt.Errorf("check the routes: %w", down)
	}
	return "source: " + src.text + " answers, " + count(len(routes.Routes()), "route") + " checked", nil
}
