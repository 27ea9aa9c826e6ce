package invalidation_test

import (
	"context"
	"slices"
	"sync"
	"testing"

	"forebay/backend"
	"forebay/internal/invalidation"
	"forebay/internal/testkit"
)

// positions is one partition's, as Redis keeps it.
type positions struct {
	mu   sync.Mutex
	kept int64 // negative: none
	down bool
}

func (p *positions) Position(context.Context, string, int) (int64, bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.kept, p.kept >= 0, nil
}

func (p *positions) Advance(_ context.Context, _ string, _ int, was, offset int64) (int64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down {
		return 0, backend.ErrStoreDown
	}
	if p.kept < 0 || p.kept >= was && p.kept < offset {
		p.kept = offset
	}
	return p.kept, nil
}

func record(value string) []invalidation.Record {
	return []invalidation.Record{{Value: []byte(value)}}
}

func TestPositionFollowsWhatIsApplied(t *testing.T) {
	s, p := &store{keys: map[string]bool{}}, &positions{kept: -1}
	q := invalidation.New(invalidation.Options{Store: s, Loads: fences{}, Routes: table(t)})
	topic := &invalidation.Topic{Name: "x", Queue: q, Positions: p, Log: testkit.Log(t)}
	take := func(records []invalidation.Record, next, from, kept int64) {
		t.Helper()
		got, err := topic.Take(t.Context(), 0, records, next)
		if err != nil || got != from || p.kept != kept {
			t.Fatalf("goes on from %d (%v) with %d kept, want %d with %d", got, err, p.kept, from, kept)
		}
	}
	take(nil, 7, 7, 7)             // begun at the end
	take(record("t:1"), 8, 8, 8)   // applied
	take(record("{oops"), 9, 9, 9) // not understood: no reason to stay
	s.is(true)
	p.down = true
	take(record("t:2"), 10, 10, 9) // kept in memory only
	p.down = false
	take(record("t:3"), 11, 11, 9) // not before all is applied
	s.is(false)
	if err := q.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	take(record("t:4"), 12, 12, 12)
	p.kept = 5 // restored from a snapshot
	take(record("t:5"), 13, 5, 5)
	take(record("t:2"), 6, 6, 6)
	p.kept = 20 // another proxy is ahead
	take(record("t:2"), 7, 7, 20)
	p.kept = -1 // emptied
	take(record("t:2"), 8, 8, 8)
}

func TestLostRecordsDropEverything(t *testing.T) {
	s := &store{keys: map[string]bool{}}
	s.set("t:1", "u:1:x", "other")
	q := invalidation.New(invalidation.Options{Store: s, Loads: fences{}, Routes: table(t)})
	topic := &invalidation.Topic{Name: "x", Queue: q, Positions: &positions{}, Log: testkit.Log(t)}
	if err := topic.Lost(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if got := s.left(); !slices.Equal(got, []string{"other"}) {
		t.Errorf("left: %v", got)
	}
}
