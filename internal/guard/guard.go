package guard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"forebay/backend"
)

var _ backend.Source = (*Source)(nil)

// Options of a Source. The zero value of each but Limit is usable.
type Options struct {
	// Limit is the most queries under way at once, above zero. Least is the least to which the number goes down while queries take longer
	// and longer; 0, or Limit and above: it does not change.
	Limit, Least int
	// Failures is the share of queries that must have failed, of at least 20 in 10 s, for the breaker to open, in (0, 1]; 20 in a row open it too. 0: there
	// is no breaker.
	Failures float64
	// Pause is how long an open breaker waits before one query tries the source again. 0: DefaultPause.
	Pause time.Duration
	// Retries earns with each query. nil: nobody retries.
	Retries *Retries
	Log     *slog.Logger // nil: nothing is logged
}

// DefaultPause is the pause of Options where none is given.
const DefaultPause = time.Second

// Source is a source whose Load is guarded. It is safe for concurrent use. Close closes what is inside.
type Source struct {
	backend.Source
	options Options
	breaker *breaker // nil: none
	turns   *turns
	recent  recent
}

// New wraps a source, which the Source owns from then on.
func New(inner backend.Source, o Options) *Source {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Pause <= 0 {
		o.Pause = DefaultPause
	}
	s := &Source{Source: inner, options: o, turns: newTurns(o)}
	if o.Failures > 0 {
		s.breaker = newBreaker(o)
	}
	return s
}

// outcome is what a query says of the source.
type outcome uint8

const (
	nothing outcome = iota // it was given up, or had no time
	answers                // it does, be it with an error of the query's own
	refuses                // it answers, and cannot or will not run this query
	fails                  // it cannot be asked, or does not answer
)

// Load implements [backend.Source]. Beside the errors of what is inside there are those that wrap [backend.ErrNotAsked]: with [backend.ErrSourceDown] the query was
// refused, with [backend.ErrSourceTimeout] it waited for its turn until ctx ended.
func (s *Source) Load(ctx context.Context, q *backend.Select, where, in []any, each func(int, backend.Row) error) error {
	probe, err := s.admit()
	if err != nil {
		return err
	}
	turn, err := s.turns.take(ctx)
	if err != nil {
		s.end(probe, nothing)
		if !errors.Is(err, context.Canceled) {
			s.recent.refuse(overloaded)
		}
		return err
	}
	if !probe {
		if err := s.recheck(); err != nil {
			turn.Drop()
			return err
		}
	}
	s.options.Retries.earn()
	said, mine, fair := false, error(nil), s.turns.fair()
	began := time.Now()
	err = s.Source.Load(ctx, q, where, in, func(i int, row backend.Row) error {
		said = true
		mine = each(i, row)
		return mine
	})
	took := time.Since(began)
	out := answers // if its receiver has had enough
	if mine == nil {
		out = judge(ctx, err, said || took < fair)
	}
	s.end(probe, out)
	if probe && (out == answers || out == refuses) {
		s.turns.forget()
	}
	s.recent.add(out, took)
	s.turns.give(turn, q, out, took)
	return err
}

// judge tells what a query's end says of the source. excused: its deadline says nothing, as it gave rows or had little time.
func judge(ctx context.Context, err error, excused bool) outcome {
	switch {
	case err == nil:
		return answers
	case errors.Is(ctx.Err(), context.Canceled):
		return nothing
	case ctx.Err() != nil && excused:
		return nothing
	case errors.Is(err, backend.ErrSourceInvalid), errors.Is(err, backend.ErrNoTable):
		return refuses
	case errors.Is(err, backend.ErrSourceDown), errors.Is(err, backend.ErrSourceTimeout):
		return fails
	default:
		return nothing
	}
}

// admit asks the breaker. probe: this query is the one that tries whether the source answers again; whoever has it must end it.
func (s *Source) admit() (probe bool, err error) {
	if s.breaker == nil {
		return false, nil
	}
	probe, ok := s.breaker.admit()
	if !ok {
		s.recent.refuse(broken)
		return false, s.refusal()
	}
	return probe, nil
}

// recheck refuses a query if the breaker has opened while it waited.
func (s *Source) recheck() error {
	if s.breaker == nil || s.breaker.closed() {
		return nil
	}
	s.recent.refuse(broken)
	return s.refusal()
}

func (s *Source) refusal() error {
	left, trying := s.breaker.left()
	if trying {
		return fmt.Errorf("%w: %w: breaker open, one query is trying the source", backend.ErrSourceDown, backend.ErrNotAsked)
	}
	return fmt.Errorf("%w: %w: breaker open, try again in %v", backend.ErrSourceDown, backend.ErrNotAsked, left)
}

func (s *Source) end(probe bool, out outcome) {
	if s.breaker != nil {
		s.breaker.end(probe, out)
	}
}
