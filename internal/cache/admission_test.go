package cache_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"forebay/internal/cache"
)

func TestGate(t *testing.T) {
	g := cache.NewGate(0.9, 0)
	admits := func(when string, want bool) {
		t.Helper()
		if g.Admit(0) != want {
			t.Errorf("%s: admits %t", when, !want)
		}
	}
	admits("before anything is known", true)
	g.Told(100<<20, 0, 0)
	admits("without a bound", true)
	g.Told(89<<20, 100<<20, g.Mark())
	admits("below the mark", true)
	for range 2 << 10 { // 2 MiB more than Redis said
		g.Admit(1 << 10)
	}
	admits("when what it admitted reaches the mark", false)
	g.Told(899<<20/10, 100<<20, g.Mark())
	admits("just below the mark", false)
	g.Told(88<<20, 100<<20, g.Mark())
	admits("when room has appeared", true)
	mark := g.Mark()
	for range 3 << 10 {
		g.Admit(1 << 10)
	}
	g.Told(88<<20, 100<<20, mark) // asked before they were stored
	admits("when the figures are older than what was admitted", false)

	g = cache.NewGate(0.9, 50<<20)
	g.Told(46<<20, 100<<20, 0)
	admits("over the budget", false)
	g.Told(46<<20, 0, 0)
	admits("over the budget, without maxmemory", false)
}

// Shuffled epochs over a set that does not fit hit as many keys as fit, on a real Redis, and evict none.
func TestShuffledEpochsHitWhatIsKept(t *testing.T) {
	for _, memory := range []int{3 << 20, 4 << 20} {
		t.Run(fmt.Sprintf("%d MiB", memory>>20), func(t *testing.T) {
			const keys, epochs, valueBytes, askEvery = 3000, 4, 1000, 100
			gate := cache.NewGate(0.95, 0)
			f, server := onRedis(t, func(o *cache.Options) { o.Admit = gate.Admit })
			server.Do(t, "config", "set", "maxmemory", strconv.Itoa(memory))
			server.Do(t, "config", "set", "maxmemory-policy", "allkeys-lru")
			ask := func() {
				mark := gate.Mark()
				var used int64
				for line := range strings.Lines(server.Do(t, "info", "memory").(string)) {
					if v, ok := strings.CutPrefix(strings.TrimSpace(line), "used_memory:"); ok {
						used, _ = strconv.ParseInt(v, 10, 64)
					}
				}
				gate.Told(used, int64(memory), mark)
			}
			value := strings.Repeat("v", valueBytes)
			for i := range keys {
				f.source.set(1, i, value)
			}
			ask()
			random := rand.New(rand.NewPCG(1, 2))
			hits, reads := 0, 0
			for epoch := range epochs {
				for n, i := range random.Perm(keys) {
					if n%askEvery == 0 {
						ask()
					}
					r := f.read(fmt.Sprint("t:1:", i))[0]
					if r.Err != nil || len(r.Value) != valueBytes {
						t.Fatalf("key %d: %d bytes, %v", i, len(r.Value), r.Err)
					}
					if epoch == 0 {
						continue // cold
					}
					reads++
					if r.Cached {
						hits++
					}
				}
			}
			held := float64(server.Do(t, "dbsize").(int64))
			fraction, ratio := held/keys, float64(hits)/float64(reads)
			t.Logf("%.3f of the keys are held, %.3f of the reads hit", fraction, ratio)
			if math.Abs(fraction-ratio) > 0.01 || fraction < 0.2 || fraction > 0.9 {
				t.Errorf("%.3f of the keys are held, but %.3f of the reads hit", fraction, ratio)
			}
			if stats := server.Do(t, "info", "stats").(string); !strings.Contains(stats, "evicted_keys:0\r\n") {
				t.Error("something was evicted")
			}
		})
	}
}

// What must be stored, for a script say, is stored though the gate is closed.
func TestEnsureStoresThoughTheGateIsClosed(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture) {
		f.source.set(1, 1, "v1")
		wantResults(t, f.read("t:1:1"), "v1")
		if _, ok := f.store.get("t:1:1"); ok {
			t.Error("a read is stored")
		}
		found, err := f.engine.Ensure(t.Context(), 0, f.wants(0, "t:1:1"))
		if v, _ := f.store.get("t:1:1"); err != nil || found[0] != cache.FoundInSource || v != "v1" {
			t.Errorf("Ensure: %v, %v; redis has %q", found, err, v)
		}
	}, func(o *cache.Options) { o.Admit = func(int) bool { return false } })
}
