package redis

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"forebay/backend"
	"forebay/backend/redis/wire"
)

const (
	// pingEvery is how often the server vouches that all changes were told.
	pingEvery = 250 * time.Millisecond
	// trackingSilence ends a connection on which nothing comes any more, though it is asked every pingEvery.
	trackingSilence = 5 * time.Second
	// refusedPause is the pause after the server refused to tell of changes: somebody has to change its rules, or the server, first.
	refusedPause = 30 * time.Second
	// maxAsked and maxAskedBytes bound the questions of which the answers are awaited, and the bytes of those not sent.
	maxAsked, maxAskedBytes = 16 << 10, 1 << 20
	// trackingName is the connection's, in CLIENT LIST.
	trackingName = "forebay:near"
)

// Tracker is a [backend.Tracker] on one RESP3 connection of its own: CLIENT TRACKING in broadcasting mode, over the prefixes of the keys that
// are of interest, and questions for TTLs beside it. So the answers and the invalidations come in the order in which the server did things,
// but for one: invalidations of what the server did in the same round of its event loop come after the round's answers.
//
// go-redis cannot do this: it drops the null by which Redis tells of a flush, and looks at invalidations only around commands.
type Tracker struct {
	c        *Client
	prefixes []string
	wake     chan struct{} // something is to be written

	// Set by Track.
	stop context.CancelFunc
	done chan struct{}
	to   backend.Follower

	mu   sync.Mutex
	live bool   // the server has said that it tracks
	db   int    // that the bytes written and in out end in
	out  []byte // to be written
	// asked are the questions whose answers have not come, in order, those in out included: bytes and question are added
	// under one lock.
	asked []asked
}

var _ backend.Tracker = (*Tracker)(nil)

// asked is one question. What its answer means is its kind's to say.
type asked struct {
	kind   askedKind
	db     int    // of askedSelect and askedTTL
	ticket uint64 // of askedTTL
	at     int64  // wire.Now, before it was sent
}

type askedKind uint8

const (
	askedHello askedKind = iota
	askedTracking
	askedPing
	askedSelect
	askedTTL
)

// Tracker makes a Tracker of the keys that begin with any of the prefixes; without any, or with an empty one, of all keys. It does nothing before
// Track. Close it, at the latest before the Client.
func (c *Client) Tracker(prefixes []string) *Tracker {
	return &Tracker{c: c, prefixes: cover(prefixes), wake: make(chan struct{}, 1), done: make(chan struct{})}
}

// cover reduces prefixes to those that no other one begins, since Redis refuses overlapping ones: nil stands for all keys.
func cover(prefixes []string) (out []string) {
	for _, p := range slices.Sorted(slices.Values(prefixes)) {
		if p == "" {
			return nil
		}
		if len(out) == 0 || !strings.HasPrefix(p, out[len(out)-1]) {
			out = append(out, p)
		}
	}
	return out
}

// Track begins.
func (t *Tracker) Track(f backend.Follower) {
	life, stop := t.c.during(context.Background())
	t.to, t.stop = f, stop
	if !t.c.begin(func() { defer close(t.done); t.run(life) }) {
		close(t.done)
	}
}

// Close ends tracking and waits. Track must have been called.
func (t *Tracker) Close() {
	t.stop()
	<-t.done
}

// AskTTL asks for a key's TTL.
func (t *Tracker) AskTTL(db int, key []byte, ticket uint64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.live || len(t.asked) >= maxAsked || len(t.out)+len(key) > maxAskedBytes {
		return false
	}
	if t.db != db {
		t.ask(asked{kind: askedSelect, db: db}, "SELECT", strconv.Itoa(db))
		t.db = db
	}
	t.question(asked{kind: askedTTL, db: db, ticket: ticket}, 2)
	t.out = appendArg(appendArg(t.out, "PTTL"), key)
	t.kick()
	return true
}

// ask adds a question. The caller holds mu.
func (t *Tracker) ask(q asked, args ...string) {
	t.question(q, len(args))
	for _, a := range args {
		t.out = appendArg(t.out, a)
	}
}

// question adds one of which the caller appends the arguments.
func (t *Tracker) question(q asked, args int) {
	q.at = wire.Now()
	t.asked = append(t.asked, q)
	t.out = append(strconv.AppendInt(append(t.out, '*'), int64(args), 10), "\r\n"...)
}

func appendArg[S string | []byte](b []byte, arg S) []byte {
	b = append(strconv.AppendInt(append(b, '$'), int64(len(arg)), 10), "\r\n"...)
	return append(append(b, arg...), "\r\n"...)
}

func (t *Tracker) kick() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// run holds one connection after another until Close.
func (t *Tracker) run(life context.Context) {
	pause := retryFrom
	for {
		began := wire.Now()
		err := t.session(life)
		t.mu.Lock()
		t.live, t.db, t.out, t.asked = false, 0, nil, nil
		t.mu.Unlock()
		if life.Err() != nil {
			return
		}
		refused := isRefusal(err)
		t.to.Lost(err, refused)
		wait := pause
		switch {
		case refused:
			wait = refusedPause
		case wire.Now()-began > int64(retryTo):
			pause, wait = retryFrom, retryFrom // it had worked
		default:
			pause = min(2*pause, retryTo)
		}
		timer := time.NewTimer(wait)
		select {
		case <-life.Done():
		case <-timer.C:
		}
		timer.Stop()
		if life.Err() != nil {
			return
		}
	}
}

// isRefusal tells whether the server itself does not want to, which asking again soon will not change.
func isRefusal(err error) bool {
	var reply replyError
	return errors.As(err, &reply) && !isShut(reply.Error())
}
