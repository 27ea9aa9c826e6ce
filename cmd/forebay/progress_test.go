package main

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestProgressIsALineASecondWithoutATerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		p := newProgress(&out, "d/train", 200)
		for i := range 200 { // of 20 ms each: 4 s
			time.Sleep(20 * time.Millisecond)
			p.show(i+1, int64(10*(i+1)))
		}
		p.end()
		p.end()
		if want := "d/train: 50 of 200 samples (25%), 500 bytes\n"; !strings.HasPrefix(out.String(), want) {
			t.Errorf("it begins with %q, not %q", out.String(), want)
		}
		if n := strings.Count(out.String(), "\n"); n != 4 {
			t.Errorf("%d lines in 4 s:\n%s", n, out.String())
		}
	})
}
