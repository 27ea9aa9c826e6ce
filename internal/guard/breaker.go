package guard

import (
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
)

const (
	// breakerWindow is how far back failures count, breakerLeast how many queries there must have been. Below that, what fails costs little, and
	// says little.
	breakerWindow = 10 * time.Second
	breakerLeast  = 20 // so many in a row are enough, too: of what was well until now, most of the last 10 s was answered
	// pauseJitter keeps several Forebays from trying the source in step.
	pauseJitter = 0.2
)

// breaker opens when most queries fail, and closes when one that tries the source is answered.
//
// A query that tries (half-open) holds the only permit there is, and gives it back by its result alone. One that says nothing of the source must
// not keep it:
//
//  1. The pause is over; P is let through as the one that tries. All others are refused.
//  2. P's caller gives up. Were nothing recorded, the permit would be gone for good, and with it every query that follows.
//  3. So P counts as failed: the breaker opens for another pause, and the next one tries.
//
// Queries that were sent before the breaker opened end at any time after. One that is answered while another tries closes it, which is right; one that
// fails opens it once more, which costs a pause.
type breaker struct {
	of     circuitbreaker.CircuitBreaker[any]
	share  float64
	streak atomic.Int64 // failures in a row
}

func newBreaker(o Options) *breaker {
	log := o.Log
	b := &breaker{share: o.Failures}
	b.of = circuitbreaker.NewBuilder[any]().
		WithFailureRateThreshold(o.Failures, breakerLeast, breakerWindow).
		WithSuccessThreshold(1).
		WithDelay(o.Pause).
		WithJitterFactor(pauseJitter).
		OnStateChanged(func(e circuitbreaker.StateChangedEvent) {
			switch e.NewState {
			case circuitbreaker.OpenState:
				if e.OldState == circuitbreaker.ClosedState {
					m := b.of.Metrics() // the event's own are read without a lock, while queries that fail now are added to them
					log.Warn("queries of the source fail: it is asked no more until one that tries it is answered",
						slog.Uint64("failed", uint64(m.Failures())), slog.Uint64("of", uint64(m.Executions())))
				}
			case circuitbreaker.ClosedState:
				log.Info("the source answers again: it is asked as ever")
			case circuitbreaker.HalfOpenState:
			}
		}).
		Build()
	return b
}

// admit tells whether a query may be sent, and whether it is the one that tries.
func (b *breaker) admit() (probe, ok bool) {
	if !b.of.TryAcquirePermit() {
		return false, false
	}
	return b.of.IsHalfOpen(), true
}

// closed tells that queries pass.
func (b *breaker) closed() bool { return b.of.IsClosed() }

// left is how long the source is not asked; trying: a query is under way to it that tells.
func (b *breaker) left() (left time.Duration, trying bool) {
	left = b.of.RemainingDelay().Round(100 * time.Millisecond)
	return max(left, 100*time.Millisecond), b.of.IsHalfOpen()
}

// open tells that queries are refused now. It is false once the next query would be let through to try, so that a source that nobody asks any more is not
// said to be refused for ever.
func (b *breaker) open() bool {
	switch b.of.State() {
	case circuitbreaker.OpenState:
		return b.of.RemainingDelay() > 0
	case circuitbreaker.HalfOpenState:
		return true
	default:
		return false
	}
}

// end records what became of a query that was let through. failsafe-go judges at each end, also at a success: the one that completes the least number, of
// which the older ones failed, would open the breaker just when the source has come back. That one is not counted.
func (b *breaker) end(probe bool, out outcome) {
	switch {
	case out == answers, out == refuses:
		b.streak.Store(0)
		if m := b.of.Metrics(); b.of.IsClosed() && m.Executions()+1 >= breakerLeast && float64(m.Failures()) >= b.share*float64(m.Executions()+1) {
			return
		}
		b.of.RecordSuccess()
	case out == fails, probe:
		b.of.RecordFailure()
		if b.streak.Add(1) >= breakerLeast && b.of.IsClosed() {
			b.of.Open()
		}
	}
}
