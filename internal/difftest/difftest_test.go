package difftest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"forebay/internal/difftest"
	"forebay/internal/testkit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// seeds is how many streams of each kind are played where there is no time to soak.
const seeds = 25

// Random streams get the same replies from Redis and through Forebay.
func TestRandomStreams(t *testing.T) {
	for _, rows := range []string{difftest.NoRows, difftest.RowsPresent, difftest.RowsAbsent} {
		t.Run("rows "+rows, func(t *testing.T) {
			f := start(t, rows != difftest.NoRows)
			from, until := testkit.Soak()
			steps := 0
			seed := from
			for ; seed < from+seeds || time.Now().Before(until); seed++ {
				s, err := difftest.Generate(seed, rows)
				must(t, err)
				steps += len(s.Steps)
				if d := f.play(t, s); d != nil {
					report(t, f, s, d)
				}
			}
			t.Logf("seeds %d to %d, %d commands, %d near hits", from, seed-1, steps, f.near.Stats().Hits)
			if rows == difftest.RowsAbsent && f.near.Stats().Hits == 0 {
				t.Error("nothing was answered from the near copy")
			}
		})
	}
}

// report shrinks a stream that showed a difference, and fails with what is left. A difference that does not come again is told as it was.
func report(t *testing.T, f *front, s *difftest.Stream, d *difftest.Difference) {
	t.Helper()
	t.Logf("seed %d, rows %q: %s", s.Seed, s.Rows, d)
	until := time.Now().Add(time.Minute)
	small := difftest.Shrink(s, 200, func(s *difftest.Stream) bool {
		if time.Now().After(until) {
			return false
		}
		again := f.play(t, s)
		return again != nil && again.Where() == d.Where()
	})
	if d = f.play(t, small); d == nil {
		t.Fatalf("the difference does not come each time; TEST_SEED=%d plays the stream again", s.Seed)
	}
	text := small.String()
	if len(text) > 4000 { // of large values the beginning is shown
		text = fmt.Sprintf("%d steps, TEST_SEED=%d plays it again:\n", len(small.Steps), s.Seed)
		for _, st := range small.Steps[:min(40, len(small.Steps))] {
			text += fmt.Sprintf("%.150s\n", st)
		}
	}
	t.Fatalf("%s\nkeep this in testdata:\n%s", d, text)
}

// Streams that once showed a difference show none now.
func TestFound(t *testing.T) {
	f := start(t, true)
	names, err := filepath.Glob("testdata/*.stream")
	must(t, err)
	if len(names) == 0 {
		t.Fatal("no streams in testdata")
	}
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			text, err := os.ReadFile(name)
			must(t, err)
			s, err := difftest.Parse(string(text))
			must(t, err)
			if d := f.play(t, s); d != nil {
				t.Fatal(d)
			}
		})
	}
}
