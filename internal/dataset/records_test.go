package dataset_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"forebay/internal/dataset"
)

func readRecords(t *testing.T, r *dataset.Records) (out []string) {
	t.Helper()
	err := r.Each(t.Context(), func(rec dataset.Record) error {
		line := fmt.Sprintf("%d@%d:", rec.Line, rec.Offset)
		for _, v := range rec.Values {
			line += fmt.Sprintf(" %v", v)
		}
		out = append(out, line)
		return nil
	})
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	return out
}

func TestRecords(t *testing.T) {
	const lines = "{\"a\": 1, \"b\": [1, 2.5]}\n\n  {\"c\": {\"x\": null}, \"a\": 12345678901}\r\n{\"b\": [], \"d\": null}"
	for name, test := range map[string]struct {
		data    string
		columns string
		rows    []string
	}{
		"csv":            {"a,b\n1,x\n2,\"y,\n z\"\n", "[{a bigint} {b text}]", []string{"2@4: 1 x", "3@8: 2 y,\n z"}},
		"tabs":           {"a\tb\n1\tx,y\n", "[{a bigint} {b text}]", []string{"2@4: 1 x,y"}},
		"semicolons":     {"a;b\n1;2,5", "[{a bigint} {b text}]", []string{"2@4: 1 2,5"}},
		"a mark, CRLF":   {"\xef\xbb\xbfa,b\r\n1,\r\n", "[{a bigint} {b text}]", []string{"2@8: 1 <nil>"}},
		"types":          {"i,f,b,u,z,e,big,m\n-1,1e3,true,6ba7b810-9dad-11d1-80b4-00c04fd430c8,007,,99999999999999999999,1\n5,2,false,6BA7B810-9dad-11d1-80b4-00c04fd430c8,1,,1,x\n", "[{i bigint} {f double} {b boolean} {u uuid} {z text} {e text} {big text} {m text}]", nil},
		"json lines":     {lines, "[{a bigint} {b list<double>} {c text} {d text}]", []string{"1@0: 1 [1 2.5] {} {}", "3@25: 12345678901 {} map[x:<nil>] {}", "4@65: {} [] {} <nil>"}},
		"json types":     {`{"a": [[1]], "b": ["x", 1], "c": 99999999999999999999, "d": [true], "g": [], "e": 1, "f": "6ba7b810-9dad-11d1-80b4-00c04fd430c8"}` + "\n" + `{"e": true}`, "[{a text} {b list<text>} {c text} {d list<boolean>} {g list<text>} {e text} {f uuid}]", nil},
		"long json line": {`{"a": "` + strings.Repeat("x", 200000) + `"}` + "\n{\"a\": \"y\"}\n", "[{a text}]", nil},
	} {
		for _, packed := range []bool{false, true} {
			data := []byte(test.data)
			if packed {
				data = gz(t, data)
			}
			r, err := dataset.OpenRecords(t.Context(), write(t, "x", data))
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			got := readRecords(t, r)
			if columns := fmt.Sprint(r.Columns()); columns != test.columns || r.Len() != len(got) || test.rows != nil && fmt.Sprint(got) != fmt.Sprint(test.rows) {
				t.Errorf("%s: %s %q, want %s %q", name, columns, got, test.columns, test.rows)
			}
			r.Close()
		}
	}
	r, err := dataset.OpenRecords(t.Context(), write(t, "1", []byte("a,b\n1,2\n")), write(t, "2", []byte("b,c\n3,4\n")))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, want := fmt.Sprint(readRecords(t, r)), "[2@4: 1 2 {} 2@4: {} 3 4]"; got != want {
		t.Errorf("two files: %s, want %s", got, want)
	}
	wrong := errors.New("does not fit")
	if err := r.Each(t.Context(), func(dataset.Record) error { return wrong }); !errors.Is(err, wrong) || !strings.Contains(err.Error(), "line 2, at byte 4: does not fit") {
		t.Errorf("a caller's error gives %v", err)
	}
}

func TestBrokenRecords(t *testing.T) {
	packed := gz(t, []byte("a,b\n"+strings.Repeat("1,2\n", 10000)))
	for name, test := range map[string]struct {
		data   string
		offset int64
		says   string
	}{
		"empty":              {"", 0, "the file is empty"},
		"white":              {" \n \n", 0, "the file is empty"},
		"header only":        {"a,b\n", 0, "there are no records"},
		"binary":             {"a\x00b", 1, "no zero bytes"},
		"column twice":       {"a,b,a\n1,2,3\n", 0, `"a" twice`},
		"column unnamed":     {"a,,b\n1,2,3\n", 0, "no name for column 2"},
		"a field too few":    {"a,b\n1,2\n3\n", 8, "line 3"},
		"a field too many":   {"a,b\n1,2\n3,4,5\n", 8, "line 3"},
		"a quote inside":     {"a,b\n1,2\n3,x\"y\n", 8, `bare "`},
		"a quote not closed": {"a,b\n1,2\n3,\"x\n", 8, `extraneous or missing "`},
		"no utf-8":           {"a,b\n1,\xff\n", 4, "column b is no UTF-8"},
		"gzip cut off":       {string(packed[:len(packed)-9]), -1, "gzip stream is cut off"},
		"json array":         {"[{\"a\": 1}]", 0, "one object a line"},
		"json cut off":       {"{\"a\": 1}\n{\"a\": ", 14, "line 2 is no JSON object: it is cut off"},
		"json broken":        {"{\"a\": 1}\n{\"a\": x}\n", 14, "line 2"},
		"json no object":     {"{\"a\": 1}\n7\n", 10, "does not begin with {"},
		"json key twice":     {"{\"a\": 1, \"a\": 2}\n", 15, `"a" is empty or there twice`},
		"json and more":      {"{\"a\": 1} {}\n", 10, "something follows"},
		"json no utf-8":      {"{\"a\": \"\xff\"}\n", 0, "no UTF-8"},
		"many keys":          {manyKeys(), 0, "one more than 1000"},
	} {
		path := write(t, "x.csv", []byte(test.data))
		r, err := dataset.OpenRecords(t.Context(), path)
		if err == nil {
			r.Close()
			t.Errorf("%s: opens", name)
			continue
		}
		var format *dataset.FormatError
		if !errors.As(err, &format) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want one line with the path and %q", name, err, test.says)
		} else if test.offset >= 0 && format.Offset != test.offset {
			t.Errorf("%s: %v, want offset %d", name, err, test.offset)
		}
	}
	if _, err := dataset.OpenRecords(t.Context(), write(t, "1", []byte("a\n1\n")), write(t, "2", []byte("{\"a\": 1}"))); err == nil || !strings.Contains(err.Error(), "do not go together") {
		t.Errorf("CSV and JSON lines: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := dataset.OpenRecords(ctx, write(t, "1", []byte("a\n1\n"))); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func manyKeys() string {
	var b strings.Builder
	for i := range dataset.MaxColumns + 1 {
		fmt.Fprintf(&b, `, "k%d": 1`, i)
	}
	return "{" + b.String()[1:] + "}"
}

// A quote that is not closed, and a line that does not end, are not gathered to the end of the file.
func TestEndlessRecordsAreBounded(t *testing.T) {
	filler := strings.Repeat("x", dataset.MaxRecordBytes+1<<20)
	for _, data := range []string{"a,b\n1,\"" + filler, "{\"a\": \"" + filler} {
		_, err := dataset.OpenRecords(t.Context(), write(t, "x", gz(t, []byte(data))))
		if err == nil || !strings.Contains(err.Error(), "a record has more than 16777216 bytes") {
			t.Errorf("%.60s: %v", data, err)
		}
	}
}

func FuzzOpenRecords(f *testing.F) {
	f.Add([]byte("a,b\n1,\"x\ny\"\n"))
	f.Add([]byte("{\"a\": [1, 2.5], \"b\": {}}\n{\"c\": null}"))
	f.Add(gz(f, []byte("a;b\n1;2\n")))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := write(t, "x", data)
		r, err := dataset.OpenRecords(t.Context(), path)
		if err != nil {
			if !strings.Contains(err.Error(), path) {
				t.Errorf("the error does not name the file: %v", err)
			}
			return
		}
		defer r.Close()
		n := 0
		err = r.Each(t.Context(), func(rec dataset.Record) error {
			if n++; len(rec.Values) != len(r.Columns()) {
				t.Errorf("%d values for %d columns", len(rec.Values), len(r.Columns()))
			}
			return nil
		})
		if err != nil || n != r.Len() {
			t.Errorf("a file that opened gives %d of %d records and %v", n, r.Len(), err)
		}
	})
}

func TestContent(t *testing.T) {
	images := idx(8, []byte("abcdefgh"), 2, 2, 2)
	good := npy(header("|u1", true, "(2, 3)"), []byte("adbecf"))
	for name, test := range map[string]struct {
		file string
		data []byte
		raw  bool
		want string // "" for the file's own bytes
		says string
	}{
		"any bytes":             {"x", []byte("\x00\x00hello"), false, "", ""},
		"an array, as it is":    {"x.npy", good, false, "", ""},
		"an array, raw":         {"x.npy", good, true, "abcdef", ""},
		"IDX, raw, in gzip":     {"x.gz", gz(t, images), true, "abcdefgh", ""},
		"NPZ, raw":              {"x.npz", npz(t, entry{"x.npy", good, 8}, entry{"y.npy", npy(header("|u1", false, "(2,)"), []byte("ab")), 8}), true, "abcdef", ""},
		"gzip, as it is":        {"x.gz", gz(t, []byte("hello")), false, "", ""},
		"no array, raw":         {"x", []byte("hello"), true, "", "neither NPY"},
		"nothing":               {"x", nil, false, "", "empty"},
		"an array cut off":      {"x", good[:len(good)-1], false, "", "takes 6 bytes, there are 5"},
		"no array called so":    {"x.npy", []byte("hello"), false, "", "neither NPY"},
		"an IDX that lies":      {"x-idx3-ubyte", idx(8, []byte("abc"), 1<<31, 28, 28), false, "", "there are 3"},
		"an IDX cut off in raw": {"x", images[:20], true, "", "takes 8 bytes, there are 4"},
		"no gzip called so":     {"x.gz", []byte("hello"), false, "", "the name says gzip"},
		"gzip cut off":          {"x.gz", gz(t, []byte("hello"))[:20], false, "", "cut off"},
		"a PNG cut off":         {"x.png", []byte(png[:20]), false, "", "cut off"},
	} {
		c, err := dataset.OpenContent(write(t, test.file, test.data), test.raw, dataset.Options{})
		if test.says != "" {
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%s: %v, want %q", name, err, test.says)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want := []byte(test.want)
		if test.want == "" {
			want = test.data
		}
		for _, size := range []int{3, 1 << 20} {
			var got []byte
			err := c.Each(t.Context(), size, func(n int64, data []byte) error {
				if n*int64(size) != int64(len(got)) || len(data) > size {
					t.Errorf("%s: chunk %d of %d bytes after %d", name, n, len(data), len(got))
				}
				got = append(got, data...)
				return nil
			})
			if err != nil || !bytes.Equal(got, want) || c.Bytes() != int64(len(want)) {
				t.Errorf("%s: %q and %v, want %q", name, got, err, want)
			}
		}
		wrong := errors.New("enough")
		if err := c.Each(t.Context(), 1, func(int64, []byte) error { return wrong }); !errors.Is(err, wrong) {
			t.Errorf("%s: a caller's error gives %v", name, err)
		}
		c.Close()
	}
}
