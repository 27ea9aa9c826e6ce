package load_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"forebay/bench/load"
)

// TestQuantilesAreNeverLessAndLittleMore holds the histogram to sorting the same durations.
func TestQuantilesAreNeverLessAndLittleMore(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	shapes := map[string]func() time.Duration{
		"microseconds":     func() time.Duration { return time.Duration(r.IntN(1000)) * time.Microsecond },
		"every magnitude":  func() time.Duration { return time.Duration(r.Uint64() >> (1 + r.IntN(63))) },
		"a few far out":    func() time.Duration { return time.Duration(r.ExpFloat64() * float64(time.Millisecond)) },
		"always the same":  func() time.Duration { return 123_456_789 },
		"nothing to speak": func() time.Duration { return time.Duration(r.IntN(3)) },
	}
	for name, shape := range shapes {
		t.Run(name, func(t *testing.T) {
			var parts [2]load.Histogram
			var all []time.Duration
			for i := range 20_000 {
				d := shape()
				all = append(all, d)
				parts[i%2].Record(d)
			}
			slices.Sort(all)
			h := &parts[0]
			h.Add(&parts[1])
			if h.Count() != uint64(len(all)) {
				t.Fatalf("%d of %d counted", h.Count(), len(all))
			}
			for _, q := range []float64{0, 0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 1} {
				want := all[max(int(q*float64(len(all))+0.999999)-1, 0)]
				got := h.Quantile(q)
				if got < want || float64(got) > float64(want)*(1+1.0/128) {
					t.Errorf("quantile %v: %d, sorted %d", q, got, want)
				}
			}
		})
	}
}

func TestAHistogramOfNothing(t *testing.T) {
	var h load.Histogram
	if got := h.Quantile(0.99); got != 0 || h.Count() != 0 {
		t.Errorf("%v of %d", got, h.Count())
	}
	h.Record(-time.Second)
	if got := h.Quantile(1); got != 0 || h.Count() != 1 {
		t.Errorf("%v of %d", got, h.Count())
	}
}
