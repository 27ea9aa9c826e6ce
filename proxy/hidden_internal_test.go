package proxy

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// list is the reply of KEYS, or of SCAN.
func list(names []string, scan bool) []byte {
	var b strings.Builder
	if scan {
		b.WriteString("*2\r\n$2\r\n17\r\n")
	}
	fmt.Fprintf(&b, "*%d\r\n", len(names))
	for _, n := range names {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(n), n)
	}
	return []byte(b.String())
}

// Whatever names a list has, those of Forebay's own go, and the others stay in their order; what is not the caller's to change is not changed.
func FuzzVisible(f *testing.F) {
	for _, names := range []string{"", "a", "__forebay:a", "a,__forebay:b,c", "__forebay:a,__forebay:,x__forebay:,__forebay", "\r\n$10\r\n__forebay:,a", "a,,b,__forebay:\r\n*1"} {
		f.Add(names)
	}
	f.Fuzz(func(t *testing.T, text string) {
		names := strings.Split(text, ",")
		var want []string
		for _, n := range names {
			if !strings.HasPrefix(n, "__forebay:") {
				want = append(want, n)
			}
		}
		for _, scan := range []bool{false, true} {
			b := list(names, scan)
			given := bytes.Clone(b)
			if got := visible(b, scan, false); !bytes.Equal(got, list(want, scan)) {
				t.Errorf("scan %v: %q gave %q", scan, given, got)
			}
			if !bytes.Equal(b, given) {
				t.Errorf("scan %v: %q was changed to %q", scan, given, b)
			}
			if got := visible(b, scan, true); !bytes.Equal(got, list(want, scan)) {
				t.Errorf("scan %v, in place: %q gave %q", scan, given, got)
			}
			// What is no list stands as it is, and harms nobody.
			for _, odd := range [][]byte{[]byte(text), given[:len(given)/2], append([]byte(text), given...)} {
				if got := visible(bytes.Clone(odd), scan, true); len(got) > len(odd) {
					t.Errorf("scan %v: %q gave %q", scan, odd, got)
				}
			}
		}
	})
}

// A list without Forebay's own keys is not copied.
func TestVisibleCopiesNothing(t *testing.T) {
	b := list([]string{"a", "b:__forebay:", "c"}, false)
	if n := testing.AllocsPerRun(100, func() {
		if got := visible(b, false, false); &got[0] != &b[0] || len(got) != len(b) {
			t.Fatal("it was copied")
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
