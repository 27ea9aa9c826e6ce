package route_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"forebay/backend"
	"forebay/internal/route"
)

// valueRoute is a bound route over the table of every column type.
func valueRoute(t *testing.T, change func(*route.Spec)) *route.Route {
	t.Helper()
	s := spec("r", "v:{id:int}")
	s.Table, s.Where = "values", where("id", "{id}")
	change(&s)
	table := compile(t, s)
	bound(t, table)
	return table.Routes()[0]
}

func TestValueOfAColumn(t *testing.T) {
	tests := []struct {
		column string
		value  any
		want   string
	}{
		{"c_blob", []byte("\x00\xff"), "\x00\xff"},
		{"c_blob", []byte{}, ""},
		{"c_text", "é", "é"},
		{"c_text", "", ""},
		{"c_big", int64(-9223372036854775808), "-9223372036854775808"},
		{"c_tiny", int64(5), "5"},
		{"c_float", float64(float32(0.1)), "0.1"},
		{"c_double", 0.1, "0.1"},
		{"c_double", 1e21, "1e+21"},
		{"c_double", math.NaN(), "NaN"},
		{"c_double", math.Inf(-1), "-Inf"},
		{"c_bool", true, "true"},
		{"c_bool", false, "false"},
		{"c_uuid", "01234567-89ab-cdef-0123-456789abcdef", "01234567-89ab-cdef-0123-456789abcdef"},
		{"c_time", time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC), "2026-01-02T03:04:05.006Z"},
		{"c_time", time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), "2026-01-02T03:04:05Z"},
	}
	for _, tt := range tests {
		for _, change := range []func(*route.Spec){
			func(s *route.Spec) { s.Value = tt.column },
			encode("raw", route.Field{Column: tt.column}),
		} {
			got, err := valueRoute(t, change).Value(backend.Row{tt.value})
			if err != nil || string(got) != tt.want || got == nil && tt.want != "" {
				t.Errorf("%s %v is %q, %v; want %q", tt.column, tt.value, got, err, tt.want)
			}
		}
	}
}

func TestValueRefusesRows(t *testing.T) {
	array := func(format, column, dtype string, shape ...int) func(*route.Spec) {
		return encode(format, route.Field{Column: column, DType: dtype, Shape: shape})
	}
	tests := []struct {
		name   string
		change func(*route.Spec)
		row    backend.Row
		want   string
	}{
		{"null value", func(s *route.Spec) { s.Value = "c_blob" }, backend.Row{nil}, "column c_blob: is null"},
		{"null array", array("npy", "c_blob", "u1"), backend.Row{nil}, "column c_blob: is null"},
		{"null bare pickle", encode("pickle", route.Field{Column: "c_big"}), backend.Row{nil}, "column c_big: is null"},
		{"short blob", array("npy", "c_blob", "uint8", 28, 28), backend.Row{make([]byte, 783)}, "column c_blob: length 783 does not fit dtype |u1 and shape (28, 28), which are 784 bytes"},
		{"broken element", array("pickle", "c_blob", "<f4"), backend.Row{make([]byte, 7)}, "column c_blob: length 7 does not fit dtype <f4 and shape (-1,): it is no multiple of 4 bytes"},
		{"broken row of an array", array("npy", "c_blob", "<f4", -1, 3), backend.Row{make([]byte, 16)}, "no multiple of 12 bytes"},
		{"bool of two", array("npy", "c_blob", "bool"), backend.Row{[]byte{0, 1, 2}}, "column c_blob: byte 2 is 2, which is no bool"},
		{"list out of range", array("npy", "c_list", "int8"), backend.Row{[]any{int64(1), int64(128)}}, "column c_list: element 1: 128 does not fit dtype |i1"},
		{"list of floats for ints", array("npy", "c_list", "int8"), backend.Row{[]any{1.5}}, "column c_list: element 0: 1.5 is a float"},
		{"list of text", array("npy", "c_list", "f4"), backend.Row{[]any{"a"}}, "column c_list: element 0: is a string"},
		{"list of the wrong length", array("npy", "c_list", "f4", 3), backend.Row{[]any{1.5}}, "length 4 does not fit dtype <f4 and shape (3,)"},
		{"unexpected type", func(s *route.Spec) { s.Value = "c_big" }, backend.Row{int32(1)}, "column c_big: has the unexpected type int32"},
		{"unexpected array", array("npy", "c_blob", "u1"), backend.Row{"text"}, "column c_blob: has the unexpected type string"},
		{"unpicklable", encode("pickle", route.Field{Column: "c_big"}), backend.Row{int32(1)}, "column c_big: has a type that cannot be pickled"},
		{"a missing column", func(s *route.Spec) { s.Value = "c_big" }, backend.Row{}, "it has 0 columns, not 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v, err := valueRoute(t, tt.change).Value(tt.row)
			if !errors.Is(err, backend.ErrSourceInvalid) || !strings.Contains(fmt.Sprint(err), tt.want) || v != nil {
				t.Errorf("value %q, error %v, want one with %q", v, err, tt.want)
			}
		})
	}
}

func TestValueOfRawArrays(t *testing.T) {
	r := valueRoute(t, encode("raw", route.Field{Column: "c_list", DType: ">i2"}))
	if got, err := r.Value(backend.Row{[]any{int64(1), int64(-2)}}); err != nil || string(got) != "\x00\x01\xff\xfe" {
		t.Errorf("%q, %v", got, err)
	}
	r = valueRoute(t, encode("raw", route.Field{Column: "c_blob", DType: "u1", Shape: []int{2}}))
	if got, err := r.Value(backend.Row{[]byte("ab")}); err != nil || string(got) != "ab" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestEncodeReadsEachColumnOnceAndKnowsTheRowsSize(t *testing.T) {
	s := spec("r", "v:{id:int}")
	s.Table, s.Where, s.Value = "values", where("id", "{id}"), ""
	s.Encode = &route.Encode{Format: "pickle", Fields: []route.Field{
		{Name: "image", Column: "c_blob", DType: "<f4", Shape: []int{2, 3}},
		{Name: "bytes", Column: "c_blob"},
		{Name: "label", Column: "c_big"},
	}}
	table := compile(t, s)
	bound(t, table)
	sel := lookup(t, table, "v:1").Select
	if fmt.Sprint(sel.Columns) != "[c_blob c_big]" || sel.RowBytes != 24 {
		t.Errorf("columns %v, row bytes %d", sel.Columns, sel.RowBytes)
	}
}
