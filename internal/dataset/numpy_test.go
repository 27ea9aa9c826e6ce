package dataset_test

import (
	"encoding/hex"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"forebay/internal/dataset"
	"forebay/internal/testkit"
)

// script writes files as NumPy does, and prints what each sample is: its bytes in C order, and its label.
const script = `
import json, sys, numpy as np
from numpy.lib import format as f
out = sys.argv[1] + "/"
rng = np.random.default_rng(1)
cases = []
def expect(name, a, labels=None, **options):
    cases.append(dict(file=name, dtype=a.dtype.str, shape=list(a.shape[1:]), options=options,
        samples=[np.ascontiguousarray(s).tobytes().hex() for s in a],
        labels=None if labels is None else [int(l) for l in labels]))
for dtype in "|b1 |i1 |u1 <i2 >i2 <u2 <i4 >i4 <u8 <i8 <f2 <f4 >f4 <f8 >f8 <c8 <c16".split():
    a = (rng.random((5, 2, 3)) * 100).astype(dtype)
    name = "dtype-" + dtype.replace("<", "l").replace(">", "b").replace("|", "n") + ".npy"
    np.save(out + name, a)
    expect(name, a)
for shape in [(4,), (1, 7), (3, 1), (3, 2, 4, 5), (2, 3, 1, 2, 2), (70, 300)]:
    for order in "CF":
        a = np.asarray((rng.random(shape) * 1000).astype("<u2"), order=order)
        name = "shape-%s-%s.npy" % ("x".join(map(str, shape)), order)
        np.save(out + name, a)
        expect(name, a)
        np.savez_compressed(out + name + ".npz", images=a)
        expect(name + ".npz", a)
for version in [(1, 0), (2, 0), (3, 0)]:
    a = rng.integers(0, 255, (3, 8, 8)).astype("u1")
    name = "version-%d.npy" % version[0]
    with open(out + name, "wb") as to:
        f.write_array(to, a, version=version)
    expect(name, a)
images = rng.integers(0, 255, (6, 8, 8)).astype("u1")
for i, labels in enumerate([np.arange(6), np.arange(6, dtype=">i4") - 3, np.arange(6, dtype="u1") + 250, np.arange(6).reshape(6, 1),
                            np.array([True, False] * 3)]):
    for save in (np.savez, np.savez_compressed):
        for x, y in (("x", "y"), ("images", "labels"), ("data", "target"), ("X", "Y")):
            name = "labels-%d-%s-%s.npz" % (i, save.__name__, x + y)
            save(out + name, **{x: images, y: labels})
            expect(name, images, labels.reshape(6))
np.savez(out + "named.npz", train=images, train_labels=np.arange(6), other=np.array(["a"]))
expect("named.npz", images, np.arange(6), Images="train", Labels="train_labels")
expect("named.npz", images)
np.savez(out + "odd.npz", pixels=images, y=np.arange(6), objects=np.array([{}], dtype=object))
expect("odd.npz", images, np.arange(6))
np.save(out + "objects.npy", np.array([{}, []], dtype=object))
np.save(out + "text.npy", np.array(["a", "b"]))
np.save(out + "structured.npy", np.zeros(3, dtype=[("a", "<i4"), ("b", "<f4", (2,))]))
np.save(out + "scalar.npy", np.array(3))
np.savez(out + "float-labels.npz", x=images, y=np.arange(6) / 2)
np.savez(out + "short-labels.npz", x=images, y=np.arange(5))
np.savez(out + "huge-labels.npz", x=images, y=np.full(6, 2**64 - 1, dtype="u8"))
np.savez(out + "wide-labels.npz", x=images, y=np.zeros((6, 2), dtype="i4"))
np.savez(out + "many.npz", a=images, b=images)
np.savez(out + "object-images.npz", x=np.array([{}, []], dtype=object))
np.savez(out + "empty.npz", x=np.zeros((0, 8, 8), "u1"))
json.dump(cases, sys.stdout)
`

type numpyCase struct {
	File, DType string
	Shape       []int
	Options     dataset.Options
	Samples     []string
	Labels      []int64
}

func numpyFiles(t *testing.T) (dir string, cases []numpyCase) {
	t.Helper()
	dir = t.TempDir()
	cmd := exec.CommandContext(t.Context(), testkit.Python(t, "numpy==1.26.4"), "-c", script, dir)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("write files with NumPy: %v\n%s", err, stderr.String())
	}
	if err := json.Unmarshal(out, &cases); err != nil {
		t.Fatalf("read what NumPy wrote: %v", err)
	}
	return dir, cases
}

// NumPy writes; what is read is what NumPy says is there.
func TestNumPyFiles(t *testing.T) {
	dir, cases := numpyFiles(t)
	for _, c := range cases {
		t.Run(c.File, func(t *testing.T) {
			set, err := dataset.Open(c.Options, filepath.Join(dir, c.File))
			if err != nil {
				t.Fatalf("open: %v", err)
			}
			defer set.Close()
			if set.DType() != c.DType || !slices.Equal(set.Shape(), c.Shape) || set.Len() != len(c.Samples) || set.Labelled() != (c.Labels != nil) {
				t.Errorf("%d samples of %s %v, labels %v; want %d of %s %v, %v",
					set.Len(), set.DType(), set.Shape(), set.Labelled(), len(c.Samples), c.DType, c.Shape, c.Labels != nil)
			}
			for _, pass := range []string{"first", "second"} {
				n := 0
				err = set.Each(t.Context(), func(s dataset.Sample) error {
					if s.Index != n || hex.EncodeToString(s.Data) != c.Samples[n] {
						t.Fatalf("%s pass: sample %d is %x, want %d: %s", pass, s.Index, s.Data, n, c.Samples[n])
					}
					if c.Labels != nil && (!s.HasLabel || s.Label != c.Labels[n]) {
						t.Errorf("label %d is %d (%v), want %d", n, s.Label, s.HasLabel, c.Labels[n])
					}
					n++
					return nil
				})
				if err != nil || n != len(c.Samples) {
					t.Errorf("%s pass: %d samples and %v", pass, n, err)
				}
			}
		})
	}
	t.Run("refused", func(t *testing.T) {
		for name, says := range map[string]string{
			"objects.npy":       "object array",
			"object-images.npz": "object array",
			"text.npy":          "dtype <U1",
			"structured.npy":    "structured array",
			"scalar.npy":        "single number",
			"float-labels.npz":  "labels are integers, not <f8",
			"short-labels.npz":  "5 labels for 6 samples",
			"huge-labels.npz":   "does not fit",
			"wide-labels.npz":   "not [6 2]",
			"many.npz":          "which array",
			"empty.npz":         "no samples",
		} {
			path := filepath.Join(dir, name)
			set, err := dataset.Open(dataset.Options{}, path)
			if err == nil {
				t.Errorf("%s opens", name)
				set.Close()
			} else if !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), path) {
				t.Errorf("%s gives %v, want the path and %q", name, err, says)
			}
		}
	})
	t.Run("arrays", func(t *testing.T) {
		f, err := dataset.OpenFile(filepath.Join(dir, "odd.npz"))
		if err != nil {
			t.Fatalf("open: %v", err)
		}
		defer f.Close()
		var names []string
		for _, a := range f.Arrays() {
			names = append(names, a.Name+" "+a.DType)
		}
		if want := []string{"pixels |u1", "y <i8", "objects |O"}; !slices.Equal(names, want) {
			t.Errorf("arrays are %q, want %q", names, want)
		}
	})
	t.Run("several files", func(t *testing.T) { severalFiles(t, dir) })
}

func severalFiles(t *testing.T, dir string) {
	path := func(name string) string { return filepath.Join(dir, name) }
	a, b := path("labels-0-savez-xy.npz"), path("labels-1-savez-xy.npz")
	set, err := dataset.Open(dataset.Options{}, a, b)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	defer set.Close()
	var indexes []int
	var labels []int64
	err = set.Each(t.Context(), func(s dataset.Sample) error {
		indexes, labels = append(indexes, s.Index), append(labels, s.Label)
		return nil
	})
	if err != nil || !slices.Equal(indexes, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}) ||
		!slices.Equal(labels, []int64{0, 1, 2, 3, 4, 5, -3, -2, -1, 0, 1, 2}) {
		t.Errorf("indexes %v, labels %v and %v", indexes, labels, err)
	}
	for name, test := range map[string]struct {
		options dataset.Options
		paths   []string
		says    string
	}{
		"other shape":          {dataset.Options{}, []string{a, path("version-1.npy"), path("shape-3x1-C.npy")}, "has no labels"},
		"labels only later":    {dataset.Options{}, []string{path("version-1.npy"), a}, "has labels"},
		"shapes differ":        {dataset.Options{}, []string{path("version-1.npy"), path("shape-3x1-C.npy")}, "its samples are"},
		"no such array":        {dataset.Options{Images: "z"}, []string{a}, `no array "z"`},
		"no such labels":       {dataset.Options{Labels: "z"}, []string{a}, `no array "z"`},
		"too few labels":       {dataset.Options{LabelsFile: path("shape-4-C.npy")}, []string{path("version-1.npy")}, "4 labels for 3"},
		"labels of no integer": {dataset.Options{LabelsFile: path("dtype-lf4.npy")}, []string{path("version-1.npy")}, "shape (n,)"},
		"no file":              {dataset.Options{}, nil, "no file"},
		"a folder":             {dataset.Options{}, []string{dir}, "which label has it"},
	} {
		if set, err := dataset.Open(test.options, test.paths...); err == nil {
			set.Close()
			t.Errorf("%s: opens", name)
		} else if !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v, want %q", name, err, test.says)
		}
	}
	labelled, err := dataset.Open(dataset.Options{LabelsFile: path("shape-4-C.npy")}, path("shape-4-F.npy"))
	if err != nil || !labelled.Labelled() {
		t.Fatalf("labels from a file of their own: %v", err)
	}
	labelled.Close()
}
