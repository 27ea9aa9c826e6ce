package proxy_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"forebay/backend"
)

// lookedAt sets keys right before the engine looks for them in Redis, and removes them right after.
type lookedAt struct {
	backend.Store
	t            *testing.T
	f            *front
	sets, clears atomic.Int64 // how many looks still
}

func (l *lookedAt) Acquire(ctx context.Context, db int, life time.Duration, asks []backend.Ask) ([]backend.Grant, error) {
	key := string(asks[0].Key)
	if l.sets.Add(-1) >= 0 {
		l.f.redis.Do(l.t, "SET", key, "come")
	}
	grants, err := l.Store.Acquire(ctx, db, life, asks)
	if l.clears.Add(-1) >= 0 {
		l.f.redis.Do(l.t, "DEL", key)
	}
	return grants, err
}

// 1. Redis answers a GETDEL with nil. 2. Another sets the key. 3. The look of the load finds its value: it must be taken, or not be given.
func TestGetDelTakesWhatHasCome(t *testing.T) {
	l := &lookedAt{t: t}
	f := start(t, options{wrap: func(f *front) backend.Store {
		l.f, l.Store = f, f.store
		return l
	}})
	contended := "-SOURCETIMEOUT key was written each time it was loaded; try again\r\n"
	tests := []struct {
		name         string
		sets, clears int64
		want         string
	}{
		{"nothing has come", 0, 0, bulk("value-%d")},
		{"a value has come", 1, 0, bulk("come")},
		{"it has gone again", 1, 1, bulk("value-%d")},
		{"two have come and gone", 2, 2, bulk("value-%d")},
		{"they come and go each time", 9, 9, contended},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l.sets.Store(tt.sets)
			l.clears.Store(tt.clears)
			key := fmt.Sprint("t:", i)
			c := dial(t, f.addr)
			c.send(frames("GETDEL "+key, "EXISTS "+key))
			want := tt.want
			if tt.want == bulk("value-%d") {
				want = bulk(fmt.Sprint("value-", i))
			}
			if got := c.reply(); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
			l.sets.Store(0)
			l.clears.Store(0)
			if got := c.reply(); got != ":0\r\n" {
				t.Errorf("EXISTS behind it: %q", got)
			}
			c.send(frames("GET " + key)) // not before: its look would be one more in which a value comes
			if got := c.reply(); got != bulk(fmt.Sprint("value-", i)) {
				t.Errorf("GET behind it: %q", got)
			}
		})
	}
}
