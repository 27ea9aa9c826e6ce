package numpy_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"forebay/internal/route/numpy"
)

func dtype(t *testing.T, s string) numpy.DType {
	t.Helper()
	d, err := numpy.ParseDType(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestParseDType(t *testing.T) {
	for s, want := range map[string]string{
		"bool": "|b1", "int8": "|i1", "int16": "<i2", "int32": "<i4", "int64": "<i8", "uint8": "|u1", "uint16": "<u2", "uint32": "<u4",
		"uint64": "<u8", "float16": "<f2", "float32": "<f4", "float64": "<f8", "complex64": "<c8", "complex128": "<c16",
		"u1": "|u1", "|u1": "|u1", "<u1": "|u1", ">u1": "|u1", "b1": "|b1", "f4": "<f4", "<f4": "<f4", ">f4": ">f4", ">i2": ">i2", ">c16": ">c16",
	} {
		d := dtype(t, s)
		if d.String() != want || fmt.Sprint(d.Size()) != want[2:] || d.Kind() != want[1] {
			t.Errorf("%q is %s of %d bytes, kind %c; want %s", s, d, d.Size(), d.Kind(), want)
		}
	}
	for _, s := range []string{"", "<", "u", "uint", "uint7", "int128", "float8", "f1", "i3", "b2", "c4", "u04", "u+1", "|f4", "=f4", "<int32", "O", "U5", "S3", "<<f4", "object", "M8", " u1"} {
		if _, err := numpy.ParseDType(s); err == nil || !strings.Contains(err.Error(), "allowed are") {
			t.Errorf("%q: error %v", s, err)
		}
	}
}

func TestAppendNPYGolden(t *testing.T) {
	tests := []struct {
		dtype, header string
		shape         []int
		data          string
		len           int // of magic and header
	}{
		{"uint8", "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }", []int{2, 3}, "abcdef", 128},
		{">i2", "{'descr': '>i2', 'fortran_order': False, 'shape': (1,), }", []int{1}, "ab", 128},
		{"float64", "{'descr': '<f8', 'fortran_order': False, 'shape': (), }", []int{}, "abcdefgh", 128},
		{"bool", "{'descr': '|b1', 'fortran_order': False, 'shape': (0,), }", []int{0}, "", 128},
		{"u1", "{'descr': '|u1', 'fortran_order': False, 'shape': (" + strings.TrimSuffix(strings.Repeat("1, ", 40), ", ") + "), }", slices.Repeat([]int{1}, 40), "a", 192},
	}
	for _, tt := range tests {
		got := numpy.AppendNPY([]byte("before"), dtype(t, tt.dtype), tt.shape, []byte(tt.data))
		size := tt.len - 10
		want := "before\x93NUMPY\x01\x00" + string([]byte{byte(size), byte(size >> 8)}) +
			tt.header + strings.Repeat(" ", size-1-len(tt.header)) + "\n" + tt.data
		if string(got) != want {
			t.Errorf("%s %v:\n%q, want\n%q", tt.dtype, tt.shape, got, want)
		}
	}
}

func TestResolve(t *testing.T) {
	tests := []struct {
		dtype  string
		shape  []int
		length int
		want   string
	}{
		{"f4", nil, 12, "[3]"},
		{"f4", nil, 0, "[0]"},
		{"f4", nil, 5, "no multiple of 4"},
		{"u1", []int{2, 3}, 6, "[2 3]"},
		{"u1", []int{2, 3}, 7, "which are 6 bytes"},
		{"u1", []int{-1, 3}, 6, "[2 3]"},
		{"u2", []int{2, -1, 3}, 24, "[2 2 3]"},
		{"u1", []int{-1, 3}, 7, "no multiple of 3"},
		{"u1", []int{}, 1, "[]"},
		{"u1", []int{}, 2, "which are 1 bytes"},
	}
	for _, tt := range tests {
		given := slices.Clone(tt.shape)
		shape, err := dtype(t, tt.dtype).Resolve(tt.shape, tt.length)
		got := fmt.Sprint(shape)
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, tt.want) || !slices.Equal(given, tt.shape) {
			t.Errorf("%s %v of %d bytes: %s, want %s", tt.dtype, given, tt.length, got, tt.want)
		}
	}
}

func TestAppendInt(t *testing.T) {
	const no = "does not fit"
	for _, tt := range []struct {
		dtype string
		v     int64
		want  string
	}{
		{"i1", -128, "\x80"},
		{"i1", 127, "\x7f"},
		{"i1", 128, no},
		{"i1", -129, no},
		{"u1", 255, "\xff"},
		{"u1", 256, no},
		{"u1", -1, no},
		{"<i2", -2, "\xfe\xff"},
		{">i2", -2, "\xff\xfe"},
		{"i2", 32768, no},
		{"<u4", 1 << 31, "\x00\x00\x00\x80"},
		{"u4", 1 << 32, no},
		{">i4", 1, "\x00\x00\x00\x01"},
		{"i8", math.MinInt64, "\x00\x00\x00\x00\x00\x00\x00\x80"},
		{"u8", math.MaxInt64, "\xff\xff\xff\xff\xff\xff\xff\x7f"},
		{"u8", -1, no},
		{"bool", 1, "\x01"},
		{"bool", 0, "\x00"},
		{"bool", 2, no},
		{"f4", 1, "\x00\x00\x80\x3f"},
		{"c8", 1, "\x00\x00\x80\x3f\x00\x00\x00\x00"},
		{"f2", 65520, no},
	} {
		got, err := dtype(t, tt.dtype).AppendInt(nil, tt.v)
		if tt.want == no {
			if err == nil || !strings.Contains(err.Error(), no) {
				t.Errorf("%s %d: %x, error %v", tt.dtype, tt.v, got, err)
			}
		} else if err != nil || string(got) != tt.want {
			t.Errorf("%s %d: %x, %v; want %x", tt.dtype, tt.v, got, err, tt.want)
		}
	}
}

func TestAppendFloatRefuses(t *testing.T) {
	for _, tt := range []struct {
		dtype string
		v     float64
	}{{"f4", 1e39}, {"f4", -1e39}, {"f2", 65520}, {"c8", 1e39}, {"i4", 1}, {"bool", 1}} {
		if got, err := dtype(t, tt.dtype).AppendFloat(nil, tt.v); err == nil {
			t.Errorf("%s %v: %x", tt.dtype, tt.v, got)
		}
	}
	for _, v := range []float64{math.Inf(1), math.Inf(-1), math.NaN()} {
		if _, err := dtype(t, "f2").AppendFloat(nil, v); err != nil {
			t.Error(err)
		}
	}
}

// TestFloat16RoundTrips turns each of the 65,536 halves into a float and back, and checks the rounding half way between two.
func TestFloat16RoundTrips(t *testing.T) {
	d := dtype(t, ">f2")
	encode := func(v float64) uint16 {
		b, err := d.AppendFloat(nil, v)
		if err != nil {
			return 0x7c00
		}
		return uint16(b[0])<<8 | uint16(b[1])
	}
	decode := func(h uint16) float64 {
		frac, exp := float64(h&0x3ff), int(h>>10&0x1f)
		if exp == 0 {
			return math.Ldexp(frac, -24)
		}
		return math.Ldexp(1024+frac, exp-25)
	}
	for h := range uint16(0x7c00) {
		v := decode(h)
		if got := encode(v); got != h {
			t.Fatalf("%#04x is %v is %#04x", h, v, got)
		}
		if got := encode(-v); v != 0 && got != h|0x8000 {
			t.Fatalf("-%#04x is %v is %#04x", h, v, got)
		}
		even := h + h&1
		if mid := (v + decode(h+1)) / 2; h < 0x7bff && encode(mid) != even {
			t.Fatalf("%v, half way from %#04x, is %#04x, want %#04x", mid, h, encode(mid), even)
		}
	}
}
