package main

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestStackClosesBackwardsWithinTheGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var order []string
		var left []time.Duration
		s := &stack{}
		down := func(name string, takes time.Duration, err error) {
			s.push(name, func(ctx context.Context) error {
				end, _ := ctx.Deadline()
				order, left = append(order, name), append(left, time.Until(end))
				time.Sleep(takes)
				return err
			})
		}
		first, second := errors.New("first"), errors.New("second")
		down("redis", 0, nil)
		down("events", 0, second)
		down("front", 9500*time.Millisecond, first)
		err := s.close(10*time.Second, slog.New(slog.DiscardHandler))
		if want := []string{"front", "events", "redis"}; !slices.Equal(order, want) {
			t.Errorf("closed %v, want %v", order, want)
		}
		if want := []time.Duration{10 * time.Second, leastGrace, leastGrace}; !slices.Equal(left, want) {
			t.Errorf("they had %v, want %v", left, want)
		}
		if !errors.Is(err, first) || !errors.Is(err, second) {
			t.Errorf("errors are lost: %v", err)
		}
		if err := s.close(time.Second, slog.New(slog.DiscardHandler)); err != nil || len(order) != 3 {
			t.Errorf("a second close does something: %v, %v", err, order)
		}
	})
}
