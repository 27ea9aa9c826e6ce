package guard

import (
	"fmt"
	"sync"
	"time"
)

// reason says why a query was refused.
type reason uint8

const (
	overloaded reason = iota
	broken
	reasons
)

const (
	// recently is how far back Health looks, in seconds.
	recently = 10
	// slowAfter is the mean time of recent queries from which on the source is called slow: a sixth of the usual budget, and far above what a row takes.
	slowAfter = 500 * time.Millisecond
)

// recent counts what became of queries, a second each. The zero value is ready.
type recent struct {
	mu      sync.Mutex
	seconds [recently]second
	refused [reasons]int64 // since the start
}

// second is one second's counts.
type second struct {
	at      int64 // Unix; what is older is of no interest
	said    int   // queries that say something of the source
	failed  int   // of those
	refused int   // of those: the source would not run them
	took    time.Duration
	shed    [reasons]int // queries that were not sent
}

// now is the present second. r.mu is held.
func (r *recent) now() *second {
	at := time.Now().Unix()
	s := &r.seconds[at%recently]
	if s.at != at {
		*s = second{at: at}
	}
	return s
}

func (r *recent) add(out outcome, took time.Duration) {
	if out == nothing {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.now()
	s.said++
	s.took += took
	switch out {
	case fails:
		s.failed++
	case refuses:
		s.refused++
	case nothing, answers:
	}
}

func (r *recent) refuse(why reason) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now().shed[why]++
	r.refused[why]++
}

// sum adds the last seconds up.
func (r *recent) sum() (all second) {
	r.mu.Lock()
	defer r.mu.Unlock()
	oldest := time.Now().Unix() - recently
	for _, s := range r.seconds {
		if s.at <= oldest {
			continue
		}
		all.said += s.said
		all.failed += s.failed
		all.refused += s.refused
		all.took += s.took
		for i := range s.shed {
			all.shed[i] += s.shed[i]
		}
	}
	return all
}

// Health says what is wrong with loads now, or was in the last 10 s; nil: nothing.
func (s *Source) Health() error {
	all := s.recent.sum()
	switch {
	case s.breaker != nil && s.breaker.open():
		left, trying := s.breaker.left()
		if trying {
			return fmt.Errorf("breaker open, one query is trying the source; %d refused in %d s", all.shed[broken], recently)
		}
		return fmt.Errorf("breaker open, the source is tried in %v; %d refused in %d s", left, all.shed[broken], recently)
	case all.shed[overloaded] > 0:
		return fmt.Errorf("overloaded: %d queries refused in %d s, %d wait, %d of %d may be under way at once", all.shed[overloaded], recently,
			s.turns.waiting.Load(), s.turns.limiter.Limit(), s.turns.most)
	case all.failed > 0:
		return fmt.Errorf("%d of %d queries in %d s were not answered", all.failed, all.said, recently)
	case all.refused > 0:
		return fmt.Errorf("%d of %d queries in %d s were answered by an error of the source, which is the same for each asking (see the events)",
			all.refused, all.said, recently)
	case all.said > 0 && all.took/time.Duration(all.said) >= slowAfter:
		return fmt.Errorf("slow: a query takes %v, the mean of %d in %d s; %d of %d may be under way at once",
			(all.took / time.Duration(all.said)).Round(time.Millisecond), all.said, recently, s.turns.limiter.Limit(), s.turns.most)
	}
	return nil
}

// State is what metrics show of a Source.
type State struct {
	Limit, UnderWay, Waiting int   // queries: how many may be under way, are, and wait for their turn
	Overloaded, Broken       int64 // queries refused since the start: the queue was too long; the breaker was open
	Retries                  int64 // since the start
	Open                     bool  // the breaker refuses
}

// State returns the present one. It waits for nothing.
func (s *Source) State() State {
	s.recent.mu.Lock()
	refused := s.recent.refused
	s.recent.mu.Unlock()
	st := State{
		Limit: s.turns.limiter.Limit(), UnderWay: s.turns.limiter.Inflight(), Waiting: int(s.turns.waiting.Load()),
		Overloaded: refused[overloaded], Broken: refused[broken], Open: s.breaker != nil && s.breaker.open(),
	}
	if s.options.Retries != nil {
		st.Retries = s.options.Retries.Spent()
	}
	return st
}
