package event_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"forebay/internal/event"
)

func TestVerifier(t *testing.T) {
	t.Parallel()
	ev := func(seq int) string { return fmt.Sprintf(`{"proxy":"p","boot":1,"seq":%d,"kind":"hit"}`, seq) }
	gap := func(seq, n int) string {
		return fmt.Sprintf(`{"proxy":"p","boot":1,"seq":%d,"kind":"gap","reason":"dropped","count":%d}`, seq, n)
	}
	const other = `{"proxy":"p","boot":1,"seq":2,"kind":"gap","reason":"evicted","count":9}`
	end := func(seq int) string { return fmt.Sprintf(`{"proxy":"p","boot":1,"seq":%d,"kind":"end"}`, seq) }
	tests := map[string]struct {
		lines                            []string
		complete                         bool
		count, dups, lost, missing, open int64
	}{
		"nothing":                    {lines: nil, complete: true},
		"whole":                      {[]string{ev(1), ev(2), end(3)}, true, 3, 0, 0, 0, 0},
		"out of order":               {[]string{end(3), ev(1), ev(2)}, true, 3, 0, 0, 0, 0},
		"open":                       {[]string{ev(1)}, true, 1, 0, 0, 0, 1},
		"repeats":                    {[]string{ev(1), ev(2), ev(1), ev(2), end(3)}, true, 3, 2, 0, 0, 0},
		"hole":                       {[]string{ev(1), ev(4), end(5)}, false, 3, 0, 0, 2, 0},
		"beginning gone":             {[]string{ev(4), end(5)}, false, 2, 0, 0, 3, 0},
		"gap":                        {[]string{ev(1), gap(2, 8), end(10)}, true, 2, 0, 8, 0, 0},
		"gap too short":              {[]string{ev(1), gap(2, 7), end(10)}, false, 2, 0, 7, 1, 0},
		"gap over what came anyway":  {[]string{ev(1), ev(3), gap(2, 8), ev(5), end(10)}, true, 4, 0, 6, 0, 0},
		"gap repeated and longer":    {[]string{gap(1, 3), gap(1, 5), end(6)}, true, 1, 0, 5, 0, 0},
		"gap that is an event":       {[]string{ev(1), other, end(3)}, true, 3, 0, 0, 0, 0},
		"lines after the end":        {[]string{ev(1), end(2), ev(3)}, false, 3, 0, 0, 0, 1},
		"partition said by the line": {[]string{ev(1), `{"proxy":"p","boot":1,"seq":1,"kind":"hit","partition":3}`}, true, 2, 0, 0, 0, 2},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := event.Verify(func(yield func(int, []byte) bool) {
				for _, l := range tt.lines {
					if !yield(0, []byte(l)) {
						return
					}
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			got := []int64{r.Lines, r.Duplicates, r.Lost, r.Missing, r.Open}
			if want := []int64{tt.count, tt.dups, tt.lost, tt.missing, tt.open}; r.Complete() != tt.complete || !slices.Equal(got, want) {
				t.Errorf("complete %v, lines, duplicates, lost, missing, open %v, want %v %v", r.Complete(), got, tt.complete, want)
			}
		})
	}
}

// Against a set of seqs kept one by one.
func TestVerifierAgreesWithCounting(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		var v event.Verifier
		seen, covered := map[int64]bool{}, map[int64]bool{}
		var dups, top int64
		for range rng.IntN(40) + 1 {
			seq, n := rng.Int64N(50)+1, rng.Int64N(6)+1
			l := fmt.Sprintf(`{"seq":%d,"kind":"gap","reason":"dropped","count":%d}`, seq, n)
			if rng.IntN(3) > 0 {
				n = 1
				l = fmt.Sprintf(`{"seq":%d,"kind":"hit"}`, seq)
				if seen[seq] {
					dups++
				}
				seen[seq] = true
			}
			for s := seq; s < seq+n; s++ {
				covered[s] = true
				top = max(top, s)
			}
			if err := v.Add(0, []byte(l)); err != nil {
				t.Fatal(err)
			}
		}
		r := v.Report()
		got := []int64{r.Lines, r.Duplicates, r.Lost, r.Missing, r.Streams[0].Last}
		n := int64(len(seen))
		c := int64(len(covered))
		if want := []int64{n, dups, c - n, top - c, top}; !slices.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
}

func TestVerifierRefusesWhatIsNoEvent(t *testing.T) {
	t.Parallel()
	for _, l := range []string{"", "x", "{}", `{"seq":0,"kind":"hit"}`, `{"seq":1}`, `{"seq":1,"kind":"gap","reason":"dropped"}`} {
		var v event.Verifier
		if err := v.Add(0, []byte(l)); err == nil {
			t.Errorf("Add(%q) took it", l)
		}
	}
}
