package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"forebay/internal/event"
)

const (
	channelStart = "__keyevent@"
	channelEnd   = "__:"
	muteAfter    = 5 * time.Second
	maxKeptKey   = 64 << 10 // bytes of the key buffer that are kept from message to message
)

// session is one subscription: one connection, never renewed (see dialer.once), so that its end is always seen.
type session struct {
	w     *Watcher
	sub   *goredis.PubSub
	marks chan mark // from the reader to the auditor: the latest only
	blind bool      // the server refuses marks: nothing is compared
	based bool      // a first comparison succeeded
}

// mark is what had been heard when the subscription came to a point that the auditor asked for.
type mark struct {
	n     int64
	heard tally
}

// session subscribes, then reads in this goroutine and audits in another, until either fails.
func (w *Watcher) session(ctx context.Context) error {
	o := w.c.options()
	o.Dialer = w.c.dialer.once()
	o.PoolSize = 1
	client := goredis.NewClient(o)
	defer client.Close() //nolint:errcheck // a connection that has ended

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s := &session{w: w, sub: client.Subscribe(ctx), marks: make(chan mark, 1)}
	// Reading is not cut by a context, only by the connection's end.
	defer context.AfterFunc(ctx, func() { _ = s.sub.Close() })()
	defer w.patterns.Store(0)
	if err := s.subscribe(ctx); err != nil {
		return err
	}

	audited := make(chan struct{})
	go func() {
		defer close(audited)
		cancel(s.audit(ctx))
	}()
	cancel(s.read(ctx))
	<-audited
	if s.based {
		w.before = w.heard
	}
	return context.Cause(ctx) // the first of the two errors
}

// subscribe asks for the three notifications and for the marks, and awaits the answers.
func (s *session) subscribe(ctx context.Context) error {
	var patterns []string
	for _, r := range []string{"expired", "evicted", "del"} {
		patterns = append(patterns, channelStart+"*"+channelEnd+r)
	}
	if err := s.sub.PSubscribe(ctx, patterns...); err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	if err := s.confirm(ctx, len(patterns)); err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	s.w.patterns.Store(int32(len(patterns)))
	if err := s.sub.Subscribe(ctx, s.w.marker); err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	err := s.confirm(ctx, 1)
	if isReply(err) {
		s.goBlind(err)
		return nil
	}
	return err
}

// confirm awaits n confirmations. Notifications may come between them already.
func (s *session) confirm(ctx context.Context, n int) error {
	for n > 0 {
		m, err := s.sub.ReceiveTimeout(ctx, s.w.c.opt.Timeout)
		if err != nil {
			return err
		}
		if _, ok := m.(*goredis.Subscription); ok {
			n--
			continue
		}
		s.take(m)
	}
	return nil
}

// goBlind gives up comparing with the counters, for this session.
func (s *session) goBlind(err error) {
	s.blind = true
	if !s.w.quiet {
		s.w.quiet = true
		s.w.c.log.Warn("redis refuses what is needed to prove that no eviction was missed", "error", err)
	}
}

// read takes messages until the connection ends.
func (s *session) read(ctx context.Context) error {
	for {
		m, err := s.sub.Receive(ctx)
		if err != nil {
			return fmt.Errorf("read notifications: %w", err)
		}
		s.take(m)
	}
}

// take handles one message. It is called by one goroutine at a time.
func (s *session) take(m any) {
	w := s.w
	w.lastHeard.Store(time.Now().UnixNano())
	switch m := m.(type) {
	case *goredis.Pong:
		s.pass(mark{})
	case *goredis.Message:
		if m.Channel == w.marker {
			n, _ := strconv.ParseInt(m.Payload, 10, 64)
			s.pass(mark{n: n, heard: w.heard})
			return
		}
		db, reason, ok := parseChannel(m.Channel)
		if !ok {
			return
		}
		switch reason {
		case event.Expired:
			w.heard.expired++
		case event.Evicted:
			w.heard.evicted++
		}
		w.key = append(w.key[:0], m.Payload...)
		w.record(&event.Event{Kind: event.Evict, Reason: reason, DB: db, Key: w.key})
		if cap(w.key) > maxKeptKey {
			w.key = nil
		}
	}
}

// pass hands a mark to the auditor, in place of one that it did not take.
func (s *session) pass(m mark) {
	select {
	case <-s.marks:
	default:
	}
	s.marks <- m // never blocks: there is room for one and no other sender
}

// parseChannel reads "__keyevent@<db>__:<event>".
func parseChannel(name string) (db int, reason event.Reason, ok bool) {
	rest, ok := strings.CutPrefix(name, channelStart)
	if !ok {
		return 0, 0, false
	}
	number, what, ok := strings.Cut(rest, channelEnd)
	if !ok {
		return 0, 0, false
	}
	db, err := strconv.Atoi(number)
	if err != nil {
		return 0, 0, false
	}
	switch what {
	case "expired":
		return db, event.Expired, true
	case "evicted":
		return db, event.Evicted, true
	case "del":
		return db, event.Deleted, true
	}
	return 0, 0, false
}

// errMute ends a session whose connection is open but no longer carries anything.
var errMute = errors.New("the subscription does not answer")

// await waits for the mark n, however long the reader is busy with what comes before it, unless nothing comes at all.
func (s *session) await(ctx context.Context, n int64) (mark, error) {
	look := time.NewTicker(muteAfter)
	defer look.Stop()
	last := s.w.lastHeard.Load()
	for {
		select {
		case m := <-s.marks:
			if m.n == n {
				return m, nil
			}
		case <-look.C:
			now := s.w.lastHeard.Load()
			if now == last {
				return mark{}, errMute
			}
			last = now
		case <-ctx.Done():
			return mark{}, context.Cause(ctx)
		}
	}
}
