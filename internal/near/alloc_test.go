package near_test

import (
	"strconv"
	"testing"

	"forebay/internal/near"
)

func TestNoAllocation(t *testing.T) {
	c, f := connected(t)
	keep(t, c, f, "here", "value")
	here, away, value := []byte("here"), []byte("away"), []byte("value")
	full := make([]byte, 1<<20)
	tests := map[string]func(){
		"hit":                 func() { c.Get(0, here) },
		"miss":                func() { c.Get(0, away) },
		"token and same":      func() { c.Same(0, here, c.Token(0, here)) },
		"fence and unfence":   func() { c.Fence(0, away); c.Unfence(0, away) },
		"drop":                func() { c.Drop(0, away) },
		"offer of what is in": func() { c.Offer(0, here, value, c.Token(0, here)) },
		"offer too large":     func() { c.Offer(0, away, full, c.Token(0, away)) },
		"offer too late":      func() { c.Offer(0, away, value, near.Token{}) },
		"fence all":           func() { c.FenceAll(); c.UnfenceAll() },
	}
	for _, name := range []string{
		"hit", "miss", "token and same", "fence and unfence", "drop", "offer of what is in", "offer too large", "offer too late", "fence all",
	} {
		run := tests[name]
		run()
		if n := testing.AllocsPerRun(1000, run); n > 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func TestFirstOfferDoesNotAllocate(t *testing.T) {
	c, _ := connected(t)
	key, value := make([]byte, 0, 32), make([]byte, 1000)
	i := 0
	if n := testing.AllocsPerRun(1000, func() {
		i++
		key = strconv.AppendInt(append(key[:0], "key:"...), int64(i), 10)
		c.Offer(0, key, value, c.Token(0, key))
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
	if s := c.Stats(); s.Refused.First < 990 {
		t.Errorf("%+v", s)
	}
}

func BenchmarkGet(b *testing.B) {
	c, f := connected(b, func(o *near.Options) { o.MaxBytes = 64 << 20 })
	f.auto = true
	keys := make([][]byte, 10_000)
	for i := range keys {
		keys[i] = []byte("mnist:train:" + strconv.Itoa(i))
		offerTwice(c, string(keys[i]), "value")
	}
	away := []byte("away")
	b.Run("hit", func(b *testing.B) {
		i := 0
		for b.Loop() {
			i = (i + 7919) % len(keys)
			if _, ok := c.Get(0, keys[i]); !ok {
				b.Fatal("miss")
			}
		}
	})
	b.Run("miss", func(b *testing.B) {
		for b.Loop() {
			c.Get(0, away)
		}
	})
	b.Run("fence", func(b *testing.B) {
		for b.Loop() {
			c.Fence(0, away)
			c.Unfence(0, away)
		}
	})
	b.Run("hit parallel", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for i := 0; pb.Next(); i = (i + 7919) % len(keys) {
				c.Get(0, keys[i])
			}
		})
	})
}
