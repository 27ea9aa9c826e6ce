package embedded_test

import (
	"encoding/hex"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"forebay/backend"
	"forebay/backend/embedded"
	"forebay/internal/route"
	"forebay/internal/testkit"
)

// values returns a function that gives a key's value by the default routes over the bundled digits; nil if no row has the key,
// or no route.
func values(t *testing.T) func(key string) []byte {
	t.Helper()
	d, _ := openDigits(t)
	table, err := route.Compile(embedded.DefaultRoutes())
	if err != nil {
		t.Fatal(err)
	}
	if err := table.Bind(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	return func(key string) (value []byte) {
		var m route.Match
		if !table.Match(0, []byte(key), &m) {
			return nil
		}
		l := m.Route.Lookup(&m, []byte(key))
		var in []any
		if l.Select.In != "" {
			in = []any{l.In}
		}
		err := d.Load(t.Context(), l.Select, l.Where, in, func(_ int, row backend.Row) (err error) {
			value, err = m.Route.Value(row)
			return err
		})
		if err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		return value
	}
}

func TestDefaultRoutesGiveEverySample(t *testing.T) {
	value := values(t)
	for split, samples := range map[string]int{"train": 1437, "test": 360} {
		for i := range samples {
			for _, suffix := range []string{"", ":npy"} {
				if key := fmt.Sprintf("digits:%s:%d%s", split, i, suffix); value(key) == nil {
					t.Fatalf("no value for %s", key)
				}
			}
		}
		if key := fmt.Sprintf("digits:%s:%d", split, samples); value(key) != nil {
			t.Errorf("a value for %s, past the end", key)
		}
	}
	for _, key := range []string{"digits:valid:0", "digits:train:x", "digits:train:007", "digits:train:-1", "digits:train:0:jpg"} {
		if value(key) != nil {
			t.Errorf("a value for %s", key)
		}
	}
}

// show prints what NumPy makes of the values that it reads in hex, one a line.
const show = `
import io, pickle, sys
import numpy as np
sample = pickle.loads(bytes.fromhex(sys.stdin.readline()))
image = np.load(io.BytesIO(bytes.fromhex(sys.stdin.readline())), allow_pickle=False)
print(list(sample), type(sample["label"]).__name__, sample["label"], sample["image"].dtype, sample["image"].shape,
      sample["image"].flags.writeable, (sample["image"] == image).all(), image.tobytes().hex())
`

func TestDefaultRoutesAreReadByNumPy(t *testing.T) {
	python := testkit.Python(t, "numpy==1.26.4")
	value := values(t)
	cmd := exec.CommandContext(t.Context(), python, "-c", show)
	cmd.Stdin = strings.NewReader(hex.EncodeToString(value("digits:train:0")) + "\n" + hex.EncodeToString(value("digits:train:0:npy")) + "\n")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got, want := strings.TrimSpace(string(out)), "['image', 'label'] int 0 uint8 (8, 8) True True "+firstTrain; got != want {
		t.Errorf("NumPy reads\n%s, want\n%s", got, want)
	}
}
