package cassandra

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"
)

// Times of the watchdog.
const (
	probeEvery = time.Second            // how long a silent session is trusted
	stuckAfter = 3                      // failed probes in a row, before a new session is tried
	minBackoff = 250 * time.Millisecond // between attempts to connect
	maxBackoff = 2 * time.Second
)

// watch keeps the source connected until ctx ends. It is the only one that makes or replaces sessions.
//
// A session heals itself in most cases: it redials hosts that are down every second. But after every host was
// down it may stay without one for good, so that one that fails several probes is replaced:
//
//  1. A probe fails three times; loads fail meanwhile with ErrSourceDown or ErrSourceTimeout.
//  2. A new session is made beside the old one. That fails as long as the hosts are down.
//  3. The new one is published, and then the old one closed. A load that took the old one before that ends with "connection closed", for which
//     Load asks the new session once.
//
// An old session that heals between 1 and 3 is used by loads all the while, and is closed by 3 like any other.
func (s *Source) watch(ctx context.Context, first chan<- error) {
	defer close(s.watching)
	err := s.connect(ctx)
	first <- err
	backoff, failures, down := minBackoff, 0, err != nil
	log := s.options.logger().With(slog.Any(logHosts, s.options.Hosts))
	if down && ctx.Err() == nil {
		log.Warn("cassandra is not reachable, trying on", slog.Any(logError, err))
	}
	since := time.Now()
	for s.pause(ctx, down, backoff) {
		if s.session.Load() != nil {
			err = s.probe(ctx)
		}
		if err == nil {
			failures = 0
		} else {
			failures++
		}
		if s.session.Load() == nil || failures >= stuckAfter {
			err = s.connect(ctx)
		}
		switch {
		case ctx.Err() != nil:
		case err == nil && down:
			log.Info("cassandra answers again", slog.Duration(logAfter, time.Since(since)))
			backoff, failures, down = minBackoff, 0, false
		case err != nil && !down:
			since, down = time.Now(), true
			log.Warn("cassandra does not answer, trying on", slog.Any(logError, err))
		case err != nil:
			backoff = min(2*backoff, maxBackoff)
		}
	}
}

// pause waits until it is time to look again, and tells whether to go on. While all is well that is after a second, or at once when a load failed;
// while the source is down the backoff rules, whoever knocks.
func (s *Source) pause(ctx context.Context, down bool, backoff time.Duration) bool {
	wait, kick := probeEvery, s.kick
	if down {
		wait, kick = backoff/2+rand.N(backoff/2), nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-kick:
	case <-timer.C:
	}
	return ctx.Err() == nil
}

// probe asks the session, unless it has just answered someone.
func (s *Source) probe(ctx context.Context) error {
	if time.Since(time.Unix(0, s.answered.Load())) < probeEvery {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.options.timeout())
	defer cancel()
	return s.ping(ctx, s.session.Load())
}

// connect makes a session and puts it in the place of the present one.
func (s *Source) connect(ctx context.Context) error {
	sess, err := connect(ctx, s.options, s.consistency)
	s.mu.Lock()
	s.connErr = err
	s.mu.Unlock()
	if err != nil {
		return err
	}
	s.answered.Store(time.Now().UnixNano())
	s.replace(sess)
	return nil
}

func (s *Source) replace(sess *session) {
	if old := s.session.Swap(sess); old != nil {
		old.Close()
	}
}
