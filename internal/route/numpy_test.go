package route_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"forebay/backend"
	"forebay/internal/route"
	"forebay/internal/testkit"
)

// numpyCase is one encoded value, and what Python must find in it: an expression over v, the loaded value, that must be true.
type numpyCase struct {
	Name  string `json:"name"`
	Load  string `json:"load"` // "pickle" or "npy"
	Value string `json:"value"`
	Check string `json:"check"`
}

// checker loads each case and prints what is wrong with it, a line each.
const checker = `
import io, json, pickle, pickletools, sys
import numpy as np

def array(v, dtype, shape, values):
    """v is a plain writable ndarray of exactly this type, shape and content"""
    assert type(v) is np.ndarray, type(v)
    assert v.dtype == np.dtype(dtype) and v.dtype.str == np.dtype(dtype).str, v.dtype
    assert v.shape == shape, v.shape
    assert v.flags.writeable and v.flags.c_contiguous and v.flags.aligned, v.flags
    want = np.array(values, dtype=dtype).reshape(shape)
    assert v.tobytes() == want.tobytes(), (v, want)
    v[...] = 0
    assert not v.any()
    return True

def same(v, want):
    """equal, and of the same Python types all the way down"""
    assert type(v) is type(want), (type(v), type(want))
    if isinstance(want, dict):
        assert list(v) == list(want), list(v)
        return all(same(v[k], want[k]) for k in want)
    if isinstance(want, list):
        return len(v) == len(want) and all(map(same, v, want))
    return v == want or v != v and want != want

def load(how, b):
    if how == "npy":
        return np.load(io.BytesIO(b), allow_pickle=False)
    names, strings = set(), []
    for op, arg, _ in pickletools.genops(b):
        if op.name == "SHORT_BINUNICODE":
            strings.append(arg)
        elif op.name == "STACK_GLOBAL":
            names.add(tuple(strings[-2:]))
        else:
            assert op.name not in ("GLOBAL", "INST", "OBJ", "NEWOBJ", "EXT1", "PERSID", "BINPERSID", "MEMOIZE", "PUT"), op.name
    assert names <= {("numpy", "ndarray")}, names
    return pickle.loads(b)

n = 0
for c in json.load(sys.stdin):
    try:
        v = load(c["load"], bytes.fromhex(c["value"]))
        assert eval(c["check"]), "%s is not so of %r" % (c["check"], v)
        n += 1
    except Exception as e:
        print("%s: %s: %s" % (c["name"], type(e).__name__, e))
print("checked", n, "with", np.__version__)
`

// TestNumPyReadsWhatIsEncoded has each NumPy load many values in one process and check types, shapes, content and that
// arrays can be written to.
func TestNumPyReadsWhatIsEncoded(t *testing.T) {
	cases := numpyCases(t)
	input, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range []string{"1.24.4", "1.26.4", "2.0.2", "2.4.6"} {
		t.Run(version, func(t *testing.T) {
			cmd := exec.Command(testkit.Python(t, "numpy=="+version), "-c", checker)
			cmd.Dir = filepath.Clean(t.TempDir()) // a folder named numpy here would be imported
			cmd.Stdin = strings.NewReader(string(input))
			out, err := cmd.CombinedOutput()
			want := fmt.Sprintf("checked %d with %s\n", len(cases), version)
			if err != nil || string(out) != want {
				t.Errorf("%v\n%swant %s", err, out, want)
			}
		})
	}
}

// numpyCases encodes arrays of every type in both formats, and dicts and scalars.
func numpyCases(t *testing.T) []numpyCase {
	var cases []numpyCase
	add := func(name, check string, e *route.Encode, row backend.Row) {
		r := valueRoute(t, func(s *route.Spec) { s.Value, s.Encode = "", e })
		v, err := r.Value(row)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		load := "pickle"
		if e.Format == "npy" {
			load = "npy"
		}
		cases = append(cases, numpyCase{name, load, hex.EncodeToString(v), check})
	}
	for _, format := range []string{"npy", "pickle"} {
		addArrays(format, add)
	}
	scalars := []struct {
		column, python string
		v              any
	}{
		{"c_big", "0", int64(0)},
		{"c_big", "255", int64(255)},
		{"c_big", "256", int64(256)},
		{"c_big", "65536", int64(65536)},
		{"c_big", "-1", int64(-1)},
		{"c_big", "2**31", int64(1 << 31)},
		{"c_big", "-2**31-1", int64(math.MinInt32 - 1)},
		{"c_big", "2**63-1", int64(math.MaxInt64)},
		{"c_big", "-2**63", int64(math.MinInt64)},
		{"c_big", "-2**55", int64(-1 << 55)},
		{"c_double", "0.1", 0.1},
		{"c_double", "float('-inf')", math.Inf(-1)},
		{"c_double", "float('nan')", math.NaN()},
		{"c_bool", "True", true},
		{"c_bool", "False", false},
		{"c_text", "'é\\0'", "é\x00"},
		{"c_text", "''", ""},
		{"c_text", "'x' * 70000", strings.Repeat("x", 70000)},
		{"c_blob", "bytes(range(256))", allBytes()},
		{"c_blob", "b''", []byte{}},
		{"c_blob", "b'a'", []byte("a")},
		{"c_uuid", "'01234567-89ab-cdef-0123-456789abcdef'", "01234567-89ab-cdef-0123-456789abcdef"},
		{"c_time", "'2026-01-02T03:04:05Z'", time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)},
		{"c_list", "[1, 2.5, None, 'a', [True]]", []any{int64(1), 2.5, nil, "a", []any{true}}},
		{"c_list", "[]", []any{}},
	}
	for _, s := range scalars {
		add("scalar "+s.python, "same(v, "+s.python+")", &route.Encode{Format: "pickle", Fields: []route.Field{{Column: s.column}}}, backend.Row{s.v})
	}
	add("dict", "array(v.pop('image'), '|u1', (2, 2), [0, 1, 2, 255]) and array(v.pop('box'), '<f4', (3,), [1, 2.5, -1]) and "+
		"same(v, {'label': 7, 'score': None, 'ok': True, 'raw': bytes([0, 1, 2, 255])})",
		&route.Encode{Format: "pickle", Fields: []route.Field{
			{Name: "image", Column: "c_blob", DType: "uint8", Shape: []int{2, -1}},
			{Name: "label", Column: "c_big"},
			{Name: "score", Column: "c_double"},
			{Name: "ok", Column: "c_bool"},
			{Name: "box", Column: "c_list", DType: "float32"},
			{Name: "raw", Column: "c_blob"},
		}},
		backend.Row{[]byte{0, 1, 2, 255}, int64(7), nil, true, []any{1.0, 2.5, -1.0}})
	return cases
}

func allBytes() []byte {
	b := make([]byte, 256)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

// addArrays adds an array of every type from a list and from a blob, and of every number of dimensions.
func addArrays(format string, add func(string, string, *route.Encode, backend.Row)) {
	encoded := func(f route.Field) *route.Encode { return &route.Encode{Format: format, Fields: []route.Field{f}} }
	for dtype, values := range map[string][]any{
		"bool": {true, false, true}, "int8": {int64(-128), int64(127)}, "uint8": {int64(0), int64(255)},
		"<i2": {int64(-32768), int64(32767)}, ">i2": {int64(-32768), int64(1)}, "int32": {int64(math.MinInt32)}, ">u4": {int64(math.MaxUint32)},
		"uint16": {int64(65535)}, "int64": {int64(math.MinInt64), int64(math.MaxInt64)}, "uint64": {int64(math.MaxInt64)},
		"float16": {0.1, 65504.0, 6e-8, -0.5, 1e-9, 2049.0, 2051.0}, ">f4": {0.1, -1.5}, "float32": {0.1, 3.4028234e38}, "float64": {0.1, 1e308},
		"complex64": {1.5, -2.5}, "complex128": {0.1}, ">c8": {1.5},
	} {
		var py []string
		for _, v := range values {
			if b, ok := v.(bool); ok {
				v = map[bool]string{true: "True", false: "False"}[b]
			}
			py = append(py, fmt.Sprint(v))
		}
		check := fmt.Sprintf("array(v, %q, (%d,), [%s])", dtype, len(values), strings.Join(py, ", "))
		add(format+" list "+dtype, check, encoded(route.Field{Column: "c_list", DType: dtype}), backend.Row{values})
	}
	for dtype, size := range map[string]int{"int8": 1, "bool": 1, "<u2": 2, ">u2": 2, "float16": 2, ">f8": 8, "<c8": 8, "complex128": 16, ">c16": 16} {
		b := make([]byte, 6*size)
		for i := range b {
			b[i] = byte(i % 2)
		}
		check := fmt.Sprintf("v.tobytes() == bytes.fromhex(%q) and array(v, %q, (2, 3), np.frombuffer(bytes.fromhex(%q), %q))",
			hex.EncodeToString(b), dtype, hex.EncodeToString(b), dtype)
		add(format+" blob "+dtype, check, encoded(route.Field{Column: "c_blob", DType: dtype, Shape: []int{2, 3}}), backend.Row{b})
	}
	for python, shape := range map[string][]int{
		"(24,)": nil, "(24,) ": {-1}, "(1, 24)": {1, -1}, "(2, 3, 4)": {2, 3, 4}, "(2, 3, 2, 2)": {2, -1, 2, 2}, "(1, 1, 1, 1, 24)": {1, 1, 1, 1, 24},
	} {
		add(format+" shape "+python, "array(v, '|u1', "+python+", list(range(24)))",
			encoded(route.Field{Column: "c_blob", DType: "uint8", Shape: shape}), backend.Row{allBytes()[:24]})
	}
	add(format+" empty", "array(v, '<f4', (0,), [])", encoded(route.Field{Column: "c_blob", DType: "f4"}), backend.Row{[]byte{}})
	add(format+" scalar", "array(v, '|u1', (), 7)", encoded(route.Field{Column: "c_blob", DType: "u1", Shape: []int{}}), backend.Row{[]byte{7}})
	add(format+" large", "array(v, '|u1', (1000, 70), [[i % 251 for i in range(70000)]])",
		encoded(route.Field{Column: "c_blob", DType: "u1", Shape: []int{1000, 70}}), backend.Row{large()})
}

func large() []byte {
	b := make([]byte, 70000)
	for i := range b {
		b[i] = byte(i % 251)
	}
	return b
}
