package check_test

import (
	"testing"

	"forebay/internal/check"
)

// FuzzPickle: nothing panics, no value costs more steps than it has bytes, and what the policy admits is a whole pickle.
func FuzzPickle(f *testing.F) {
	f.Add(encoded(f, 8))
	for _, file := range []string{"good-1.24.4.txt", "good-2.4.6.txt", "hostile.txt"} {
		for _, s := range corpus(f, file) {
			if len(s.value) < 1000 {
				f.Add(s.value)
			}
		}
	}
	form := check.Rules{Format: check.Pickle}
	f.Fuzz(func(t *testing.T, b []byte) {
		steps, ok := check.Walk(b)
		if steps > len(b) {
			t.Fatalf("%d steps for %d bytes", steps, len(b))
		}
		err := form.Check(b)
		if ok && err != nil {
			t.Fatalf("admitted, and yet: %v", err)
		}
		half := b[:len(b)/2]
		if herr := form.Header(half, int64(len(b))); herr != nil && err == nil {
			t.Fatalf("whole, and yet its first half is not: %v", herr)
		}
	})
}

// FuzzNPY: nothing panics, and a file that is whole is so by its header alone.
func FuzzNPY(f *testing.F) {
	f.Add([]byte(npy("'|u1'", "False", "(2, 3)", 6)))
	f.Add([]byte(npy("[('a', '<i4'), (('t', 'b'), [('c', '<f4', (2,))])]", "True", "(2,)", 24)))
	rules := check.Rules{Format: check.NPY}
	f.Fuzz(func(t *testing.T, b []byte) {
		err := rules.Check(b)
		if herr := rules.Header(b[:len(b)/2], int64(len(b))); herr == nil && err != nil {
			t.Fatalf("its first half is enough, and yet: %v", err)
		}
	})
}
