package dataset_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"forebay/internal/dataset"
)

// idx is a file of this type and shape.
func idx(code byte, data []byte, shape ...uint32) []byte {
	b := []byte{0, 0, code, byte(len(shape))}
	for _, d := range shape {
		b = binary.BigEndian.AppendUint32(b, d)
	}
	return append(b, data...)
}

func gz(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// tree writes files into a new folder.
func tree(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "/") {
			err := os.MkdirAll(path, 0o700)
			if err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// spelled is a set in one line.
func spelled(t *testing.T, set *dataset.Set) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "%s %v:", set.DType(), set.Shape())
	err := set.Each(t.Context(), func(s dataset.Sample) error {
		fmt.Fprintf(&b, " %s=%d", s.Data, s.Label)
		return nil
	})
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	return b.String()
}

func TestIDX(t *testing.T) {
	images, labels := idx(8, []byte("abcdefgh"), 2, 2, 2), idx(8, []byte{7, 200}, 2)
	more, moreLabels := idx(8, []byte("ijkl"), 1, 2, 2), idx(9, []byte{255}, 1)
	for name, test := range map[string]struct {
		files []string
		data  [][]byte
		o     dataset.Options
		want  string
	}{
		"images and labels":     {[]string{"a-images-idx3-ubyte", "a-labels-idx1-ubyte"}, [][]byte{images, labels}, dataset.Options{}, "|u1 [2 2]: abcd=7 efgh=200"},
		"the other way, packed": {[]string{"l.gz", "i"}, [][]byte{gz(t, labels), gz(t, images)}, dataset.Options{}, "|u1 [2 2]: abcd=7 efgh=200"},
		"two pairs":             {[]string{"1", "2", "3", "4"}, [][]byte{images, more, labels, moreLabels}, dataset.Options{}, "|u1 [2 2]: abcd=7 efgh=200 ijkl=-1"},
		"images alone":          {[]string{"1"}, [][]byte{images}, dataset.Options{}, "|u1 [2 2]: abcd=0 efgh=0"},
		"labels alone":          {[]string{"1"}, [][]byte{idx(8, []byte("ab"), 2)}, dataset.Options{}, "|u1 []: a=0 b=0"},
		"big-endian labels":     {[]string{"1", "2"}, [][]byte{more, idx(0x0c, []byte{255, 255, 255, 254}, 1)}, dataset.Options{}, "|u1 [2 2]: ijkl=-2"},
		"an NPY in gzip":        {[]string{"1.npy.gz"}, [][]byte{gz(t, npy(header("|u1", false, "(2, 2)"), []byte("abcd")))}, dataset.Options{}, "|u1 [2]: ab=0 cd=0"},
	} {
		dir := t.TempDir()
		var paths []string
		for i, file := range test.files {
			paths = append(paths, filepath.Join(dir, file))
			if err := os.WriteFile(paths[i], test.data[i], 0o600); err != nil {
				t.Fatal(err)
			}
		}
		set, err := dataset.Open(test.o, paths...)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for range 2 {
			if got := spelled(t, set); got != test.want {
				t.Errorf("%s: %s, want %s", name, got, test.want)
			}
		}
		set.Close()
	}
}

func TestBrokenIDX(t *testing.T) {
	images := idx(8, []byte("abcdefgh"), 2, 2, 2)
	packed := gz(t, bytes.Repeat(images, 100))
	torn := bytes.Clone(gz(t, idx(8, bytes.Repeat([]byte("abcdefgh"), 1000), 1000, 8)))
	torn[len(torn)-6] ^= 1
	for name, test := range map[string]struct {
		file   string
		data   []byte
		offset int64
		says   string
	}{
		"cut off":                 {"x", images[:len(images)-1], 16, "takes 8 bytes, there are 7"},
		"too long":                {"x", append(bytes.Clone(images), 0), 16, "takes 8 bytes, there are 9"},
		"lies about its size":     {"x", idx(8, []byte("abcdefgh"), 1<<31, 28, 28), 16, "takes 1683627180032 bytes, there are 8"},
		"lies beyond 64 bits":     {"x", idx(8, nil, 1<<31, 1<<31, 1<<31), 16, "larger than any file"},
		"lies in gzip":            {"x.gz", gz(t, idx(8, []byte("abcdefgh"), 60000, 28, 28)), 16, "takes 47040000 bytes, there are 8"},
		"type":                    {"x", idx(7, []byte("ab"), 2), 2, "no type 0x07"},
		"no dimensions":           {"x", idx(8, nil), 3, "not 0"},
		"many dimensions":         {"x", []byte{0, 0, 8, 255, 0}, 3, "not 255"},
		"header cut off":          {"x", images[:9], 9, "cut off"},
		"labels called images":    {"t10k-images-idx3-ubyte", idx(8, []byte("ab"), 2), 3, "called idx3, its header has 1 dimensions"},
		"gzip cut off":            {"x.gz", packed[:len(packed)/2], -1, "gzip stream is cut off"},
		"gzip's header cut off":   {"x.gz", packed[:5], 0, "gzip stream is cut off"},
		"gzip with a wrong sum":   {"x.gz", torn, 8012, "gzip stream is broken"},
		"gzip of something":       {"x.gz", gz(t, []byte("hello")), 0, "nor IDX"},
		"gzip of nothing":         {"x.gz", gz(t, nil), 0, "nor IDX"},
		"no format that is known": {"x", []byte("\x7fELF1234"), 0, "nor IDX"},
	} {
		path := write(t, test.file, test.data)
		set, err := dataset.Open(dataset.Options{}, path)
		if err == nil {
			set.Close()
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
	one, two := write(t, "i", images), write(t, "l", idx(8, []byte("abc"), 3))
	npyFile := write(t, "x.npy", npy(header("|u1", false, "(2,)"), []byte("ab")))
	for says, paths := range map[string][]string{
		"3 labels for 2 samples":      {one, two},
		"1 files of labels for 2":     {one, one, two},
		"these files are labels":      {two, two},
		"labels are integers":         {one, write(t, "f", idx(0x0d, make([]byte, 8), 2))},
		"its samples are |u1 of":      {one, npyFile},
		"files and folders":           {one, t.TempDir()},
		"absent: no such file or dir": {filepath.Join(t.TempDir(), "absent")},
	} {
		if set, err := dataset.Open(dataset.Options{}, paths...); err == nil {
			set.Close()
			t.Errorf("%s: opens", says)
		} else if !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %q", err, says)
		}
	}
}

const (
	png  = "\x89PNG\r\n\x1a\n" + "the pixels" + "\x00\x00\x00\x00IEND\xaeB\x60\x82"
	jpeg = "\xff\xd8\xff\xe0" + "the pixels" + "\xff\xd9"
)

func TestFolder(t *testing.T) {
	dir := tree(t, map[string]string{
		"dog/2.png": png, "dog/1.jpg": jpeg, "cat/a/b.txt": "text", "cat/.DS_Store": "x", ".git/config": "x", ".hidden": "x", "eel/": "",
	})
	for name, test := range map[string]struct {
		o     dataset.Options
		paths []string
		want  string
	}{
		"sorted":      {dataset.Options{}, []string{dir}, fmt.Sprintf(" []: text=0 %s=1 %s=1 [cat dog eel] %d", jpeg, png, len(png))},
		"named":       {dataset.Options{LabelNames: []string{"ant", "eel", "dog", "cat"}}, []string{dir}, fmt.Sprintf(" []: text=3 %s=2 %s=2 [ant eel dog cat] %d", jpeg, png, len(png))},
		"two folders": {dataset.Options{}, []string{tree(t, map[string]string{"b/1": "1"}), tree(t, map[string]string{"a/1": "2"})}, " []: 1=1 2=0 [a b] 1"},
	} {
		set, err := dataset.Open(test.o, test.paths...)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := fmt.Sprintf("%s %v %d", spelled(t, set), set.LabelNames(), set.MaxBytes()); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
		set.Close()
	}
	for says, test := range map[string]struct {
		o     dataset.Options
		files map[string]string
	}{
		"b.png: at byte 0: the name says .png":  {dataset.Options{}, map[string]string{"a/a.png": png, "a/b.png": jpeg}},
		"at byte 20: the PNG is cut off":        {dataset.Options{}, map[string]string{"a/b.png": png[:20]}},
		"at byte 14: the JPEG is cut off":       {dataset.Options{}, map[string]string{"a/b.JPG": jpeg[:14]}},
		"the name says .jpeg":                   {dataset.Options{}, map[string]string{"a/b.jpeg": "GIF89a"}},
		"the name says .gif":                    {dataset.Options{}, map[string]string{"a/b.gif": "x"}},
		"at byte 4: the WebP is cut off":        {dataset.Options{}, map[string]string{"a/b.webp": "RIFF\xff\x00\x00\x00WEBP"}},
		"at byte 0: the file is empty":          {dataset.Options{}, map[string]string{"a/b": ""}},
		"at byte 3: the file has 4 bytes":       {dataset.Options{MaxFileBytes: 3}, map[string]string{"a/b": "1234"}},
		"which label has it":                    {dataset.Options{}, map[string]string{"a/b": "1", "c": "2"}},
		"no files in its sub-folders":           {dataset.Options{}, map[string]string{"a/": ""}},
		`"a" is none of the label names b, c`:   {dataset.Options{LabelNames: []string{"b", "c"}}, map[string]string{"a/b": "1"}},
		"the labels of a folder are the names ": {dataset.Options{LabelsFile: "x"}, map[string]string{"a/b": "1"}},
	} {
		if set, err := dataset.Open(test.o, tree(t, test.files)); err == nil {
			set.Close()
			t.Errorf("%s: opens", says)
		} else if !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %q", err, says)
		}
	}
	// A file that changes after it was checked.
	set, err := dataset.Open(dataset.Options{}, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	for _, text := range []string{"tex", "texts"} {
		if err := os.WriteFile(filepath.Join(dir, "cat/a/b.txt"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		err := set.Each(t.Context(), func(dataset.Sample) error { return nil })
		if err == nil || !strings.Contains(err.Error(), "changed while it was read") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
