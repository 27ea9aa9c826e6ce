package proxy

import (
	"testing"

	"github.com/tidwall/redcon"
)

func TestValueSize(t *testing.T) {
	for _, n := range []int{0, 1, 9, 10, 11, 99, 100, 101, 999, 1000, 9_999, 10_000, 99_999, 100_000, 1 << 20, 47 << 20} {
		if got := valueSize(len(redcon.AppendBulk(nil, make([]byte, n)))); got != int64(n) {
			t.Errorf("%d, want %d", got, n)
		}
	}
}
