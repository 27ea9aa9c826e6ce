package cassandra

import (
	"context"
	"sync"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// fetched is the answer to the query of one page.
type fetched struct {
	iter *gocql.Iter
	err  error
}

func fetch(ctx context.Context, q *gocql.Query) fetched {
	iter := q.IterContext(ctx)
	var err error
	if iter.NumRows() == 0 { // Close is the only way to the error, and ends the iterator
		err = iter.Close()
	}
	return fetched{iter, err}
}

// fetch runs the query that build makes, and, if Options.SpeculateAfter is over before its answer, another, of another replica; the first answer counts. An
// error counts if it is that of both, or comes before the second is sent.
//
// The driver's own speculative execution (v2.1.2) takes whatever ends first: with no second replica up, that is the error that there is none, and
// every query fails that takes longer than the delay (TestSpeculationWithOneReplica).
//
// The caller is one of s.calls.
func (s *Source) fetch(ctx context.Context, sess *session, build func() *gocql.Query) fetched {
	if sess.second == nil {
		return fetch(ctx, build())
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the slower one
	answers := make(chan fetched, 2)
	ask := func(q *gocql.Query, ended func()) {
		s.calls.Add(1)
		go func() {
			defer s.calls.Done()
			defer ended()
			answers <- fetch(ctx, q)
		}()
	}
	ask(build(), func() {})
	timer := time.NewTimer(s.options.SpeculateAfter)
	defer timer.Stop()
	select {
	case first := <-answers:
		return first
	case <-timer.C:
	}
	other := build()
	sess.second.mark(other)
	ask(other, func() { sess.second.unmark(other) })
	first := <-answers
	if first.err == nil {
		return first
	}
	if second := <-answers; second.err == nil {
		return second
	}
	return first
}

// secondChoice picks for marked queries what the policy inside it would pick second: for one of the token-aware policy, without shuffling, the other
// replica than that which was asked first.
type secondChoice struct {
	gocql.HostSelectionPolicy
	marked sync.Map // *gocql.Query → struct{}
}

func (p *secondChoice) mark(q *gocql.Query)   { p.marked.Store(q, struct{}{}) }
func (p *secondChoice) unmark(q *gocql.Query) { p.marked.Delete(q) }

// Pick implements gocql.HostSelectionPolicy.
func (p *secondChoice) Pick(q gocql.ExecutableStatement) gocql.NextHost {
	next := p.HostSelectionPolicy.Pick(q)
	if q == nil {
		return next
	}
	if of, ok := q.Statement().(*gocql.Query); ok {
		if _, ok := p.marked.Load(of); ok {
			next()
		}
	}
	return next
}
