package guard_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"forebay/backend"
	"forebay/internal/guard"
)

// fail has n queries fail, one after the other.
func fail(t *testing.T, s *guard.Source, n int) {
	t.Helper()
	for range n {
		if _, err := load(t, s, budget); err == nil {
			t.Fatal("a load of a source that is down ends without an error")
		}
	}
}

func wantOpen(t *testing.T, s *guard.Source, open bool) {
	t.Helper()
	if s.State().Open != open {
		t.Errorf("the breaker is open: %v, want %v", !open, open)
	}
}

func TestBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		f.set(backend.ErrSourceDown, time.Millisecond)
		s := guard.New(f, usual())
		fail(t, s, 19)
		wantOpen(t, s, false)
		fail(t, s, 1)
		wantOpen(t, s, true)
		if err := s.Health(); err == nil || !strings.HasPrefix(err.Error(), "breaker open, the source is tried in ") {
			t.Errorf("health: %v", err)
		}
		for range 1000 {
			took, err := load(t, s, budget)
			if took != 0 || !errors.Is(err, backend.ErrSourceDown) || !errors.Is(err, backend.ErrNotAsked) ||
				!strings.Contains(err.Error(), "breaker open, try again in ") {
				t.Fatalf("a load behind an open breaker ends with %v after %v", err, took)
			}
		}
		if n := f.queries(); n != 20 {
			t.Errorf("the source was asked %d times", n)
		}

		time.Sleep(1300 * time.Millisecond) // the pause, and its jitter
		if err := s.Health(); err == nil || !strings.HasPrefix(err.Error(), "20 of 20 queries") {
			t.Errorf("health of a source that nobody asks: %v", err)
		}
		f.set(backend.ErrSourceDown, 100*time.Millisecond)
		for i, e := range loads(t, s, 100, budget) { // one tries
			if e.err == nil || !errors.Is(e.err, backend.ErrNotAsked) && e.took != 100*time.Millisecond {
				t.Errorf("load %d ended with %v after %v", i, e.err, e.took)
			}
		}
		if n := f.queries(); n != 21 {
			t.Errorf("the source was asked %d times, want one more", n)
		}
		wantOpen(t, s, true)

		time.Sleep(1300 * time.Millisecond)
		f.set(nil, time.Millisecond)
		loads(t, s, 1, budget)
		wantOpen(t, s, false)
		for _, e := range loads(t, s, 100, budget) {
			if e.err != nil {
				t.Fatalf("a load after the source has come back: %v", e.err)
			}
		}
		if st := s.State(); st.Broken != 1000+99 || st.Overloaded != 0 {
			t.Errorf("the state is %+v", st)
		}
	})
}

// What waits for its turn while the breaker opens is not sent.
func TestTheBreakerOpensForThoseWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		f.set(backend.ErrSourceTimeout, 2*time.Second)
		s := guard.New(f, usual())
		asked, refused := 0, 0
		for _, e := range loads(t, s, 1000, budget) {
			switch {
			case errors.Is(e.err, backend.ErrNotAsked) && e.took == 2*time.Second:
				refused++
			case e.took == 2*time.Second, e.took == budget:
				asked++
			default:
				t.Fatalf("a load ended with %v after %v", e.err, e.took)
			}
		}
		// Between the 20th failure and the 64th, turns are passed on.
		if asked > 64+20 || refused != 1000-asked {
			t.Errorf("%d were sent, %d refused", asked, refused)
		}
		if f.most > 64 {
			t.Errorf("%d at once", f.most)
		}
	})
}

// They are refused by the breaker, though there was time for them, and their turns are there for others.
func TestTheBreakerKeepsThoseWhoWaitFromTheirTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		f.set(backend.ErrSourceDown, 100*time.Millisecond)
		s := guard.New(f, usual())
		refused := 0
		for _, e := range loads(t, s, 1000, budget) {
			if errors.Is(e.err, backend.ErrNotAsked) && strings.Contains(e.err.Error(), "breaker open") && e.took == 100*time.Millisecond {
				refused++
			}
		}
		if n := f.queries(); n > 64+20 || refused != 1000-n {
			t.Errorf("%d were sent, %d refused", n, refused)
		}
		time.Sleep(1300 * time.Millisecond)
		f.set(nil, 10*time.Millisecond)
		loads(t, s, 1, budget)
		for _, e := range loads(t, s, 64, budget) {
			if e.err != nil || e.took != 10*time.Millisecond {
				t.Fatalf("a load after the source has come back ended with %v after %v", e.err, e.took)
			}
		}
	})
}

// A receiver that has had enough was given something: the source answers.
func TestATrialWhoseReceiverHasEnough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		f.set(backend.ErrSourceDown, 0)
		s := guard.New(f, usual())
		fail(t, s, 20)
		time.Sleep(1300 * time.Millisecond)
		f.set(nil, 0)
		enough := errors.New("enough")
		if err := s.Load(t.Context(), row(), nil, nil, func(int, backend.Row) error { return enough }); !errors.Is(err, enough) {
			t.Errorf("the one that tries ends with %v", err)
		}
		wantOpen(t, s, false)
	})
}

func TestWhatOpensNoBreaker(t *testing.T) {
	mine := errors.New("the receiver's own")
	for _, test := range []struct {
		name   string
		err    error
		takes  time.Duration
		budget time.Duration
		cancel bool
		each   error
		begins bool // a row comes at once
	}{
		{name: "rows that make no value, queries that are refused", err: backend.ErrSourceInvalid, budget: budget},
		{name: "a table that is not there", err: backend.ErrNoTable, budget: budget},
		{name: "clients that leave", takes: time.Second, budget: budget, cancel: true},
		{name: "queries with next to no time left", takes: time.Second, budget: 100 * time.Millisecond},
		{name: "receivers that have enough", budget: budget, each: mine},
		{name: "more rows than there is time for", takes: time.Hour, budget: budget, begins: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{begins: test.begins}
				f.set(test.err, test.takes)
				s := guard.New(f, usual())
				for range 100 {
					ctx, cancel := context.WithTimeout(t.Context(), test.budget)
					if test.cancel {
						time.AfterFunc(600*time.Millisecond, cancel)
					}
					if err := s.Load(ctx, row(), nil, nil, func(int, backend.Row) error { return test.each }); err == nil {
						t.Error("no error")
					}
					cancel()
				}
				wantOpen(t, s, false)
				if n := f.queries(); n != 100 {
					t.Errorf("the source was asked %d times", n)
				}
			})
		})
	}
}

// A query that was let through to try the source, and is given up, does not keep the others out.
func TestATrialThatIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		f.set(backend.ErrSourceDown, 0)
		s := guard.New(f, usual())
		fail(t, s, 20)
		time.Sleep(1300 * time.Millisecond)
		f.set(nil, time.Hour)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { _ = s.Load(ctx, row(), nil, nil, take) })
		synctest.Wait()
		if err := s.Health(); err == nil || !strings.HasPrefix(err.Error(), "breaker open, one query is trying the source") {
			t.Errorf("health: %v", err)
		}
		if _, err := load(t, s, budget); err == nil || !strings.Contains(err.Error(), "one query is trying the source") {
			t.Errorf("a load beside the one that tries: %v", err)
		}
		cancel()
		wg.Wait()
		f.set(nil, time.Millisecond)
		time.Sleep(1300 * time.Millisecond)
		if _, err := load(t, s, budget); err != nil {
			t.Errorf("the next that tries: %v", err)
		}
		wantOpen(t, s, false)
	})
}

func TestOneNodeOfThreeDownOpensNoBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		s := guard.New(f, usual())
		for i := range 300 {
			f.set(nil, time.Millisecond)
			if i%3 == 0 {
				f.set(backend.ErrSourceTimeout, time.Millisecond)
			}
			_, _ = load(t, s, budget)
		}
		wantOpen(t, s, false)
	})
}

// A source that stops after it has answered thousands is not asked for the 10 s that it takes until most of them are forgotten.
func TestFailuresInARowOpenTheBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		f.set(nil, time.Millisecond)
		s := guard.New(f, usual())
		for range 2000 {
			_, _ = load(t, s, budget)
		}
		f.set(backend.ErrSourceTimeout, 2*time.Second)
		loads(t, s, 64, budget)
		wantOpen(t, s, true)
	})
}

func TestASuccessOpensNoBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		f.set(backend.ErrSourceDown, time.Millisecond)
		s := guard.New(f, usual())
		fail(t, s, 19)
		f.set(nil, time.Millisecond)
		for range 100 {
			if _, err := load(t, s, budget); err != nil {
				t.Fatalf("a load of a source that has come back: %v", err)
			}
		}
		wantOpen(t, s, false)
	})
}

func TestHealthOfWhatIsAnsweredBadly(t *testing.T) {
	for _, test := range []struct {
		name, want string
		err        error
		takes      time.Duration
	}{
		{"slow", "slow: a query takes 800ms, the mean of 4 in 10 s; 64 of 64 may be under way at once", nil, 800 * time.Millisecond},
		{"refused", "4 of 4 queries in 10 s were answered by an error of the source, ", backend.ErrSourceInvalid, 0},
		{"not answered", "4 of 4 queries in 10 s were not answered", backend.ErrSourceTimeout, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{}
			f.set(test.err, test.takes)
			s := guard.New(f, usual())
			loads(t, s, 4, budget)
			if err := s.Health(); err == nil || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("%s: health is %v, want %s", test.name, err, test.want)
			}
		})
	}
}

func TestRetries(t *testing.T) {
	for _, test := range []struct {
		name          string
		share         float64
		queries, want int
	}{
		{"none", 0, 1000, 0},
		{"what there is at the start", 0.1, 0, 10},
		{"a tenth of the queries", 0.1, 50, 15},
		{"saved up, but not without end", 0.1, 10_000, 20},
	} {
		f := &fake{}
		r := guard.NewRetries(test.share)
		s := guard.New(f, guard.Options{Limit: 1, Retries: r})
		for range test.queries {
			_, _ = load(t, s, budget)
		}
		n := 0
		for r.Spend() {
			n++
		}
		if n != test.want || s.State().Retries != int64(n) {
			t.Errorf("%s: %d retries, and the state has %d; want %d", test.name, n, s.State().Retries, test.want)
		}
	}
}
