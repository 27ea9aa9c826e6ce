package check_test

import (
	"bytes"
	"fmt"
	"testing"

	"forebay/internal/check"
)

// BenchmarkCheck is the cost of the policy for one sample that is admitted: an 8×8 digit and a 56×56 image with their labels, as routes encode them, and
// as NumPy pickles the digit.
func BenchmarkCheck(b *testing.B) {
	values := [][]byte{encoded(b, 8), encoded(b, 56)}
	for _, s := range corpus(b, "good-2.4.6.txt") {
		if s.name == "digit" && s.note == "5" {
			values = append(values, s.value)
		}
	}
	for i, v := range values {
		for _, rules := range []check.Rules{{Format: check.Pickle}, {Pickle: check.Reject}} {
			by := [...]string{"route", "route", "numpy"}[i]
			b.Run(fmt.Sprintf("%s-%d/policy=%v", by, len(v), rules.Pickle), func(b *testing.B) {
				b.SetBytes(int64(len(v)))
				b.ReportAllocs()
				v := bytes.Clone(v)
				for b.Loop() {
					if err := rules.Check(v); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
