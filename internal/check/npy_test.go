package check_test

import (
	"fmt"
	"strings"
	"testing"

	"forebay/internal/check"
)

// npy is a file of format 1.0 with a header of 118 bytes, as NumPy writes it, and n bytes of data.
func npy(descr, fortran, shape string, n int) string {
	return npyText(fmt.Sprintf("{'descr': %s, 'fortran_order': %s, 'shape': %s, }", descr, fortran, shape), n)
}

func npyText(header string, n int) string {
	header += strings.Repeat(" ", max(0, 117-len(header))) + "\n"
	return "\x93NUMPY\x01\x00" + string([]byte{byte(len(header)), byte(len(header) >> 8)}) + header + strings.Repeat("x", n)
}

func TestNPY(t *testing.T) {
	deep := "'|u1'"
	for range 20 {
		deep = "[('a', " + deep + ")]"
	}
	for name, tt := range map[string]struct{ value, want string }{
		"bytes":                   {npy("'|u1'", "False", "(2, 3)", 6), ""},
		"floats":                  {npy("'<f4'", "True", "(2, 3)", 24), ""},
		"a single number":         {npy("'>f8'", "False", "()", 8), ""},
		"nothing in it":           {npy("'<i8'", "False", "(0, 3)", 0), ""},
		"times":                   {npy("'<M8[ns]'", "False", "(2,)", 16), ""},
		"texts":                   {npy("'<U3'", "False", "(2,)", 24), ""},
		"structured":              {npy("[('a', '<i4'), ('b', '<f4', (2,))]", "False", "(2,)", 24), ""},
		"structured with a title": {npy("[(('t', 'a'), '<i4')]", "False", "(2,)", 8), ""},
		"structured in another":   {npy("[('a', [('x', '|i1'), ('', '|V3')], (2, 2))]", "False", "(1,)", 16), ""},
		"written by Python 2":     {npy("'<i8'", "False", "(2L,)", 16), ""},
		"format 2":                {"\x93NUMPY\x02\x00\x36\x00\x00\x00{'descr': '|u1', 'fortran_order': False, 'shape': ()}\nx", ""},
		"format 3":                {"\x93NUMPY\x03\x00\x36\x00\x00\x00{'descr': '|u1', 'fortran_order': False, 'shape': ()}\nx", ""},
		"format 4":                {"\x93NUMPY\x04\x00\x36\x00\x00\x00", "version 4.0"},
		"objects":                 {npy("'|O'", "False", "(1,)", 8), "no plain bytes"},
		"objects of a size":       {npy("'|O8'", "False", "(1,)", 8), "no plain bytes"},
		"objects in a field":      {npy("[('a', '|O')]", "False", "(1,)", 8), "no plain bytes"},
		"texts of any length":     {npy("'|T16'", "False", "(1,)", 16), "no plain bytes"},
		"an odd size":             {npy("'<f3'", "False", "(1,)", 3), "no plain bytes"},
		"too few bytes":           {npy("'|u1'", "False", "(2, 3)", 5), "6 elements of 1 bytes are not the 5 bytes that follow"},
		"too many bytes":          {npy("'|u1'", "False", "(2, 3)", 7), "not the 7 bytes"},
		"a shape beyond numbers":  {npy("'|u1'", "False", "(4294967296, 4294967296)", 0), "larger than any file"},
		"a product beyond them":   {npy("'<c16'", "False", "(461168601842738790, 9)", 0), "not the 0 bytes"},
		"a type beyond them":      {npy("[('a', '<c16', (461168601842738790, 9))]", "False", "(1,)", 0), "larger than any file"},
		"a number too long":       {npy("'|u1'", "False", "(99999999999999999999,)", 0), "no number"},
		"a negative number":       {npy("'|u1'", "False", "(-1,)", 0), "no number"},
		"elements of no bytes":    {npy("'|V0'", "False", "(461168601842738790,)", 0), "not the 0 bytes"},
		"types in types":          {npy(deep, "False", "(1,)", 1), "nested too deep"},
		"many dimensions":         {npy("'|u1'", "False", "("+strings.Repeat("1,", 65)+")", 1), "64 dimensions"},
		"no shape":                {npyText("{'descr': '|u1', 'fortran_order': False}", 1), "missing"},
		"two shapes":              {npyText("{'descr': '|u1', 'shape': (), 'shape': (), 'fortran_order': False}", 1), "once each"},
		"a foreign entry":         {npyText("{'descr': '|u1', 'shape': (), 'fortran_order': False, 'x': 1}", 1), "none of"},
		"code":                    {npyText("__import__('os').system('x')", 1), "no {"},
		"after the dict":          {npyText("{'descr': '|u1', 'shape': (), 'fortran_order': False} or x", 1), "text after"},
		"an escape":               {npy(`'\\x7cu1'`, "False", "()", 1), "escapes"},
		"an open text":            {npyText("{'descr", 1), "does not end"},
		"a list without end":      {npyText("{'descr': [('a', '|u1'),", 1), "no ("},
		"order of a third kind":   {npy("'|u1'", "None", "()", 1), "neither"},
		"a header too long":       {"\x93NUMPY\x01\x00\xff\xff{}", "65535 bytes, 2 are left"},
		"a header of 4 GiB":       {"\x93NUMPY\x02\x00\xff\xff\xff\xff{}", "a header of 4294967295 bytes"},
		"cut after the version":   {"\x93NUMPY\x02\x00\x01\x00", "cut off"},
		"cut in the magic":        {"\x93NUM", "too short"},
		"empty":                   {"", "too short"},
	} {
		t.Run(name, func(t *testing.T) {
			err := (&check.Rules{Format: check.NPY}).Check([]byte(tt.value))
			if (tt.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}
