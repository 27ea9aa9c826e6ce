// Package examples_test runs the examples as their readers do.
package examples_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"forebay/internal/testkit"
)

// fill stores the digits in a plain Redis as Forebay's routes give them.
const fill = `
import pickle, sys
import numpy as np, redis
client = redis.Redis.from_url(sys.argv[1])
for split in ("train", "test"):
    arrays = np.load(f"digits/digits-{split}.npz")
    pairs = zip(arrays["images"], arrays["labels"])
    client.mset({f"digits:{split}:{i}": pickle.dumps({"image": im, "label": int(n)}) for i, (im, n) in enumerate(pairs)})
`

// run returns what a Python program printed.
func run(t *testing.T, python string, args ...string) (string, error) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), python, args...).CombinedOutput()
	return string(out), err
}

func TestTrainerLearnsTheDigits(t *testing.T) {
	for _, version := range []string{"5.3.1", "7.1.0", "8.1.0"} {
		t.Run("redis-py "+version, func(t *testing.T) {
			server := testkit.Redis(t)
			python := testkit.Python(t, "numpy", "redis=="+version)
			if out, err := run(t, python, "-c", fill, server.URL()); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			log := filepath.Join(t.TempDir(), "reads.jsonl")
			const epochs = 2
			out, err := run(t, python, "train.py", "--url", server.URL(), "--epochs", fmt.Sprint(epochs), "--log", log)
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			var accuracy float64
			_, last, _ := strings.Cut(out, "held-out accuracy ")
			if _, err := fmt.Sscan(last, &accuracy); err != nil || accuracy <= 90 {
				t.Errorf("held-out accuracy is %v %%, want over 90:\n%s", accuracy, out)
			}
			if n := strings.Count(out, "hit ratio n/a (not Forebay)"); n != epochs {
				t.Errorf("%d of %d epochs say that this is no Forebay:\n%s", n, epochs, out)
			}
			checkLog(t, log, epochs)
			server.Do(t, "DEL", "digits:train:700")
			out, err = run(t, python, "train.py", "--url", server.URL(), "--epochs", "1")
			if err == nil || !strings.HasPrefix(out[strings.LastIndex(out[:len(out)-1], "\n")+1:], "train.py: there is no digits:train:700.") {
				t.Errorf("with a key missing: %v\n%s", err, out)
			}
			server.Stop()
			out, err = run(t, python, "train.py", "--url", server.URL(), "--epochs", "1")
			if err == nil || !strings.HasPrefix(out, "train.py: cannot reach redis://") || strings.Contains(out, "Traceback") {
				t.Errorf("without a server: %v\n%s", err, out)
			}
		})
	}
}

// checkLog wants each training key once an epoch and each test key once.
func checkLog(t *testing.T, name string, epochs int) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	reads := map[string]int{}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		var read struct {
			Key   string `json:"key"`
			Bytes int    `json:"bytes"`
		}
		if err := json.Unmarshal(lines.Bytes(), &read); err != nil || read.Bytes < 64 {
			t.Fatalf("line %q: %v", lines.Text(), err)
		}
		reads[read.Key]++
	}
	want := map[string]int{}
	for split, n := range map[string]struct{ samples, times int }{"train": {1437, epochs}, "test": {360, 1}} {
		for i := range n.samples {
			want[fmt.Sprintf("digits:%s:%d", split, i)] = n.times
		}
	}
	for key, times := range want {
		if reads[key] != times {
			t.Fatalf("%s was read %d times, want %d", key, reads[key], times)
		}
	}
	if len(reads) != len(want) {
		t.Errorf("%d keys were read, want %d", len(reads), len(want))
	}
}
