package cache_test

import (
	"context"
	"errors"
	"testing"

	"forebay/internal/cache"
)

// What Redis has been given since is not what a read saw that Redis answered with nothing, whoever looks there at the same time.
func TestSourceJoinsNoFlight(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		f.source.set(1, 1, "row")
		open := make(chan struct{})
		f.store.before = func(_ context.Context, o op) error {
			if o.name == "get" {
				<-open
			}
			return nil
		}
		f.store.set("t:1:1", "written")
		other := f.start("t:1:1") // its look is under way
		for i, res := range f.engine.Source(t.Context(), 0, f.wants(0, "t:1:1", "t:1:2", "t:1:1")) {
			if want := []string{"row", "", "row"}[i]; res.Err != nil || string(res.Value) != want {
				t.Errorf("%d: %q, %v; want %q", i, res.Value, res.Err, want)
			}
		}
		close(open)
		if res := other.wait(); string(res[0].Value) != "written" {
			t.Errorf("the other has %q", res[0].Value)
		}
		f.engine.Close()
		if res := f.engine.Source(t.Context(), 0, f.wants(0, "t:1:1")); !errors.Is(res[0].Err, cache.ErrClosed) {
			t.Errorf("once closed: %v", res[0].Err)
		}
	})
}

// A key that is asked for twice has one result.
func TestTwinsHaveOneResult(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		f.source.set(1, 1, "row")
		res := f.read("t:1:1", "t:1:2", "t:1:1", "t:1:1")
		for i, want := range []string{"row", "", "row", "row"} {
			if string(res[i].Value) != want || res[i].Joined != (i > 1) {
				t.Errorf("%d: %+v, want %q", i, res[i], want)
			}
		}
		if n := f.engine.Coalesced(); n != 2 {
			t.Errorf("%d reads joined another, want 2", n)
		}
	})
}
