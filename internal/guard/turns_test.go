package guard_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"forebay/backend"
	"forebay/internal/guard"
)

// budget is what a request has.
const budget = 3 * time.Second

func TestNormalUseIsNeverRefused(t *testing.T) {
	for _, test := range []struct {
		name        string
		n           int
		takes, want time.Duration
	}{
		{"a cold MGET of 64 partitions does not even wait", 64, 20 * time.Millisecond, 20 * time.Millisecond},
		{"a thousand clients on cold keys wait for their turns", 1000, 5 * time.Millisecond, 80 * time.Millisecond},
		{"a thousand of them of a source that is far from quick", 1000, 150 * time.Millisecond, 2400 * time.Millisecond},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{}
				f.set(nil, test.takes)
				s := guard.New(f, usual())
				for range 3 { // once it knows how long a query takes, too
					longest := time.Duration(0)
					for _, e := range loads(t, s, test.n, budget) {
						if e.err != nil {
							t.Fatalf("a load ended with %v after %v", e.err, e.took)
						}
						longest = max(longest, e.took)
					}
					if longest != test.want {
						t.Errorf("the longest load took %v, want %v", longest, test.want)
					}
				}
				if want := min(test.n, 64); f.most != want {
					t.Errorf("%d queries were under way at once, want %d", f.most, want)
				}
				if err := s.Health(); err != nil {
					t.Errorf("health: %v", err)
				}
			})
		})
	}
}

func TestWhatCannotBeAnsweredInTimeIsRefusedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		f.set(nil, 480*time.Millisecond)
		s := guard.New(f, guard.Options{Limit: 64})
		loads(t, s, 8, budget) // so many tell how long they take
		answered, refused := 0, 0
		for _, e := range loads(t, s, 2000, budget) {
			switch {
			case e.err == nil && e.took <= budget:
				answered++
			case errors.Is(e.err, backend.ErrNotAsked) && errors.Is(e.err, backend.ErrSourceDown) && e.took == 0 &&
				strings.Contains(e.err.Error(), "overloaded, "):
				refused++
			default:
				t.Fatalf("a load ended with %v after %v", e.err, e.took)
			}
		}
		if answered != 64*6 || refused != 2000-answered { // 64 each 480 ms
			t.Errorf("%d were answered and %d refused", answered, refused)
		}
		if st := s.State(); st.Overloaded != int64(refused) || st.Waiting != 0 || st.UnderWay != 0 {
			t.Errorf("the state is %+v", st)
		}
		if err := s.Health(); err == nil || !strings.HasPrefix(err.Error(), fmt.Sprintf("overloaded: %d queries refused in 10 s, ", refused)) {
			t.Errorf("health: %v", err)
		}
		time.Sleep(11 * time.Second)
		if err := s.Health(); err != nil {
			t.Errorf("health, long after: %v", err)
		}
	})
}

// A source becomes slower while queries wait for it, and goes on answering. Who has waited too long is not sent in vain, and the breaker stays closed.
func TestASourceThatBecomesSlowerIsNotOneThatFails(t *testing.T) {
	for _, test := range []struct {
		name       string
		then       time.Duration // what queries take after the first 64 of the thousand
		needed     time.Duration // what those take
		sent, most int           // how many are sent, at least and at most, beside those
	}{
		{"so much that nobody else is answered", 2100 * time.Millisecond, 2100 * time.Millisecond, 0, 8},
		{"so that the next round is just too late", 900 * time.Millisecond, 1400 * time.Millisecond, 0, 64},
		{"a little", 720 * time.Millisecond, 720 * time.Millisecond, 3 * 64, 3 * 64},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{}
				f.set(nil, 700*time.Millisecond)
				s := guard.New(f, usual())
				loads(t, s, 64, budget)
				before := f.queries()
				f.set(nil, test.needed)
				time.AfterFunc(test.needed/2, func() { f.set(nil, test.then) })
				answered := 0
				for _, e := range loads(t, s, 1000, budget) {
					switch {
					case e.err == nil:
						answered++
					case errors.Is(e.err, backend.ErrSourceDown) && !errors.Is(e.err, backend.ErrNotAsked):
						t.Fatalf("a load ended with %v after %v", e.err, e.took)
					}
				}
				sent := f.queries() - before
				if answered < 64 || sent < 64+test.sent || sent > 64+test.most {
					t.Errorf("%d were answered and %d sent", answered, sent)
				}
				wantOpen(t, s, false)
			})
		})
	}
}

// However slow a source is known to be, one that answers nothing any more is found out.
func TestASlowSourceThatStopsIsOneThatFails(t *testing.T) {
	for _, pace := range []time.Duration{300 * time.Millisecond, time.Second, 2500 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{}
			f.set(nil, pace)
			s := guard.New(f, usual())
			loads(t, s, 64, budget)
			f.set(nil, time.Hour)
			for range 25 { // one after the other: what they take is learned
				_, _ = load(t, s, budget)
			}
			wantOpen(t, s, true)
		})
	}
}

// One query that took long, or those that were not answered before the source came back, do not have what comes then refused.
func TestNobodyIsRefusedForWhatIsOver(t *testing.T) {
	for name, before := range map[string]func(*testing.T, *fake, *guard.Source){
		"the first query wakes the source": func(t *testing.T, f *fake, s *guard.Source) {
			f.set(nil, 400*time.Millisecond)
			loads(t, s, 1, budget)
		},
		"the source is back": func(t *testing.T, f *fake, s *guard.Source) {
			f.set(backend.ErrSourceTimeout, 2*time.Second)
			loads(t, s, 64, budget)
			wantOpen(t, s, true)
			time.Sleep(1300 * time.Millisecond)
			f.set(nil, 5*time.Millisecond)
			loads(t, s, 1, budget)
			wantOpen(t, s, false)
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{}
			s := guard.New(f, usual())
			before(t, f, s)
			f.set(nil, 5*time.Millisecond)
			for _, e := range loads(t, s, 1000, budget) {
				if e.err != nil {
					t.Fatalf("%s: a load ended with %v after %v", name, e.err, e.took)
				}
			}
		})
	}
}

// How long a whole partition takes says how much it brings: it makes no row wait in vain, and the limit stays.
func TestPartitionsAreNoMeasure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		s := guard.New(f, usual())
		pace := func(n int, q *backend.Select, takes time.Duration) {
			f.set(nil, takes)
			var wg sync.WaitGroup
			for range n {
				wg.Go(func() {
					ctx, cancel := context.WithTimeout(t.Context(), budget)
					defer cancel()
					if err := s.Load(ctx, q, nil, nil, take); err != nil {
						t.Errorf("a load ended with %v", err)
					}
				})
			}
			wg.Wait()
		}
		for range 40 {
			pace(64, row(), 5*time.Millisecond)
			pace(64, &backend.Select{Columns: []string{"data"}, Where: []string{"part"}, MaxRows: 1024}, 2*time.Second)
		}
		pace(1000, row(), 5*time.Millisecond)
		if n := s.State().Limit; n != 64 {
			t.Errorf("the limit is %d", n)
		}
	})
}

func TestWaitsEndWithTheirBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		f.set(nil, time.Hour)
		s := guard.New(f, guard.Options{Limit: 1})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { _ = s.Load(ctx, row(), nil, nil, take) })
		synctest.Wait()
		wg.Go(func() {
			took, err := load(t, s, budget)
			if took != budget || !errors.Is(err, backend.ErrSourceTimeout) || !errors.Is(err, backend.ErrNotAsked) {
				t.Errorf("one that waits ends with %v after %v", err, took)
			}
		})
		gone, leave := context.WithCancel(t.Context())
		wg.Go(func() {
			if err := s.Load(gone, row(), nil, nil, take); !errors.Is(err, context.Canceled) {
				t.Errorf("one whose client leaves ends with %v", err)
			}
		})
		synctest.Wait()
		leave()
		time.Sleep(budget + time.Second)
		cancel()
		wg.Wait()
		if st := s.State(); st.Overloaded != 1 || st.UnderWay != 0 || st.Waiting != 0 {
			t.Errorf("the state is %+v", st)
		}
	})
}

// A source that has a queue of its own: with more than some queries at once, each takes longer, and none is gained.
func TestTheLimitFollowsTheSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		capacity := 64
		f := &fake{takes: func(now int) time.Duration {
			return 100 * time.Millisecond * time.Duration(max(capacity, now)) / time.Duration(capacity)
		}}
		s := guard.New(f, usual())
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				for ctx.Err() == nil {
					_, _ = load(t, s, budget)
				}
			})
		}
		becomes := func(of, seconds int) (least, last int) {
			f.mu.Lock()
			capacity = of
			f.mu.Unlock()
			least = 64
			for range seconds {
				time.Sleep(time.Second)
				least = min(least, s.State().Limit)
			}
			return least, s.State().Limit
		}
		if least, _ := becomes(64, 20); least != 64 {
			t.Errorf("the limit goes down to %d though the source takes it all", least)
		}
		least, _ := becomes(6, 90)
		if least > 50 || least < 8 {
			t.Errorf("a source of which a tenth is left: the limit is %d at the least", least)
		}
		_, last := becomes(64, 60)
		if last != 64 {
			t.Errorf("a source that has recovered: the limit is %d a minute later", last)
		}
		t.Logf("of 64 the limit went to %d and back to %d", least, last)
		cancel()
		wg.Wait()
	})
}
