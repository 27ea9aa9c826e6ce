package load

import (
	"math"
	"slices"
	"testing"
)

// TestOrders counts what is chosen: a hundred keys, a thousand choices a key.
func TestOrders(t *testing.T) {
	const keys, choices = 100, 100_000
	for _, order := range []Order{Uniform, Zipf, Epoch, ""} {
		pick, err := Keys{Count: keys, Order: order}.picker(7, 0, 1)
		if err != nil {
			t.Fatal(err)
		}
		var sum float64 // of the chances that Zipf's law gives
		for rank := 1; rank <= keys; rank++ {
			sum += math.Pow(float64(rank), -zipfExponent)
		}
		counts := make([]float64, keys)
		for range choices {
			counts[pick()]++
		}
		for key, n := range counts {
			want, dev := choices/float64(keys), 0.0
			if order == Zipf {
				want = choices * math.Pow(float64(key+1), -zipfExponent) / sum
			}
			if order != Epoch {
				dev = 5 * math.Sqrt(want)
			}
			if math.Abs(n-want) > dev {
				t.Errorf("%q chose key %d %v times, want %.0f ± %.0f", order, key, n, want, dev)
			}
		}
	}
	if _, err := (Keys{Count: 1, Order: "alphabetical"}).picker(1, 0, 1); err == nil {
		t.Error("an unknown order is taken")
	}
}

// TestEpochsAreSharedAndShuffled: between the loops each key comes once an epoch, and no two epochs are alike.
func TestEpochsAreSharedAndShuffled(t *testing.T) {
	const keys, parts = 101, 3
	k := Keys{Count: keys, Order: Epoch}
	var epochs [2][]int
	for part := range parts {
		pick, err := k.picker(1, part, parts)
		if err != nil {
			t.Fatal(err)
		}
		for e := range epochs {
			for range k.share(part, parts) {
				epochs[e] = append(epochs[e], pick())
			}
		}
	}
	if slices.Equal(epochs[0], epochs[1]) || slices.IsSorted(epochs[0]) {
		t.Error("the order is the same in each epoch, or none")
	}
	for _, epoch := range epochs {
		slices.Sort(epoch)
		for i, key := range epoch {
			if i != key {
				t.Fatalf("key %d comes never or twice: %v", i, epoch)
			}
		}
	}
}
