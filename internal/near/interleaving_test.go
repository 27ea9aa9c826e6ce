package near_test

import (
	"errors"
	"testing"
	"time"

	"forebay/backend"
	"forebay/internal/near"
)

// The names are those of the package's comment, in which each of these is argued.
func TestInterleavings(t *testing.T) {
	k := []byte("k")
	errGone := errors.New("gone")
	tests := []struct {
		name string
		run  func(t *testing.T, c *near.Cache, f *fake)
		hit  string // what Get gives in the end; "" is a miss
	}{
		{"0: nothing happens in between", func(t *testing.T, c *near.Cache, f *fake) {
			offerTwice(c, "k", "v1")
			f.answer(backend.NoExpiry)
		}, "v1"},
		{"1: a foreign write between GET and PTTL", func(t *testing.T, c *near.Cache, f *fake) {
			offer(c, "k", "v1")
			tok := c.Token(0, k)
			c.Offer(0, k, []byte("v1"), tok)
			f.Changed(k)
			f.answer(backend.NoExpiry)
		}, ""},
		{"1: the same, and the invalidation is here before the offer", func(t *testing.T, c *near.Cache, f *fake) {
			offer(c, "k", "v1")
			tok := c.Token(0, k)
			f.Changed(k)
			c.Offer(0, k, []byte("v1"), tok)
			f.answer(backend.NoExpiry)
		}, ""},
		{"2: the answer comes before the invalidation of an earlier write", func(t *testing.T, c *near.Cache, f *fake) {
			offerTwice(c, "k", "v1")
			f.answer(backend.NoExpiry)
			f.Changed(k)
		}, ""},
		{"3: a newer value is read while the older waits", func(t *testing.T, c *near.Cache, f *fake) {
			offerTwice(c, "k", "v1")
			offer(c, "k", "v2")
			f.answer(backend.NoExpiry)
		}, ""},
		{"3: a newer value is read while the older is in the store", func(t *testing.T, c *near.Cache, f *fake) {
			offerTwice(c, "k", "v1")
			f.answer(backend.NoExpiry)
			offer(c, "k", "v2")
			wantMiss(t, c, "k")
			f.answer(backend.NoExpiry)
		}, "v2"},
		{"3: a newer value is too large to be kept", func(t *testing.T, c *near.Cache, f *fake) {
			offerTwice(c, "k", "v1")
			f.answer(backend.NoExpiry)
			offer(c, "k", string(make([]byte, 1<<20)))
		}, ""},
		{"4: a foreign write after the PTTL, told before the answer is taken", func(t *testing.T, c *near.Cache, f *fake) {
			offerTwice(c, "k", "v1")
			f.Changed(k)
			f.answer(backend.NoExpiry)
		}, ""},
		{"5: lost before the offer", func(t *testing.T, c *near.Cache, f *fake) {
			offer(c, "k", "v1")
			tok := c.Token(0, k)
			f.Lost(errGone, false)
			f.Tracking(f.now())
			c.Offer(0, k, []byte("v1"), tok)
			f.answer(backend.NoExpiry)
		}, ""},
		{"5: lost between offer and answer", func(t *testing.T, c *near.Cache, f *fake) {
			offerTwice(c, "k", "v1")
			f.Lost(errGone, false)
			f.Tracking(f.now())
			f.answer(backend.NoExpiry)
		}, ""},
		{"5: the token is of the time without tracking", func(t *testing.T, c *near.Cache, f *fake) {
			offer(c, "k", "v1")
			f.Lost(errGone, false)
			tok := c.Token(0, k)
			f.Tracking(f.now())
			c.Offer(0, k, []byte("v1"), tok)
			f.answer(backend.NoExpiry)
		}, ""},
		{"5: an entry of before the loss", func(t *testing.T, c *near.Cache, f *fake) {
			keep(t, c, f, "k", "v1")
			f.Lost(errGone, false)
			wantMiss(t, c, "k")
			f.Tracking(f.now())
		}, ""},
		{"6: an own write between GET and offer", func(t *testing.T, c *near.Cache, f *fake) {
			offer(c, "k", "v1")
			tok := c.Token(0, k)
			c.Fence(0, k)
			c.Unfence(0, k)
			c.Offer(0, k, []byte("v1"), tok)
			f.answer(backend.NoExpiry)
		}, ""},
		{"6: an own write between offer and answer", func(t *testing.T, c *near.Cache, f *fake) {
			offerTwice(c, "k", "v1")
			c.Fence(0, k)
			f.answer(backend.NoExpiry)
			wantMiss(t, c, "k")
			c.Unfence(0, k)
		}, ""},
		{"6: an own write of unknown keys between offer and answer", func(t *testing.T, c *near.Cache, f *fake) {
			offerTwice(c, "k", "v1")
			c.FenceAll()
			f.answer(backend.NoExpiry)
			wantMiss(t, c, "k")
			c.UnfenceAll()
		}, ""},
		{"7: the token is taken while a fence is up", func(t *testing.T, c *near.Cache, f *fake) {
			offer(c, "k", "v1")
			c.Fence(0, k)
			tok := c.Token(0, k)
			c.Offer(0, k, []byte("v1"), tok)
			c.Unfence(0, k)
			c.Offer(0, k, []byte("v1"), tok)
			f.answer(backend.NoExpiry)
		}, ""},
		{"7: and the TTL is told before the fence is gone", func(t *testing.T, c *near.Cache, f *fake) {
			offer(c, "k", "v1")
			c.Fence(0, k)
			offer(c, "k", "v1")
			f.answer(backend.NoExpiry)
			wantMiss(t, c, "k")
			c.Unfence(0, k)
		}, ""},
		{"7: and the same while everything is fenced", func(t *testing.T, c *near.Cache, f *fake) {
			offer(c, "k", "v1")
			c.FenceAll()
			offer(c, "k", "v1")
			f.answer(backend.NoExpiry)
			wantMiss(t, c, "k")
			c.UnfenceAll()
		}, ""},
		{"7: the token is taken while everything is fenced", func(t *testing.T, c *near.Cache, f *fake) {
			offer(c, "k", "v1")
			c.FenceAll()
			tok := c.Token(0, k)
			c.UnfenceAll()
			c.Offer(0, k, []byte("v1"), tok)
			f.answer(backend.NoExpiry)
		}, ""},
		{"7: two fences, of which one is left", func(t *testing.T, c *near.Cache, f *fake) {
			offer(c, "k", "v1")
			c.Fence(0, k)
			c.Fence(0, k)
			c.Unfence(0, k)
			tok := c.Token(0, k)
			c.Offer(0, k, []byte("v1"), tok)
			c.Unfence(0, k)
			f.answer(backend.NoExpiry)
		}, ""},
		{"7: after the last fence all is as before", func(t *testing.T, c *near.Cache, f *fake) {
			c.Fence(0, k)
			c.Fence(0, k)
			c.Unfence(0, k)
			c.Unfence(0, k)
			offerTwice(c, "k", "v2")
			f.answer(backend.NoExpiry)
		}, "v2"},
		{"an own write of what is kept", func(t *testing.T, c *near.Cache, f *fake) {
			keep(t, c, f, "k", "v1")
			c.Fence(0, k)
			wantMiss(t, c, "k")
			c.Unfence(0, k)
		}, ""},
		{"a flush of what is kept", func(t *testing.T, c *near.Cache, f *fake) {
			keep(t, c, f, "k", "v1")
			f.Flushed()
		}, ""},
		{"a flush between offer and answer", func(t *testing.T, c *near.Cache, f *fake) {
			offerTwice(c, "k", "v1")
			f.Flushed()
			f.answer(backend.NoExpiry)
		}, ""},
		{"10: no PING is answered for a second", func(t *testing.T, c *near.Cache, f *fake) {
			keep(t, c, f, "k", "v1")
			f.pass(time.Second - 1)
			wantHit(t, c, "k", "v1")
			f.pass(1)
		}, ""},
		{"10: an answer to an old PING does not count", func(t *testing.T, c *near.Cache, f *fake) {
			keep(t, c, f, "k", "v1")
			old := f.now()
			f.pass(time.Second)
			f.Alive(old)
		}, ""},
		{"10: the next PING is answered, and nothing was changed", func(t *testing.T, c *near.Cache, f *fake) {
			keep(t, c, f, "k", "v1")
			f.pass(time.Second)
			wantMiss(t, c, "k")
			f.Alive(f.now())
		}, "v1"},
		{"an offer while no PING is answered", func(t *testing.T, c *near.Cache, f *fake) {
			offer(c, "k", "v1")
			f.pass(time.Second)
			offer(c, "k", "v1")
			f.Alive(f.now())
			f.answer(backend.NoExpiry)
		}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, f := connected(t)
			tt.run(t, c, f)
			if tt.hit == "" {
				wantMiss(t, c, "k")
			} else {
				wantHit(t, c, "k", tt.hit)
			}
		})
	}
}

func TestTTLIsNeverOutlived(t *testing.T) {
	for _, tt := range []struct {
		name  string
		left  time.Duration // as Redis answers
		until time.Duration // the first moment after the question without a hit; 0: never a hit
	}{
		{"a time", 100 * time.Millisecond, 99 * time.Millisecond},
		{"no expiry", backend.NoExpiry, near.MaxAge},
		{"longer than the greatest age", 48 * time.Hour, near.MaxAge},
		{"the last millisecond", time.Millisecond, 0},
		{"over", 0, 0},
		{"no key", backend.NoKey, 0},
		{"refused", backend.NotTold, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, f := connected(t)
			offerTwice(c, "k", "v")
			asked := f.now()
			f.pass(10 * time.Millisecond) // on its way
			f.answer(tt.left)
			if tt.until == 0 {
				wantMiss(t, c, "k")
				return
			}
			wantHit(t, c, "k", "v")
			f.clock.Store(asked + int64(tt.until) - 1)
			f.Alive(f.now())
			wantHit(t, c, "k", "v")
			f.pass(1)
			f.Alive(f.now())
			wantMiss(t, c, "k")
		})
	}
}

func TestSame(t *testing.T) {
	k, other := []byte("k"), []byte("other")
	for _, tt := range []struct {
		name string
		run  func(c *near.Cache, f *fake)
		same bool
	}{
		{"nothing", func(*near.Cache, *fake) {}, true},
		{"another key", func(c *near.Cache, f *fake) { c.Drop(0, other); f.Changed(other) }, true},
		{"dropped", func(c *near.Cache, _ *fake) { c.Drop(0, k) }, false},
		{"changed outside", func(_ *near.Cache, f *fake) { f.Changed(k) }, false},
		{"flushed", func(_ *near.Cache, f *fake) { f.Flushed() }, false},
		{"fenced", func(c *near.Cache, _ *fake) { c.Fence(0, k) }, false},
		{"fenced once", func(c *near.Cache, _ *fake) { c.Fence(0, k); c.Unfence(0, k) }, false},
		{"all fenced", func(c *near.Cache, _ *fake) { c.FenceAll() }, false},
		{"lost", func(_ *near.Cache, f *fake) { f.Lost(errors.New("x"), false) }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, f := connected(t)
			tok := c.Token(0, k)
			tt.run(c, f)
			if got := c.Same(0, k, tok); got != tt.same {
				t.Errorf("same: %v", got)
			}
		})
	}
}
