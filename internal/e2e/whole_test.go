package e2e_test

import (
	"archive/zip"
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// wholeRoutes are those of whole arrays that examples/README.md shows.
func wholeRoutes(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../../examples/README.md")
	must(t, err)
	_, rest, _ := strings.Cut(string(b), "```yaml\nroutes:\n")
	routes, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatal("examples/README.md has no routes")
	}
	return routes
}

// member writes an array's NPY file out of an NPZ into a file and returns its path.
func member(t *testing.T, npz, name string) string {
	t.Helper()
	archive, err := zip.OpenReader(npz)
	must(t, err)
	defer archive.Close()
	file, err := archive.Open(name + ".npy")
	must(t, err)
	defer file.Close()
	b, err := io.ReadAll(file)
	must(t, err)
	path := filepath.Join(t.TempDir(), name+".npy")
	must(t, os.WriteFile(path, b, 0o600))
	return path
}

// TestWholeArrays trains twice on arrays that "forebay load --object" has stored: the first run loads each, the second finds both.
func TestWholeArrays(t *testing.T) {
	python, dir := trainer(t), t.TempDir()
	images, labels := filepath.Join(dir, "images.npy"), filepath.Join(dir, "labels.npy")
	runExample(t, python, "make_images.py", images, labels)
	const digits = "../../examples/digits/digits-train.npz"
	for _, tt := range []struct {
		name, dataset, images, labels string // the last two are paths
		shape, epochs                 string
	}{
		{"small", "digits", member(t, digits, "images"), member(t, digits, "labels"), "(1437, 8, 8) uint8", "5"},
		{"of 47 MB", "mnist", images, labels, "(60000, 28, 28) uint8", "1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStack(t, func(s *setup) {
				s.routes = wholeRoutes(t)
				loadObject(t, s.cassandra, s.keyspace, tt.dataset, "train-images", tt.images)
				loadObject(t, s.cassandra, s.keyspace, tt.dataset, "train-labels", tt.labels)
			})
			imagesKey, labelsKey := tt.dataset+":train:images", tt.dataset+":train:labels"
			for _, ratio := range []string{"0.0 % (0 hits, 2 misses)", "100.0 % (2 hits, 0 misses)"} {
				out := runExample(t, python, "whole_array.py", "--url", s.url(), "--images", imagesKey, "--labels", labelsKey, "--epochs", tt.epochs)
				wantAccuracy(t, out)
				wantArray(t, out, imagesKey, tt.shape, tt.images)
				wantArray(t, out, labelsKey, "", tt.labels)
				if want := "\nhit ratio " + ratio + "\n"; !strings.Contains(out, want) {
					t.Errorf("it does not print %q", want)
				}
			}
			events := s.end(t)
			events.wantWhole(t)
			reads := map[string]int{}
			for _, e := range events.of("hit", "miss") {
				reads[e.Key+" "+e.Kind+" "+e.Result]++
			}
			want := map[string]int{imagesKey + " miss loaded": 1, imagesKey + " hit ": 1, labelsKey + " miss loaded": 1, labelsKey + " hit ": 1}
			if !maps.Equal(reads, want) || len(events.of("load")) != 2 || len(events.of("fill")) != 2 {
				t.Errorf("the reads are %v, want %v; %s", reads, want, events.kinds())
			}
		})
	}
}

// TestWholeArraysOfTheEmbeddedDefault reads the bundled digits with the example's own default keys.
func TestWholeArraysOfTheEmbeddedDefault(t *testing.T) {
	t.Parallel()
	python := trainer(t)
	const digits = "../../examples/digits/digits-train.npz"
	images, labels := member(t, digits, "images"), member(t, digits, "labels")
	for name, flags := range map[string][]string{"private redis": nil, "in the process": {"--in-process"}} {
		t.Run(name, func(t *testing.T) {
			f := serveFile(t, "", append(flags, "--listen.address=127.0.0.1:0", "--http.address=127.0.0.1:0")...)
			for _, ratio := range []string{"0.0 % (0 hits, 2 misses)", "100.0 % (2 hits, 0 misses)"} {
				out := runExample(t, python, "whole_array.py", "--url", f.url(), "--epochs", "5")
				wantAccuracy(t, out)
				wantArray(t, out, "digits:train:images", "(1437, 8, 8) uint8", images)
				wantArray(t, out, "digits:train:labels", "(1437,) int64", labels)
				if want := "\nhit ratio " + ratio + "\n"; !strings.Contains(out, want) {
					t.Errorf("it does not print %q", want)
				}
			}
		})
	}
}

// wantArray wants an array told of with the size and the checksum of the file that was loaded.
func wantArray(t *testing.T, out, key, shape, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	size, sum := fmt.Sprintf(", %d bytes in ", len(b)), fmt.Sprintf("sha256 %x\n", sha256.Sum256(b))
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, key+": "+shape) && strings.Contains(line, size) && strings.HasSuffix(line, sum) {
			return
		}
	}
	t.Errorf("it does not print %s: %s … with %q and %q", key, shape, size, sum)
}
