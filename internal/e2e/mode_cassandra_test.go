package e2e_test

import (
	"strings"
	"testing"
	"time"
)

func TestModesOfCassandra(t *testing.T) {
	t.Parallel()
	s := newModeStack(t, "")
	if r := ask(s.client(t), row(0)...); r.word != "value" {
		t.Fatalf("GET answers %s", r.word)
	}
	t.Run("slow", s.sourceSlow)
	t.Run("limited by tombstones", s.sourceTombstones)
	t.Run("overloaded", s.sourceOverloaded)
	t.Run("does not answer", s.sourceSilent)
	t.Run("neither does redis", s.bothSilent)
}

// sourceSlow: misses take their time, and are answered.
func (s *modeStack) sourceSlow(t *testing.T) {
	s.toSource.Delay(350 * time.Millisecond)
	list := s.askAll(t, 64, func(i int) []any { return row(100 + i) })
	wantWords(t, "misses", list, inTime, "value")
	s.wantLine(t, "loads", "slow: a query takes ")
	if n := s.metric(t, `forebay_loads_refused_total{reason="overloaded"}`); n != 0 {
		t.Errorf("%v queries were refused of a source that is slow and not asked for much", n)
	}
	s.toSource.Restore()
	s.wantLoads(t, 99)
}

// sourceOverloaded: what cannot be answered in time is refused at once; what is answered is right, and in time; hits go on.
func (s *modeStack) sourceOverloaded(t *testing.T) {
	s.toSource.Delay(350 * time.Millisecond)
	defer s.toSource.Restore()
	hits := s.read(t, 1, func(int, int) []any { return row(0) })
	first := s.askAll(t, 64, func(i int) []any { return row(200 + i) }) // from now on it is known how long a query takes
	wantWords(t, "first misses", first, inTime, "value")
	list := s.askAll(t, 1000, func(i int) []any { return row(300 + i) })
	wantWords(t, "a thousand misses", list, inTime, "value", "SOURCEDOWN", "SOURCETIMEOUT")
	answered, refused, quick := 0, 0, 0
	for _, r := range list {
		switch r.word {
		case "value":
			answered++
		case "SOURCEDOWN":
			refused++
			if r.took < 2*time.Second {
				quick++
			}
		}
	}
	// A busy machine may need a second for a thousand commands.
	if answered < 64 || refused < 400 || quick < refused*3/4 {
		t.Errorf("%d are answered and %d refused, %d of those in two seconds", answered, refused, quick)
	}
	s.wantLine(t, "loads", "overloaded: ")
	s.wantMore(t, `forebay_loads_refused_total{reason="overloaded"}`, 399)
	if n := s.metric(t, "forebay_breaker_open"); n != 0 {
		t.Error("the breaker is open, though all that was asked was answered")
	}
	wantWords(t, "hits meanwhile", hits.stop(), inTime, "value")
	s.toSource.Restore()
	s.wantLoads(t, 98)
}

// sourceTombstones: the key that cannot be read gets an error that says so each time; nothing else does.
func (s *modeStack) sourceTombstones(t *testing.T) {
	c := s.client(t)
	failed := s.metric(t, `forebay_loads_total{result="error",route="graves"}`)
	for range 30 {
		err := c.Get(t.Context(), "grave:1").Err()
		if err == nil || !strings.HasPrefix(err.Error(), "SOURCEINVALID ") || len(err.Error()) > 400 {
			t.Fatalf("a partition of deleted cells gives %v", err)
		}
	}
	t.Log(c.Get(t.Context(), "grave:1").Err())
	wantWords(t, "an empty partition of the same", []reading{ask(c, "GET", "grave:2")}, inTime, "nil")
	wantWords(t, "another route", []reading{ask(c, row(97)...)}, inTime, "value")
	s.wantLine(t, "loads", "answered by an error of the source")
	s.wantMore(t, `forebay_loads_total{result="error",route="graves"}`, failed+30)
	if n := s.metric(t, "forebay_breaker_open"); n != 0 {
		t.Error("a partition that cannot be read has opened the breaker")
	}
}

// sourceSilent: connections stay, nothing is answered. After the first misses have waited, the breaker spares the others that.
func (s *modeStack) sourceSilent(t *testing.T) {
	hits := s.read(t, 1, func(int, int) []any { return row(0) })
	refused := s.metric(t, `forebay_loads_refused_total{reason="breaker"}`)
	s.toSource.HalfOpen()
	first := s.askAll(t, 40, func(i int) []any { return row(1400 + i) })
	wantWords(t, "the first misses", first, inTime, "SOURCETIMEOUT", "SOURCEDOWN")
	// The rest of this second the source is not asked; one query tries it then, and waits.
	next := s.askAll(t, 40, func(i int) []any { return row(1500 + i) })
	wantWords(t, "the next", next, inTime, "SOURCEDOWN", "SOURCETIMEOUT")
	quick := 0
	for _, r := range next {
		if r.word == "SOURCEDOWN" && r.took < 500*time.Millisecond {
			quick++
		}
	}
	if quick < len(next)/2 {
		t.Errorf("%d of %d misses are refused at once", quick, len(next))
	}
	s.wantMore(t, `forebay_loads_refused_total{reason="breaker"}`, refused)
	misses := s.read(t, 2, func(reader, i int) []any { return row(1600 + reader*100 + i%100) })
	s.wantLine(t, "loads", "breaker open")
	s.wantLine(t, "cassandra", "source timeout")
	s.awaitMetrics(t, "forebay_breaker_open 1", `forebay_backend_up{backend="cassandra"} 0`)
	wantWords(t, "misses meanwhile", misses.stop(), inTime, "SOURCEDOWN", "SOURCETIMEOUT")
	wantWords(t, "hits meanwhile", hits.stop(), inTime, "value")
	s.toSource.Restore()
	s.wantLoads(t, 96)
	s.awaitMetrics(t, "forebay_breaker_open 0", `forebay_backend_up{backend="cassandra"} 1`)
}

// bothSilent: nothing can be answered, and balancers are told.
func (s *modeStack) bothSilent(t *testing.T) {
	s.toSource.Cut()
	s.toRedis.Cut()
	s.wantLine(t, "reads", "ask redis")
	for path, want := range map[string]string{"/readyz": "reads: ", "/healthz": `"status": "down"`} {
		if a := s.get(t, path); a.status != 503 || !strings.Contains(a.body, want) {
			t.Errorf("%s answers %d: %s", path, a.status, a.body)
		}
	}
	wantWords(t, "a read", []reading{ask(s.client(t), row(0)...)}, inTime, "SOURCEDOWN", "REDISDOWN")
	wantWords(t, "a write", []reading{ask(s.client(t), "SET", "x", 1)}, inTime, "REDISDOWN")
	s.awaitMetrics(t, `forebay_backend_up{backend="redis"} 0`, `forebay_backend_up{backend="cassandra"} 0`)
	s.toSource.Restore()
	s.toRedis.Restore()
	s.wantWell(t, 95)
}
