package cache_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"
)

// tapes is how many random worlds are played beside those that rapid draws (and, where one fails, makes small).
const tapes = 1500

// A read never gives a version older than one that was written to the end before the read began; and when all is quiet, neither Redis
// nor the source gives anything but the last.
func TestReadsAreNeverStale(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		tape := rapid.SliceOfN(rapid.Byte(), 20, 250).Draw(rt, "tape")
		if problem, steps := playWorld(t, tape, rules{}); problem != "" {
			rt.Fatalf("%s\n%s", problem, strings.Join(steps, "\n"))
		}
	})
	for seed := range uint64(tapes) {
		if problem, steps := playWorld(t, randomTape(seed), rules{}); problem != "" {
			t.Fatalf("seed %d: %s\n%s", seed, problem, strings.Join(steps, "\n"))
		}
	}
}

// The model is worth something: it sees what goes wrong without the rules that the engine depends on others for.
func TestTheModelSeesBrokenRules(t *testing.T) {
	for name, r := range map[string]rules{
		"writers do not fence":                  {noFence: true},
		"fills overwrite what is there (no NX)": {overwrite: true},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(tapes) { // of those that overwrite, one short world in 500 shows it, and one long one in 125
				for _, tape := range [][]byte{randomTape(seed), longTape(seed)} {
					if problem, _ := playWorld(t, tape, r); problem != "" {
						t.Logf("seed %d: %s", seed, problem)
						return
					}
				}
			}
			t.Errorf("%d worlds saw nothing wrong", 2*tapes)
		})
	}
}

// The same where misses read their partition ahead: the keys are each other's neighbours.
func TestReadsAheadAreNeverStale(t *testing.T) {
	for seed := range uint64(tapes) {
		if problem, steps := playWorld(t, randomTape(seed), rules{ahead: true}); problem != "" {
			t.Fatalf("seed %d: %s\n%s", seed, problem, strings.Join(steps, "\n"))
		}
	}
}

// The same where values age: they are refreshed behind the reads, and served when they are old and cannot be.
func TestReadsOfOldValuesAreRight(t *testing.T) {
	if problem := overwritten(t); problem == "" {
		t.Error("refreshes that nothing holds back are not seen")
	}
	old := 0
	for seed := range uint64(tapes / 4) {
		problem, steps := playWorld(t, longTape(seed), rules{aged: true})
		if problem != "" {
			t.Fatalf("seed %d: %s\n%s", seed, problem, strings.Join(steps, "\n"))
		}
		old += strings.Count(strings.Join(steps, "\n"), " stale")
	}
	if old < 20 {
		t.Errorf("only %d old values were served", old)
	}
}

// longTape is one in which values grow old.
func longTape(seed uint64) []byte {
	return slices.Concat(randomTape(4*seed), randomTape(4*seed+1), randomTape(4*seed+2), randomTape(4*seed+3))
}

// overwritten plays worlds in which what is loaded is stored whatever is there, whoever has the lease and whoever writes, until one sees it: one in thirty does. Of
// worlds in which only one of these rules is broken, one in several hundred sees it, which chance may miss.
func overwritten(t *testing.T) (problem string) {
	t.Helper()
	for seed := uint64(0); seed < tapes && problem == ""; seed++ {
		problem, _ = playWorld(t, longTape(seed), rules{aged: true, noFence: true, overwrite: true, leaseless: true})
	}
	return problem
}

func randomTape(seed uint64) []byte {
	random := rand.New(rand.NewPCG(seed, 1))
	tape := make([]byte, 100+random.IntN(200))
	for i := range tape {
		tape[i] = byte(random.Uint32())
	}
	return tape
}

func playWorld(t *testing.T, tape []byte, r rules) (problem string, steps []string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, tape, r)
		problem, steps = w.run(), w.steps
	})
	return problem, steps
}
