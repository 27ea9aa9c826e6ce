package difftest_test

import (
	"reflect"
	"slices"
	"testing"

	"forebay/internal/difftest"
)

// A stream comes back from its text as it was: what is kept in testdata is what was found.
func TestStreamsComeBackFromText(t *testing.T) {
	for _, rows := range []string{difftest.NoRows, difftest.RowsPresent, difftest.RowsAbsent} {
		for seed := range uint64(20) {
			s, err := difftest.Generate(seed, rows)
			must(t, err)
			back, err := difftest.Parse(s.String())
			must(t, err)
			if !reflect.DeepEqual(back, s) {
				t.Fatalf("seed %d, rows %q: not the same", seed, rows)
			}
		}
	}
}

func TestShrinkKeepsWhatIsNeeded(t *testing.T) {
	s, err := difftest.Generate(7, difftest.NoRows)
	must(t, err)
	if len(s.Steps) < 20 {
		t.Fatalf("%d steps", len(s.Steps))
	}
	first, last := s.Steps[3].String(), s.Steps[len(s.Steps)-2].String()
	has := func(s *difftest.Stream, line string) bool {
		return slices.ContainsFunc(s.Steps, func(st difftest.Step) bool { return st.String() == line })
	}
	small := difftest.Shrink(s, 2000, func(s *difftest.Stream) bool { return has(s, first) && has(s, last) })
	if len(small.Steps) != 2 {
		t.Errorf("%d steps are left of %d, want 2", len(small.Steps), len(s.Steps))
	}
}

// Whatever text is read comes back as it was read.
func FuzzParse(f *testing.F) {
	f.Add("seed 3\nrows absent\n0 SET k \"v w\"\n-\n1 ~ GET k\n0 ! \"PING\\r\\n\"\n")
	f.Add("0 \"\"")
	f.Add("0 ~ ! \"\"")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := difftest.Parse(text)
		if err != nil {
			return
		}
		back, err := difftest.Parse(s.String())
		if err != nil || back.String() != s.String() {
			t.Fatalf("%q came back as %q, %v", s, back, err)
		}
	})
}
