package cache_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"forebay/internal/event"
)

// A value is not for those who joined while it was loaded, if nobody knows whether its fill was refused (lease.go, 9).
func TestUnheardFillIsNotForThoseWhoCameSince(t *testing.T) {
	tests := map[string]struct {
		done, joined bool
		want         string // of who came first
		queries      int
	}{
		"fill lost":                  {joined: true, want: "v2", queries: 2},
		"answer lost":                {joined: true, done: true, want: "v2", queries: 2},
		"fill lost, nobody joined":   {want: "v1", queries: 1},
		"answer lost, nobody joined": {done: true, want: "v1", queries: 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, f *fixture) {
				f.source.set(1, 1, "v1")
				g, lost := newGate("answer of the query"), false
				f.source.after = every(g)
				lose := func(_ context.Context, o op) error {
					if o.name != "fill" || lost {
						return nil
					}
					lost = true
					return errors.New("connection reset")
				}
				if tt.done {
					f.store.after = lose
				} else {
					f.store.before = lose
				}
				first := f.start("t:1:1")
				g.held(t, 1)
				f.source.set(1, 1, "v2") // a client of another process
				if err := f.store.Drop(t.Context(), 0, [][]byte{[]byte("t:1:1")}, nil); err != nil {
					t.Fatal(err)
				}
				f.store.del("t:1:1")
				var second *reading
				if tt.joined {
					second = f.start("t:1:1")
				}
				g.release()
				for r, want := range map[*reading]string{first: tt.want, second: "v2"} {
					if r == nil {
						continue
					}
					if got := strings.TrimSuffix(show(r.wait()[0]), "*"); got != want {
						t.Errorf("got %s, want %s", got, want)
					}
				}
				if n := len(f.source.asked()); n != tt.queries {
					t.Errorf("%d queries, want %d", n, tt.queries)
				}
				if fills := f.events.of(event.Fill); len(fills) != tt.queries || fills[0].Error == "" {
					t.Errorf("fill events: %+v", fills)
				}
			})
		})
	}
}
