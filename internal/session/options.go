package session

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"forebay/backend"
	"forebay/internal/event"
)

var (
	// ErrNoSession means that no live session has that name.
	ErrNoSession = errors.New("no such session")
	// ErrName means that a name cannot be a session's: 1 to 256 bytes of '!' to '~'.
	ErrName = errors.New("a session's name is 1 to 256 printable characters without spaces")
	// ErrForbidden means that the user has not the right to end sessions.
	ErrForbidden = errors.New("ending another's session needs the right to UNLINK")
	// ErrUnfinished means that a session has ended and that its keys are still being given back, in the background.
	ErrUnfinished = errors.New("the session has ended; its keys are being given back in the background")
	// ErrTime means that a session cannot be extended by so much, or so little.
	ErrTime = errors.New("a session can be extended by 1 second to 30 days")
)

const (
	// MaxName is the length of the longest session's name: what an event keeps of it.
	MaxName = event.MaxName
	// MaxExtend is the most that a session can be extended by.
	MaxExtend = 30 * 24 * time.Hour
	// MaxSessions bounds the sessions of one proxy, and those that are live in all.
	MaxSessions = 4096
	// maxDatabases bounds the databases in which one session claims keys. One that reads in more counts as claiming every key.
	maxDatabases = 16
)

// Options of a Manager. Store is needed.
type Options struct {
	Store backend.Sessions
	// Proxy is this process's name in statistics.
	Proxy string
	// Grace is the time from a session's last connection closed to its end; under 3 times Every it is that, since a proxy that
	// tells every second cannot be known to be gone sooner.
	Grace time.Duration
	// Every is the time between two rounds of telling. It must be the same on all proxies. 0: 1 s.
	Every time.Duration
	// MaxClaims is the most keys that a session claims in a database here. 0: 4,194,304.
	MaxClaims int
	// MaxBytes bounds the memory for claims of all sessions. 0: 64 MiB.
	MaxBytes int64
	// AfterUse names the routes whose keys are given back after a hit. Their fills must be tracked for every client.
	AfterUse []string
	// Record takes session events. Nil: nobody.
	Record func(*event.Event)
	// Log takes what an operator should know. Nil: nothing is logged.
	Log *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.Every <= 0 {
		o.Every = time.Second
	}
	o.Grace = max(o.Grace, 3*o.Every)
	if o.MaxClaims <= 0 {
		o.MaxClaims = 4 << 20
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = 64 << 20
	}
	if o.Record == nil {
		o.Record = func(*event.Event) {}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// ValidName tells whether a client's name makes a session.
func ValidName(name string) bool {
	if name == "" || len(name) > MaxName {
		return false
	}
	for i := range len(name) {
		if name[i] < '!' || name[i] > '~' {
			return false
		}
	}
	return true
}

// CanEnd tells whether the user ("" is the default one) may end or extend sessions that are not its own: nil, or an error that wraps
// ErrForbidden, or backend.ErrStoreDown. The right is that of UNLINK. Every client may end the session it is in.
func (m *Manager) CanEnd(ctx context.Context, user string) error {
	may, err := m.opt.Store.MayRelease(ctx, user)
	if err != nil {
		return err
	}
	if !may {
		return ErrForbidden
	}
	return nil
}
