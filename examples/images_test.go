package examples_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"forebay/internal/testkit"
)

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestImagesAreTheSameWithEveryNumPy(t *testing.T) {
	const images = "5527887f1161534f06435cf858485c1b96f2229fd37fa79364ccc0597d5f68f1"
	const labels = "a84a9c1becea89c83b373c1d4f1623a30c8b318573e9b8a239c79f042c54adae"
	for _, version := range []string{"1.24.4", "2.4.6"} {
		dir := t.TempDir()
		out, err := run(t, testkit.Python(t, "numpy=="+version), "make_images.py",
			filepath.Join(dir, "images.npy"), filepath.Join(dir, "labels.npy"), "--count", "5000")
		lines := strings.Split(out, "\n")
		if err != nil || len(lines) != 3 ||
			!strings.HasSuffix(lines[0], "images.npy: (5000, 28, 28) uint8, 3920128 bytes, sha256 "+images) ||
			!strings.HasSuffix(lines[1], "labels.npy: (5000,) uint8, 5128 bytes, sha256 "+labels) {
			t.Errorf("NumPy %s: %v\n%s", version, err, out)
		}
		files, err := os.ReadDir(dir)
		if err != nil || len(files) != 2 {
			t.Errorf("NumPy %s leaves %v, %v", version, files, err)
		}
	}
}
