package redis

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"forebay/internal/event"
)

// Mode says what a [Watcher] may do to the server.
type Mode string

// The modes. The zero Mode is Manage.
const (
	Manage  Mode = "manage"  // adds the notification flags that are missing to the server's own
	Require Mode = "require" // checks them and changes nothing
	Off     Mode = "off"     // does not listen
)

const (
	auditEvery = 10 * time.Second
	// The pause between two attempts to listen grows from the first to the second.
	retryFrom, retryTo = 50 * time.Millisecond, 2 * time.Second
)

// WatchOptions says how to watch.
type WatchOptions struct {
	Mode Mode
	// Record is given each event: evict for a key that expired, was evicted or was deleted, in whatever
	// database, and gap for what was not heard. The event and its Key are borrowed. Calls never overlap. While Record blocks, Redis
	// keeps what is not read, and at its limit (client-output-buffer-limit pubsub) ends the connection, which is a gap.
	// Keys that are Forebay's own are reported like others, since Redis counts them too: Record may drop them.
	Record func(ev *event.Event)
	// Every is the time between two comparisons with the server's counters; 0 is 10 s.
	Every time.Duration
}

// Watcher listens to the keyspace notifications of every database and turns them into events.
//
// Redis sends notifications once and to whom it may concern. What this watcher adds is that each loss shows: every
// disconnection is a gap event, and every few seconds what was heard is compared with the server's own
// counters, exactly (see session.mark), for the reasons that have one: expired and evicted. Deletions have none: they are best effort.
//
// Its memory is one message.
type Watcher struct {
	c      *Client
	opt    WatchOptions
	marker string // the channel that carries the marks of this watcher
	stop   context.CancelFunc
	done   chan struct{}

	// Of run and, while a session lasts, of its reader.
	heard  tally
	before tally  // heard when the last session that was compared ended
	key    []byte // the last message's key

	// Of run and, while a session lasts, of its auditor.
	book    ledger
	settled time.Time // when book was last compared
	proved  bool      // notifications came and none was missing, so the flags must be right
	quiet   bool      // it has been logged that marks are refused

	patterns  atomic.Int32 // that it is subscribed to
	lastHeard atomic.Int64 // Unix nanoseconds; at first the beginning of Watch
	recording sync.Mutex   // reader and auditor both record

	mu     sync.Mutex
	health error
	deaf   deafness
}

// deafness is a time without a subscription; its zero value is none.
type deafness struct {
	since time.Time
	why   error
}

var (
	errStarting = errors.New("listening for evictions has not begun yet")
	errOff      = errors.New("the watcher was closed")
)

// Watch begins to listen and never fails: a server that is down or refuses shows in [Watcher.Healthy], and is tried again.
// It ends with ctx, with [Watcher.Close] or with the client, whichever is first.
func (c *Client) Watch(ctx context.Context, opt WatchOptions) *Watcher {
	if opt.Mode == "" {
		opt.Mode = Manage
	}
	if opt.Every <= 0 {
		opt.Every = auditEvery
	}
	ctx, stop := c.during(ctx)
	w := &Watcher{
		c: c, opt: opt, stop: stop, done: make(chan struct{}), health: errStarting,
		marker: fmt.Sprintf(hiddenPrefix+"watch:%016x", rand.Uint64()),
	}
	w.lastHeard.Store(time.Now().UnixNano())
	if opt.Mode == Off {
		w.health = nil
		close(w.done)
		return w
	}
	if !c.begin(func() { defer close(w.done); w.run(ctx) }) {
		w.health = errOff
		close(w.done)
	}
	return w
}

// Close stops listening and waits. An unfinished gap is recorded before it returns.
func (w *Watcher) Close() {
	w.stop()
	<-w.done
}

// Healthy is nil while notifications are heard and the server sends all that are needed, or if the mode is Off. Otherwise it says what
// the server refused or why it is not heard.
func (w *Watcher) Healthy() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.health
}

// Patterns is how many patterns the watcher is subscribed to just now, which PUBSUB NUMPAT counts.
func (w *Watcher) Patterns() int { return int(w.patterns.Load()) }

// run holds one session after another.
func (w *Watcher) run(ctx context.Context) {
	pause := retryFrom
	for {
		began := time.Now()
		err := w.session(ctx)
		if ctx.Err() != nil {
			break
		}
		w.lose(err)
		if time.Since(began) > retryTo {
			pause = retryFrom // it had worked
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause/2 + rand.N(pause)):
		}
		if ctx.Err() != nil {
			break
		}
		pause = min(2*pause, retryTo)
	}
	w.end()
}

// lose notes that nothing is heard any more. The first cause counts until a session works again.
func (w *Watcher) lose(why error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.health = fmt.Errorf("listen for evictions: %w", why)
	if w.deaf.since.IsZero() {
		w.deaf = deafness{since: time.Unix(0, w.lastHeard.Load()), why: why}
		w.c.log.Warn("redis notifications are not heard", "since", w.deaf.since, "error", why)
	}
}

// regain ends a deafness with its gap event, now that the counters have been compared.
func (w *Watcher) regain(v verdict) {
	w.mu.Lock()
	was := w.deaf
	w.deaf = deafness{}
	w.mu.Unlock()
	if was.since.IsZero() {
		return
	}
	w.c.log.Info("redis notifications are heard again", "since", was.since, "expired", v.lost.expired, "evicted", v.lost.evicted)
	w.gap(event.NoReason, v.lost.sum(), was.since, fmt.Sprintf("%v; %s", was.why, describe(v)))
}

// end closes an unfinished deafness.
func (w *Watcher) end() {
	w.mu.Lock()
	was := w.deaf
	w.deaf = deafness{}
	w.health = errOff
	w.mu.Unlock()
	if !was.since.IsZero() {
		w.gap(event.NoReason, 0, was.since, fmt.Sprintf("%v; the watcher ended", was.why))
	}
}

// describe says what a verdict knows of the keys that left unheard.
func describe(v verdict) string {
	text := fmt.Sprintf("redis counted %d expired and %d evicted unheard", v.lost.expired, v.lost.evicted)
	switch {
	case v.unknown:
		return "how many keys left is unknown"
	case v.restart:
		return text + " since it restarted; before that and deletions are unknown"
	case v.atLeast:
		return text + " at least, since its counters were reset; deletions are unknown"
	default:
		return text + "; deletions are unknown"
	}
}

// gap records one gap event, from a time until now.
func (w *Watcher) gap(reason event.Reason, count int64, from time.Time, text string) {
	const layout = "2006-01-02T15:04:05.000Z"
	w.record(&event.Event{
		Kind: event.Gap, Reason: reason, Count: count,
		Error: fmt.Sprintf("evict notifications were not heard from %s to %s: %s",
			from.UTC().Format(layout), time.Now().UTC().Format(layout), text),
	})
}

func (w *Watcher) record(ev *event.Event) {
	w.recording.Lock()
	defer w.recording.Unlock()
	w.opt.Record(ev)
}
