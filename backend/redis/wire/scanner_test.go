package wire_test

import (
	"bytes"
	"strconv"
	"strings"
	"testing"

	"forebay/backend/redis/wire"
)

// parse is another way to find the end of a reply: recursive, on the whole input. It returns what is left; more tells that b ends too soon.
func parse(b []byte, depth int) (rest []byte, more, bad bool) {
	i := bytes.IndexByte(b, '\n')
	switch {
	case i < 0:
		return nil, true, false
	case i < 2 || b[i-1] != '\r' || depth > 512:
		return nil, false, true
	}
	kind, head, rest := b[0], string(b[1:i-1]), b[i+1:]
	if strings.IndexByte("+-:_#,(", kind) >= 0 {
		return rest, false, false
	}
	if strings.IndexByte("$=!*~>%|", kind) < 0 {
		return nil, false, true
	}
	n, err := strconv.ParseInt(head, 10, 64)
	if err != nil || n < -1 || n > 1<<40 || len(head) > 12 || head[0] == '+' || head == "-0" || (n < 0 && head != "-1") {
		return nil, false, true
	}
	if strings.IndexByte("$=!", kind) >= 0 {
		switch {
		case n < 0:
			return rest, false, false
		case int64(len(rest)) < n+2:
			return nil, true, false
		}
		return rest[n+2:], false, false
	}
	if n < 0 {
		n = 0
		if kind == '|' {
			return rest, false, false
		}
	}
	if kind == '%' || kind == '|' {
		n *= 2
	}
	if kind == '|' {
		n++
	}
	if n > 0 && depth >= 512 {
		return nil, false, true
	}
	for ; n > 0; n-- {
		if rest, more, bad = parse(rest, depth+1); more || bad {
			return nil, more, bad
		}
	}
	return rest, false, false
}

// scan gives the scanner b in pieces and returns the ends of replies, and whether it came to an error.
func scan(b, cut []byte) (ends []int, bad bool) {
	var sc wire.Scanner
	pos, got := 0, 0
	for i := 0; ; i++ {
		for pos < got {
			n, done, err := sc.Scan(b[pos:got:got])
			pos += n
			if err != nil {
				return ends, true
			}
			if !done {
				break
			}
			ends = append(ends, pos)
		}
		if got == len(b) {
			return ends, false
		}
		n := len(b)
		if len(cut) > 0 && cut[i%len(cut)] > 0 {
			n = int(cut[i%len(cut)])
		}
		got = min(len(b), got+n)
	}
}

var replies = []string{
	"+OK\r\n", "-ERR x\r\n", ":1\r\n", "$-1\r\n", "$0\r\n\r\n", "$3\r\nabc\r\n", "*-1\r\n", "*0\r\n", "*2\r\n+a\r\n$1\r\nb\r\n", "_\r\n", "#t\r\n", ",1.5\r\n",
	",inf\r\n", "(12345678901234567890\r\n", "!5\r\nERR x\r\n", "=7\r\ntxt:abc\r\n", "%1\r\n+k\r\n*1\r\n:2\r\n", "~2\r\n:1\r\n:2\r\n", ">2\r\n+message\r\n$1\r\nx\r\n",
	"|1\r\n+ttl\r\n:3\r\n$1\r\na\r\n", "*2\r\n|1\r\n+a\r\n:1\r\n:2\r\n:3\r\n", "|0\r\n:1\r\n", "%0\r\n", "*3\r\n*0\r\n*-1\r\n*1\r\n*1\r\n_\r\n", "$4\r\n\r\n\r\n\r\n",
}

func check(t *testing.T, b, cut []byte) {
	t.Helper()
	var want []int
	rest := b
	bad := false
	for len(rest) > 0 {
		next, more, wrong := parse(rest, 0)
		if bad = wrong; more || wrong {
			break
		}
		rest = next
		want = append(want, len(b)-len(rest))
	}
	got, gotBad := scan(b, cut)
	if gotBad != bad || len(got) != len(want) {
		t.Fatalf("%q cut %v: %v (bad: %v), want %v (bad: %v)", b, cut, got, gotBad, want, bad)
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("%q cut %v: %v, want %v", b, cut, got, want)
		}
	}
}

func TestScannerFindsTheEndOfEveryReply(t *testing.T) {
	all := strings.Join(replies, "")
	for _, cut := range [][]byte{nil, {1}, {2}, {3, 50}} {
		for _, r := range replies {
			check(t, []byte(r), cut)
			if ends, _ := scan([]byte(r), cut); len(ends) != 1 || ends[0] != len(r) {
				t.Errorf("%q ends at %v", r, ends)
			}
		}
		check(t, []byte(all), cut)
	}
}

func TestScannerRefuses(t *testing.T) {
	for _, r := range []string{
		"\r\n", "x\r\n", "+OK\n", "$\r\n", "$a\r\n", "$-2\r\n", "*-2\r\n", "$+1\r\n", "$9999999999999999\r\n", "*9223372036854775807\r\n", "$?\r\n",
		strings.Repeat("*1\r\n", 600), "+" + strings.Repeat("x", 1<<20+1),
	} {
		if _, bad := scan([]byte(r), nil); !bad {
			t.Errorf("%.40q was taken", r)
		}
	}
}

func TestScannerDoesNotAllocate(t *testing.T) {
	b := []byte(strings.Join(replies, ""))
	var sc wire.Scanner
	if n := testing.AllocsPerRun(100, func() {
		for pos := 0; pos < len(b); {
			n, _, err := sc.Scan(b[pos:])
			if err != nil || n == 0 {
				t.Fatal(n, err)
			}
			pos += n
		}
	}); n > 0 {
		t.Fatalf("%v allocations", n)
	}
}

func FuzzScanner(f *testing.F) {
	for _, r := range replies {
		f.Add([]byte(r), []byte{1})
		f.Add([]byte(r+"+OK\r\n"), []byte{2, 9})
	}
	f.Fuzz(func(t *testing.T, b, cut []byte) { check(t, b, cut) })
}
