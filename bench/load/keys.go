package load

import (
	"fmt"
	"math/rand/v2"
)

// Order is how keys are chosen.
type Order string

// The orders.
const (
	Uniform Order = "uniform" // each key as likely as any other, at every choice
	Zipf    Order = "zipf"    // the key of rank k, from 1, as likely as k to the power of −1.1: a few hot keys
	Epoch   Order = "epoch"   // each key once, in a random order, then all again in another: a training run
)

// zipfExponent is about what web caches see; 1.0, the textbook's, is beyond what rand.Zipf computes.
const zipfExponent = 1.1

// Keys are the keys that commands are about: Prefix and a number from First, Count of them. Numbers of equal length make commands of equal length.
type Keys struct {
	Prefix string
	First  int
	Count  int   // at least 1
	Order  Order // "" is Uniform
}

// picker chooses keys, as numbers from 0. It is for one goroutine.
type picker func() int

// picker makes the picker of the part-th of parts loops. With Epoch each loop has the keys that are its own: between them, every key comes once.
func (k Keys) picker(seed uint64, part, parts int) (picker, error) {
	r := rand.New(rand.NewPCG(seed, uint64(part)))
	switch k.Order {
	case Uniform, "":
		return func() int { return r.IntN(k.Count) }, nil
	case Zipf:
		z := rand.NewZipf(r, zipfExponent, 1, uint64(k.Count-1))
		return func() int { return int(z.Uint64()) }, nil
	case Epoch:
		return epoch(r, k.share(part, parts)), nil
	}
	return nil, fmt.Errorf("unknown order of keys %q: want %s, %s or %s", k.Order, Uniform, Zipf, Epoch)
}

// share lists a loop's keys: each parts-th. A loop that would have none has the first.
func (k Keys) share(part, parts int) []int {
	var own []int
	for i := part; i < k.Count; i += parts {
		own = append(own, i)
	}
	if len(own) == 0 {
		own = []int{0}
	}
	return own
}

// epoch goes through own again and again, in a new order each time. own is kept.
func epoch(r *rand.Rand, own []int) picker {
	next := len(own)
	return func() int {
		if next == len(own) {
			r.Shuffle(len(own), func(i, j int) { own[i], own[j] = own[j], own[i] })
			next = 0
		}
		next++
		return own[next-1]
	}
}
