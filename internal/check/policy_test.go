package check_test

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"forebay/internal/check"
	"forebay/internal/route/numpy"
	"forebay/internal/route/pickle"
)

// encoded is a sample as routes encode it: an image and a label.
func encoded(t testing.TB, side int) []byte {
	t.Helper()
	u1, err := numpy.ParseDType("uint8")
	if err != nil {
		t.Fatal(err)
	}
	b := pickle.AppendDictStart(pickle.AppendStart(nil))
	b = pickle.AppendArray(pickle.AppendString(b, "image"), u1, []int{side, side}, make([]byte, side*side))
	b = pickle.AppendInt(pickle.AppendString(b, "label"), 7)
	return pickle.AppendStop(pickle.AppendDictEnd(b))
}

func TestWhatRoutesEncodeIsAdmitted(t *testing.T) {
	rules := check.Rules{Format: check.Pickle, Pickle: check.Reject}
	for _, side := range []int{0, 1, 8, 56, 300} {
		if err := rules.Check(encoded(t, side)); err != nil {
			t.Errorf("side %d: %v", side, err)
		}
	}
	for _, shape := range [][]int{{}, {0}, {4}, {2, 2}, {1, 2, 2}, {1, 1, 2, 2}, {1, 1, 1, 2, 2}} {
		for _, code := range []string{"bool", "<f4", ">i2", "complex128"} {
			d, err := numpy.ParseDType(code)
			if err != nil {
				t.Fatal(err)
			}
			n := d.Size()
			for _, dim := range shape {
				n *= dim
			}
			v := pickle.AppendStop(pickle.AppendArray(pickle.AppendStart(nil), d, shape, make([]byte, n)))
			if err := rules.Check(v); err != nil {
				t.Errorf("%s %v: %v", code, shape, err)
			}
			v = pickle.AppendStop(pickle.AppendArray(pickle.AppendStart(nil), d, shape, make([]byte, n+1)))
			if rules.Check(v) == nil {
				t.Errorf("%s %v is admitted with a byte too many", code, shape)
			}
		}
	}
}

// Only the names differ from a pickle that is admitted.
func TestNamesAreComparedWhole(t *testing.T) {
	good := encoded(t, 8)
	for _, pair := range [][2]string{
		{"numpyy", "ndarray"},
		{"nump", "ndarray"},
		{"", "ndarray"},
		{"numpy", ""},
		{"numpy", "ndarray.tofile"},
		{"numpy", "load"},
		{"numpy.core.numeric", "ndarray"},
		{"NUMPY", "ndarray"},
		{"builtins", "bytearray"},
		{"numpy", "nd\xc3\xa5rray"},
	} {
		name := func(s string) string { return "\x8c" + string(rune(len(s))) + s }
		bad := bytes.Replace(good, []byte(name("numpy")+name("ndarray")), []byte(name(pair[0])+name(pair[1])), 1)
		if bytes.Equal(good, bad) {
			t.Fatal("nothing was replaced")
		}
		if (&check.Rules{Pickle: check.Reject}).Check(bad) == nil {
			t.Errorf("%q is admitted", pair)
		}
	}
}

// Bounds hold, and what is just below them is admitted: the walker's cost stays in proportion to the value.
func TestBounds(t *testing.T) {
	long := func(op string, n int, end string) string { return "\x80\x04" + strings.Repeat(op, n) + end }
	for name, tt := range map[string]struct {
		value string
		ok    bool
	}{
		"depth within":          {long(")", 1, strings.Repeat("\x85", 99)+"."), true},
		"depth beyond":          {long(")", 1, strings.Repeat("\x85", 100)+"."), false},
		"a long tuple":          {"\x80\x04(" + strings.Repeat("N", 1<<18) + "t.", true},
		"a longer tuple":        {"\x80\x04(" + strings.Repeat("N", 1<<18+1) + "t.", false},
		"marks without end":     {long("(", 1<<20, "."), false},
		"memo within":           {"\x80\x04](" + strings.Repeat("N\x94", 1000) + "e.", true},
		"memo beyond":           {"\x80\x04]" + strings.Repeat("N\x94a", 1<<19+1) + ".", false},
		"openings of lines":     {strings.Repeat("g", 1<<20), false},
		"a line without an end": {"V" + strings.Repeat("x", 1<<20), false},
		"many integers' digits": {"L" + strings.Repeat("9", 5000) + "L\n.", false},
		"doubling within":       {doubled(20), true},
		"doubling beyond":       {doubled(25), false},
	} {
		t.Run(name, func(t *testing.T) {
			steps, ok := check.Walk([]byte(tt.value))
			if ok != tt.ok || steps > len(tt.value) {
				t.Errorf("admitted: %v after %d opcodes, want %v", ok, steps, tt.ok)
			}
		})
	}
}

// doubled is a tuple of tuples, each of which holds the one before it twice.
func doubled(n int) string {
	var b strings.Builder
	b.WriteString("\x80\x04()\x94")
	for i := range n {
		b.Write([]byte{'h', byte(i), 'h', byte(i), 0x86, 0x94})
	}
	b.WriteString("t.")
	return b.String()
}

// Any change of one byte of an array's pickle is refused, or changes data only: what is admitted still has exactly one array that fits.
func TestAChangedLengthIsRefused(t *testing.T) {
	good := encoded(t, 8)
	at := bytes.IndexByte(good, 0x96) + 1
	for _, n := range []uint64{0, 63, 65, 1 << 31, 1<<63 - 1, 1 << 63, 1<<64 - 1} {
		bad := bytes.Clone(good)
		binary.LittleEndian.PutUint64(bad[at:], n)
		if (&check.Rules{Pickle: check.Reject}).Check(bad) == nil {
			t.Errorf("a length of %d is admitted", n)
		}
	}
}

func TestAdmittingAllocatesNothing(t *testing.T) {
	rules := check.Rules{MaxBytes: 1 << 20, Format: check.Pickle, Pickle: check.Reject}
	values := map[string][]byte{"small": encoded(t, 8), "large": encoded(t, 56)}
	for _, s := range corpus(t, "good-2.4.6.txt") {
		if s.name == "digit" || s.name == "image" {
			values[s.name+s.note] = s.value
		}
	}
	for name, v := range values {
		if n := testing.AllocsPerRun(100, func() {
			if err := rules.Check(v); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
