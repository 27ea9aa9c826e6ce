package testkit

import (
	"log/slog"
	"testing"
	"time"
)

const (
	// soonLimit is how long [Soon] waits for what should be a matter of milliseconds: on a busy machine it may take seconds.
	soonLimit = 20 * time.Second
	soonEvery = 2 * time.Millisecond
)

// Soon waits until ok holds, asking again and again, or fails t.
func Soon(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(soonLimit)
	defer deadline.Stop()
	look := time.NewTicker(soonEvery)
	defer look.Stop()
	for !ok() {
		select {
		case <-deadline.C:
			t.Fatalf("not within %v: %s", soonLimit, what)
		case <-look.C:
		}
	}
}

// Log is a logger that writes everything to t's own output, which is shown if t fails.
func Log(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
}
