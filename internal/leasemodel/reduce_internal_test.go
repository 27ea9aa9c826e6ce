package leasemodel

import (
	"cmp"
	"hash/maphash"
	"maps"
	"slices"
	"testing"
	"time"

	"forebay/internal/testkit"
)

// view is what of a state concerns anybody but Forebay.
type view struct {
	value      Value
	row, floor uint8
	readers    [maxReaders]reader
	writers    [maxWriters]writer
}

// views are those of all states of a scenario.
func views(sc Scenario) (all map[view]bool, states int) {
	x := &steps{Scenario: &sc, seed: maphash.MakeSeed(), reduces: !sc.Whole}
	all, seen := map[view]bool{}, map[uint64]bool{}
	s, h := x.canonical(new(sc.begin()))
	seen[h] = true
	for todo := []state{s}; len(todo) > 0; {
		s, todo = todo[len(todo)-1], todo[:len(todo)-1]
		all[s.view()] = true
		for _, m := range x.next(&s) {
			if c, h := x.canonical(&m.state); !seen[h] {
				seen[h] = true
				todo = append(todo, c)
			}
		}
	}
	return all, len(seen)
}

func (s *state) view() view {
	v := view{value: s.redis.Value, row: s.row, floor: s.floor}
	now := bit(Row(s.row)) // and what Redis holds: that they have seen others may be forgotten
	if s.redis.Value != 0 {
		now |= bit(s.redis.Value)
	}
	for i, r := range s.readers {
		v.readers[i] = reader{phase: min(r.phase, rMissed), seen: r.seen & now}
		if r.phase == rDone {
			v.readers[i].phase = rDone
		}
	}
	for i, w := range s.writers {
		v.writers[i] = writer{kind: w.kind, phase: w.phase, version: w.version}
		if w.phase > wDrop && w.phase < wDone { // how far it is is Forebay's
			v.writers[i].phase = wWrite
		}
	}
	slices.SortFunc(v.readers[:], func(a, b reader) int { return cmp.Compare(a.key(), b.key()) })
	slices.SortFunc(v.writers[:], func(a, b writer) int { return cmp.Compare(a.key(), b.key()) })
	return v
}

// What is forgotten of states changes nothing that anybody sees.
func TestReduction(t *testing.T) {
	list := []Scenario{
		{Name: "update", Readers: 1, Writers: []Write{Update}, Absent: 1, Crashes: 1},
		{Name: "unknown keys, a break", Readers: 1, Writers: []Write{Unknown}, Breaks: 1},
		{Name: "SET, a refresh", Readers: 1, Writers: []Write{SetOnly}, Refreshes: 1},
		{Name: "a row that goes, a refresh, a crash", Readers: 1, Writers: []Write{Update}, Absent: 2, Refreshes: 1, Crashes: 1},
		{Name: "two readers", Readers: 2, Writers: []Write{Update}, Absent: 1},
	}
	if _, until := testkit.Soak(); time.Now().Before(until) {
		list = append(
			list,
			Scenario{Name: "two readers, a crash", Readers: 2, Writers: []Write{Unknown}, Crashes: 1},
			Scenario{Name: "reading ahead", Readers: 1, Writers: []Write{Update}, Aheads: 1},
			Scenario{Name: "reading ahead, a break", Readers: 1, Writers: []Write{Update}, Aheads: 1, Breaks: 1},
		)
	}
	for _, sc := range list {
		t.Run(sc.Name, func(t *testing.T) {
			reduced, few := views(sc)
			sc.Whole = true
			whole, many := views(sc)
			t.Logf("%d states instead of %d, of %d views", few, many, len(whole))
			if !maps.Equal(reduced, whole) {
				t.Errorf("%d views of the reduced states", len(reduced))
			}
		})
	}
}

// Where a rule is broken that the reductions do not reason with, the same is wrong with them and without.
func TestReductionHidesNothing(t *testing.T) {
	two := []Write{Update, Unknown}
	for name, sc := range map[string]Scenario{
		"leases are not dropped":            {Readers: 2, Writers: two, Rules: Rules{NoDrop: true}},
		"… of what is refreshed":            {Readers: 1, Writers: two, Refreshes: 1, Crashes: 1, Rules: Rules{NoDrop: true}},
		"a write is forwarded all the same": {Readers: 2, Writers: two, Rules: Rules{WriteUndropped: true}},
		"an unheard fill is handed out":     {Readers: 2, Writers: two, Breaks: 1, Rules: Rules{HandOutUnheard: true}},
		"a fill replaces what is there":     {Readers: 1, Writers: []Write{SetOnly}, Rules: Rules{Overwrite: true}},
		"a refresh replaces what it is not": {Readers: 1, Writers: []Write{SetOnly}, Refreshes: 1, Rules: Rules{NoDigest: true}},
	} {
		t.Run(name, func(t *testing.T) {
			whole, reduced := sc.explore(1<<22, false), sc.explore(1<<22, true)
			t.Logf("%q in %d states, with reductions in %d", whole.Problem, whole.States, reduced.States)
			if whole.Problem == "" || whole.Problem != reduced.Problem {
				t.Errorf("with reductions: %q, without: %q", reduced.Problem, whole.Problem)
			}
		})
	}
}
