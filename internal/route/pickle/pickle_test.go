package pickle_test

import (
	"math"
	"strings"
	"testing"

	"forebay/internal/route/numpy"
	"forebay/internal/route/pickle"
)

func TestAppendValueGolden(t *testing.T) {
	tests := []struct {
		name string
		v    any
		want string
	}{
		{"None", nil, "N"},
		{"True", true, "\x88"},
		{"False", false, "\x89"},
		{"0", int64(0), "K\x00"},
		{"255", int64(255), "K\xff"},
		{"256", int64(256), "M\x00\x01"},
		{"65535", int64(65535), "M\xff\xff"},
		{"65536", int64(65536), "J\x00\x00\x01\x00"},
		{"-1", int64(-1), "J\xff\xff\xff\xff"},
		{"2**31-1", int64(math.MaxInt32), "J\xff\xff\xff\x7f"},
		{"-2**31", int64(math.MinInt32), "J\x00\x00\x00\x80"},
		{"2**31", int64(1 << 31), "\x8a\x05\x00\x00\x00\x80\x00"},
		{"-2**31-1", int64(math.MinInt32 - 1), "\x8a\x05\xff\xff\xff\x7f\xff"},
		{"2**47", int64(1 << 47), "\x8a\x07\x00\x00\x00\x00\x00\x80\x00"},
		{"2**63-1", int64(math.MaxInt64), "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f"},
		{"-2**63", int64(math.MinInt64), "\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x80"},
		{"1.5", 1.5, "G\x3f\xf8\x00\x00\x00\x00\x00\x00"},
		{"str", "é", "\x8c\x02é"},
		{"long str", strings.Repeat("x", 256), "X\x00\x01\x00\x00" + strings.Repeat("x", 256)},
		{"bytes", []byte("\x00"), "C\x01\x00"},
		{"long bytes", []byte(strings.Repeat("x", 256)), "B\x00\x01\x00\x00" + strings.Repeat("x", 256)},
		{"list", []any{int64(1), nil, []any{}}, "](K\x01N](ee"},
	}
	for _, tt := range tests {
		got, err := pickle.AppendValue([]byte("before"), tt.v)
		if err != nil || string(got) != "before"+tt.want {
			t.Errorf("%s: %q, %v; want %q", tt.name, got, err, tt.want)
		}
	}
	for _, v := range []any{int32(1), struct{}{}, []any{uint8(1)}} {
		if _, err := pickle.AppendValue(nil, v); err == nil || !strings.HasPrefix(err.Error(), "cannot pickle a ") {
			t.Errorf("%T: error %v", v, err)
		}
	}
}

func TestAppendArrayGolden(t *testing.T) {
	u1, err := numpy.ParseDType("uint8")
	if err != nil {
		t.Fatal(err)
	}
	const ndarray = "\x8c\x05numpy\x8c\x07ndarray\x93"
	for _, tt := range []struct {
		shape []int
		tuple string
	}{
		{[]int{}, ")"},
		{[]int{1}, "K\x01\x85"},
		{[]int{1, 300}, "K\x01M\x2c\x01\x86"},
		{[]int{1, 2, 3}, "K\x01K\x02K\x03\x87"},
		{[]int{1, 2, 3, 4}, "(K\x01K\x02K\x03K\x04t"},
	} {
		got := pickle.AppendArray(nil, u1, tt.shape, []byte("ab"))
		want := ndarray + tt.tuple + "\x8c\x03|u1\x96\x02\x00\x00\x00\x00\x00\x00\x00ab\x87R"
		if string(got) != want {
			t.Errorf("%v: %q, want %q", tt.shape, got, want)
		}
	}
}

func TestADictIsWrittenInItsOrder(t *testing.T) {
	b := pickle.AppendDictStart(pickle.AppendStart(nil))
	b = pickle.AppendInt(pickle.AppendString(b, "b"), 1)
	b = pickle.AppendBool(pickle.AppendString(b, "a"), true)
	b = pickle.AppendStop(pickle.AppendDictEnd(b))
	if want := "\x80\x05}(\x8c\x01bK\x01\x8c\x01a\x88u."; string(b) != want {
		t.Errorf("%q, want %q", b, want)
	}
}
