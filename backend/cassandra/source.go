package cassandra

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"forebay/backend"
)

var _ backend.Source = (*Source)(nil)

var errClosed = errors.New("the source is closed")

// Source reads rows from Cassandra. It is safe for concurrent use.
type Source struct {
	options     Options
	consistency gocql.Consistency
	session     atomic.Pointer[session] // nil until the first connection
	statements  sync.Map                // *backend.Select → *statement
	answered    atomic.Int64            // when the source last answered, Unix ns
	kick        chan struct{}           // wakes the watchdog: something failed
	stop        context.CancelFunc      // ends the watchdog
	watching    chan struct{}           // closed when the watchdog is gone

	mu      sync.Mutex
	closed  bool
	connErr error          // why there is no session
	calls   sync.WaitGroup // calls into the driver, abandoned ones included
}

// Open connects. Without Lazy it returns an error that wraps backend.ErrSourceDown, or backend.ErrNoTable for a missing keyspace, if that
// fails within ctx. With Lazy it returns after the first attempt whatever came of it, and the watchdog goes on trying. The
// caller closes the Source; ctx bounds only the opening.
func Open(ctx context.Context, o Options) (*Source, error) {
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("open cassandra: %w", err)
	}
	c, err := o.consistency(gocql.LocalOne)
	if err != nil {
		return nil, fmt.Errorf("open cassandra: %w", err)
	}
	watchCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
	s := &Source{options: o, consistency: c, kick: make(chan struct{}, 1), stop: stop, watching: make(chan struct{})}
	first := make(chan error, 1)
	go s.watch(watchCtx, first)
	select {
	case err = <-first:
	case <-ctx.Done():
		err = fail("open cassandra", ctx.Err())
	}
	if err != nil && (!o.Lazy || ctx.Err() != nil) {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Close ends the watchdog and every connection. Calls in progress end with backend.ErrSourceDown.
func (s *Source) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.stop()
	<-s.watching
	if sess := s.session.Load(); sess != nil {
		sess.Close()
	}
	s.calls.Wait()
}

// Ping asks a host for one row of its own.
func (s *Source) Ping(ctx context.Context) error {
	sess, err := s.live()
	if err != nil {
		return fmt.Errorf("ping cassandra: %w", err)
	}
	if err := s.ping(ctx, sess); err != nil {
		s.failed()
		return fail("ping cassandra", err)
	}
	return nil
}

func (s *Source) ping(ctx context.Context, sess *session) error {
	_, err := guard(ctx, s, func() (string, error) {
		var key string
		err := sess.Query(`SELECT key FROM system.local`).Consistency(gocql.One).ScanContext(ctx, &key)
		return key, err
	})
	if err == nil {
		s.answered.Store(time.Now().UnixNano())
	}
	return err
}

// live returns the session, or why there is none.
func (s *Source) live() (*session, error) {
	if sess := s.session.Load(); sess != nil {
		return sess, nil
	}
	s.failed()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return nil, fmt.Errorf("%w: %w", backend.ErrSourceDown, errClosed)
	case s.connErr != nil:
		return nil, fmt.Errorf("%w: %w", backend.ErrSourceDown, s.connErr)
	default:
		return nil, fmt.Errorf("%w: not connected yet", backend.ErrSourceDown)
	}
}

// failed lets the watchdog look now rather than at its next turn.
func (s *Source) failed() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// guard runs a call into the driver and returns no later than ctx ends. The driver itself may: it waits without a
// context for a write to a full socket, and for another caller's prepare. An abandoned call ends by the driver's own timeout, or by Close.
func guard[T any](ctx context.Context, s *Source, call func() (T, error)) (T, error) {
	type outcome struct {
		value T
		err   error
	}
	var none T
	if err := ctx.Err(); err != nil {
		return none, err
	}
	s.mu.Lock()
	if s.closed { // Add after Wait would be a race
		s.mu.Unlock()
		return none, fmt.Errorf("%w: %w", backend.ErrSourceDown, errClosed)
	}
	s.calls.Add(1)
	s.mu.Unlock()
	done := make(chan outcome, 1)
	go func() {
		defer s.calls.Done()
		v, err := call()
		done <- outcome{v, err}
	}()
	select {
	case o := <-done:
		return o.value, o.err
	case <-ctx.Done():
		return none, ctx.Err()
	}
}
