package dataset_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"forebay/internal/dataset"
)

// npy is a file of version 1.0 with this header text and data.
func npy(header string, data []byte) []byte {
	b := []byte("\x93NUMPY\x01\x00")
	b = binary.LittleEndian.AppendUint16(b, uint16(len(header)))
	return append(append(b, header...), data...)
}

func header(dtype string, fortran bool, shape string) string {
	order := "False"
	if fortran {
		order = "True"
	}
	return fmt.Sprintf("{'descr': '%s', 'fortran_order': %s, 'shape': %s, }\n", dtype, order, shape)
}

type entry struct {
	name   string
	data   []byte
	method uint16
}

func npz(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, e := range entries {
		to, err := w.CreateHeader(&zip.FileHeader{Name: e.name, Method: e.method})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := to.Write(e.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func write(t testing.TB, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestBrokenFiles(t *testing.T) {
	good := npy(header("|u1", false, "(2, 4)"), []byte("abcdefgh"))
	stored := npz(t, entry{"x.npy", good, zip.Store})
	deflated := npz(t, entry{"x.npy", npy(header("|u1", false, "(64, 64)"), bytes.Repeat([]byte{1, 2, 3, 4}, 1024)), zip.Deflate})
	at := bytes.Index(stored, []byte("abcdefgh"))
	flipped := bytes.Clone(stored)
	flipped[at] ^= 1
	cut := deflated[:len(deflated)/2]
	torn := bytes.Clone(deflated)
	copy(torn[60:], "\x00\x00\x00\x00\x00\x00\x00\x00")
	version9 := bytes.Clone(good)
	version9[6] = 9
	long := bytes.Clone(good)
	binary.LittleEndian.PutUint16(long[8:], 60000)
	v2long := append([]byte("\x93NUMPY\x02\x00\xff\xff\xff\xff"), good...)
	for name, test := range map[string]struct {
		data   []byte
		offset int64
		says   string
	}{
		"empty":                   {nil, 0, "0 bytes"},
		"text":                    {[]byte("hello, this is no array"), 0, "\\x93NUMPY"},
		"version":                 {version9, 6, "version 9.0"},
		"header too long":         {long, 8, "60000 bytes"},
		"header of 4 GiB":         {v2long, 8, "4294967295"},
		"cut off":                 {good[:len(good)-1], int64(len(good) - 8), "takes 8 bytes, there are 7"},
		"too long":                {append(bytes.Clone(good), 0), int64(len(good) - 8), "takes 8 bytes, there are 9"},
		"shape of 2^62":           {npy(header("<f8", false, "(4611686018427387904, 8)"), []byte("abcdefgh")), -1, "larger than any file"},
		"shape beyond 64 bits":    {npy(header("|u1", false, "(99999999999999999999,)"), nil), 10, "shape"},
		"shape of 8 EB":           {npy(header("|u1", false, "(9000000000000000000,)"), nil), -1, "takes 9000000000000000000 bytes"},
		"negative shape":          {npy(header("|u1", false, "(-1,)"), nil), 10, "shape"},
		"no dict":                 {npy("print('hello')\n", nil), 10, `"{"`},
		"unclosed":                {npy("{'descr': '|u1", nil), 10, "quoted"},
		"unknown entry":           {npy("{'descr': '|u1', 'x': 1, 'shape': (1,)}", nil), 10, "unknown entry"},
		"entry missing":           {npy("{'descr': '|u1', 'shape': (1,)}", []byte{1}), 10, "dict of"},
		"entry twice":             {npy("{'descr': '|u1', 'shape': (1,), 'shape': (1,)}", []byte{1}), 10, "twice"},
		"order is no boolean":     {npy("{'descr': '|u1', 'fortran_order': 1, 'shape': (1,)}", []byte{1}), 10, "fortran_order"},
		"zip cut off":             {cut, int64(len(cut)), "zip directory"},
		"zip checksum":            {flipped, -1, "checksum"},
		"zip torn":                {torn, -1, "zip"},
		"zip without arrays":      {npz(t, entry{"readme.txt", []byte("hi"), zip.Store}), 0, "no arrays"},
		"zip with an array twice": {npz(t, entry{"x.npy", good, zip.Store}, entry{"x.npy", good, zip.Store}), 0, "twice"},
		"zip with a broken array": {npz(t, entry{"x.npy", good[:20], zip.Deflate}), 8, "header"},
	} {
		t.Run(name, func(t *testing.T) {
			path := write(t, "file.npz", test.data)
			f, err := dataset.OpenFile(path)
			if err == nil {
				f.Close()
				t.Fatal("the file opens")
			}
			var format *dataset.FormatError
			if !errors.As(err, &format) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), test.says) {
				t.Fatalf("open gives %v, want a FormatError with the path and %q", err, test.says)
			}
			if test.offset >= 0 && format.Offset != test.offset {
				t.Errorf("open gives offset %d (%v), want %d", format.Offset, err, test.offset)
			}
		})
	}
	if _, err := dataset.OpenFile(filepath.Join(t.TempDir(), "absent.npy")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an absent file gives %v", err)
	}
}

// A header may promise anything: what is allocated depends on the file.
func TestLyingHeaderAllocatesNothing(t *testing.T) {
	path := write(t, "x.npy", npy(header("<f8", true, "(1073741824, 8)"), []byte("abcdefgh")))
	zipped := write(t, "x.npz", npz(t, entry{"x.npy", npy(header("<f8", true, "(1073741824, 8)"), []byte("abcdefgh")), zip.Deflate}))
	plain := write(t, "x-idx3-ubyte", idx(0x0e, []byte("abcdefgh"), 1<<31, 1<<10, 1<<10))
	packed := write(t, "x.gz", gz(t, idx(0x0e, []byte("abcdefgh"), 1<<31, 1<<10, 1<<10)))
	for _, path := range []string{path, zipped, plain, packed} {
		result := testing.Benchmark(func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				if f, err := dataset.OpenFile(path); err == nil {
					f.Close()
					b.Fatal("the file opens")
				}
			}
		})
		if result.AllocedBytesPerOp() > 512<<10 { // buffers, and those that unpack
			t.Errorf("opening %s allocates %d bytes", filepath.Base(path), result.AllocedBytesPerOp())
		}
	}
}

func TestEncoded(t *testing.T) {
	path := write(t, "x.npz", npz(t,
		entry{"x.npy", npy(header("|u1", false, "(3, 2)"), []byte("aabbcc")), zip.Deflate},
		entry{"y.npy", npy(header("|i1", false, "(3,)"), []byte{1, 2, 255}), zip.Store}))
	set, err := dataset.Open(dataset.Options{}, path)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	defer set.Close()
	collect := func(e *dataset.Encoded) (out string, err error) {
		err = e.Each(t.Context(), func(data []byte, label int64, labelled bool) error {
			out += fmt.Sprintf("%s %d %v;", data, label, labelled)
			return nil
		})
		return out, err
	}
	if out, err := collect(set.Encoded(nil)); err != nil || out != "aa 1 true;bb 2 true;cc -1 true;" {
		t.Errorf("as they are: %q and %v", out, err)
	}
	wrapped := set.Encoded(func(dst []byte, s dataset.Sample) ([]byte, error) {
		return fmt.Appendf(dst, "<%s%d>", s.Data, s.Index), nil
	})
	if out, err := collect(wrapped); err != nil || out != "<aa0> 1 true;<bb1> 2 true;<cc2> -1 true;" || wrapped.Len() != 3 {
		t.Errorf("encoded: %q and %v", out, err)
	}
	wrong := errors.New("cannot encode")
	_, err = collect(set.Encoded(func(dst []byte, s dataset.Sample) ([]byte, error) { return dst, wrong }))
	if !errors.Is(err, wrong) || !strings.Contains(err.Error(), "sample 0") {
		t.Errorf("an encoder's error gives %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := set.Each(ctx, func(dataset.Sample) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled read gives %v", err)
	}
}

func FuzzOpenFile(f *testing.F) {
	good := npy(header("<u2", true, "(2, 2, 2)"), bytes.Repeat([]byte("ab"), 8))
	f.Add(good)
	f.Add(npy("{'descr': [('a', '<i4'), ('b', '<f4', (2,))], 'fortran_order': False, 'shape': (1,), }", make([]byte, 12)))
	f.Add(npy(header("|O", false, "()"), []byte("pickle")))
	f.Add(npz(f, entry{"x.npy", good, zip.Deflate}, entry{"y.npy", npy(header("|b1", false, "(2, 1)"), []byte{1, 0}), zip.Store}))
	f.Add(idx(0x0b, []byte("abcdefgh"), 2, 2))
	f.Add(gz(f, idx(8, []byte("abcdefgh"), 4, 2)))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := write(t, "x.npy", data)
		set, err := dataset.Open(dataset.Options{}, path)
		if err != nil {
			if !strings.Contains(err.Error(), path) {
				t.Errorf("the error does not name the file: %v", err)
			}
			return
		}
		defer set.Close()
		n := 0
		err = set.Each(t.Context(), func(s dataset.Sample) error {
			n++
			return nil
		})
		if err != nil || n != set.Len() {
			t.Errorf("a file that opened gives %d of %d samples and %v", n, set.Len(), err)
		}
	})
}
