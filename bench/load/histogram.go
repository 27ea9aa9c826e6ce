package load

import (
	"math"
	"math/bits"
	"time"
)

// subBits is the precision of a [Histogram]: 2^subBits buckets for each doubling of the value.
const subBits = 7

// Histogram counts durations. Its buckets grow with the value, as those of HdrHistogram: a [Histogram.Quantile] is never less than the true one and
// at most 1/128 (0.8 %) more. It takes 58 KB, whatever is recorded. The zero value is empty and ready. It is for one goroutine.
type Histogram struct {
	counts [(64 - subBits) << subBits]uint64
	total  uint64
	most   int64
}

// Record counts d once. Below zero it is zero.
func (h *Histogram) Record(d time.Duration) {
	ns := max(int64(d), 0)
	h.counts[bucket(ns)]++
	h.total++
	h.most = max(h.most, ns)
}

// Add counts all that other has counted. other stays as it is.
func (h *Histogram) Add(other *Histogram) {
	for i, n := range other.counts {
		h.counts[i] += n
	}
	h.total += other.total
	h.most = max(h.most, other.most)
}

// Count is the number of recorded durations.
func (h *Histogram) Count() uint64 { return h.total }

// Quantile is a duration that at least the fraction q of those recorded does not exceed; q is between 0 and 1. With nothing recorded it is 0.
func (h *Histogram) Quantile(q float64) time.Duration {
	if h.total == 0 {
		return 0
	}
	rank := min(max(uint64(math.Ceil(q*float64(h.total))), 1), h.total)
	var seen uint64
	for i, n := range h.counts {
		if seen += n; seen >= rank {
			return time.Duration(min(highest(i), h.most))
		}
	}
	return time.Duration(h.most)
}

// bucket finds a value's: values below 2^(subBits+1) have one each; above, the leading subBits+1 bits count.
func bucket(ns int64) int {
	shift := max(bits.Len64(uint64(ns))-subBits-1, 0)
	return shift<<subBits + int(ns>>shift)
}

// highest is the largest value of a bucket.
func highest(i int) int64 {
	shift := max(i>>subBits-1, 0)
	lead := int64(i - shift<<subBits)
	return (lead+1)<<shift - 1
}
