package route_test

import (
	"strings"
	"testing"
	"time"

	"forebay/internal/route"
)

func TestAges(t *testing.T) {
	const s = time.Second
	type at struct {
		left time.Duration
		want route.Age
	}
	for name, tt := range map[string]struct {
		ahead, while, failed time.Duration
		ages                 []at
	}{
		"none":            {0, 0, 0, []at{{0, route.Overdue}, {1, route.Fresh}}},
		"ahead":           {5 * s, 0, 0, []at{{-1, route.Fresh}, {1, route.Aging}, {5 * s, route.Aging}, {6 * s, route.Fresh}}},
		"while":           {0, 2 * s, 0, []at{{0, route.Stale}, {2 * s, route.Stale}, {3 * s, route.Fresh}}},
		"if it fails":     {0, 0, 9 * s, []at{{0, route.Overdue}, {9 * s, route.Overdue}, {10 * s, route.Fresh}}},
		"all":             {5 * s, 2 * s, 9 * s, []at{{7 * s, route.Overdue}, {8 * s, route.Stale}, {9 * s, route.Stale}, {10 * s, route.Aging}, {14 * s, route.Aging}, {15 * s, route.Fresh}}},
		"a longer while":  {0, 9 * s, 2 * s, []at{{0, route.Stale}, {9 * s, route.Stale}, {10 * s, route.Fresh}}},
		"those of no end": {5 * s, 2 * s, 9 * s, []at{{-1, route.Fresh}, {-2, route.Fresh}}},
	} {
		sp := samplesSpec()
		sp.TTL, sp.RefreshAhead, sp.StaleWhileRevalidate, sp.StaleIfError = time.Hour, tt.ahead, tt.while, tt.failed
		r := compile(t, sp).Routes()[0]
		if r.Ages() != (name != "none") || r.Stamps() != r.Ages() || r.Reserve() != tt.ahead+max(tt.while, tt.failed) {
			t.Errorf("%s: ages %v, stamps %v, reserve %v", name, r.Ages(), r.Stamps(), r.Reserve())
		}
		for _, a := range tt.ages {
			if got := r.Age(a.left); r.Ages() && got != a.want {
				t.Errorf("%s: with %v left: age %d, want %d", name, a.left, got, a.want)
			}
		}
	}
}

func TestAgesThatCannotBe(t *testing.T) {
	for want, change := range map[string]func(*route.Spec){
		"refresh_ahead: 55m0s is not below 54m0s":            func(s *route.Spec) { s.Jitter, s.RefreshAhead = 0.1, 55*time.Minute },
		"stale_if_error: has no meaning with sliding":        func(s *route.Spec) { s.Sliding, s.StaleIfError = true, time.Minute },
		"stale_while_revalidate: -1s is below 0":             func(s *route.Spec) { s.StaleWhileRevalidate = -time.Second },
		"stale_while_revalidate: has no meaning with slidin": func(s *route.Spec) { s.Sliding, s.StaleWhileRevalidate = true, time.Minute },
	} {
		s := samplesSpec()
		change(&s)
		if _, err := route.Compile([]route.Spec{s}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
