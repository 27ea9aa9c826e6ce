package main

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// stack is what is up, in the order in which it came up. Its zero value is empty.
type stack struct{ steps []step }

type step struct {
	name string
	down func(context.Context) error
}

// push adds a part that is up. down ends it and waits for it, until ctx ends.
func (s *stack) push(name string, down func(ctx context.Context) error) {
	s.steps = append(s.steps, step{name, down})
}

// leastGrace is what each step gets even when the grace is over: clients that were cut must not cost the last events.
const leastGrace = time.Second

// close takes everything down, the last first, within the grace for all together, and returns what went wrong.
func (s *stack) close(grace time.Duration, log *slog.Logger) error {
	end := time.Now().Add(grace)
	var errs []error
	for i := len(s.steps) - 1; i >= 0; i-- {
		ctx, cancel := context.WithTimeout(context.Background(), max(leastGrace, time.Until(end)))
		began := time.Now()
		err := s.steps[i].down(ctx)
		cancel()
		log.Debug("part is down", "part", s.steps[i].name, "took", time.Since(began))
		errs = append(errs, err)
	}
	s.steps = nil
	return errors.Join(errs...)
}

// closed adapts a Close that cannot fail or be bounded.
func closed(f func()) func(context.Context) error {
	return func(context.Context) error {
		f()
		return nil
	}
}

// background runs f until it is ended by the function returned, which waits for it.
func background(f func(context.Context)) (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		f(ctx)
	}()
	return func() {
		cancel()
		<-ended
	}
}
