package web

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"net/http"
	"sync"
	"time"

	"forebay/backend"
)

const (
	loginTimeout = 2 * time.Second
	loginFor     = 5 * time.Second // how long a revoked password may still work
	loginMax     = 256             // remembered at once
	loginAsking  = 8               // questions to Redis at once: guessing passwords is not to crowd out others
)

// login checks names and passwords and remembers those that were right for a few seconds, since a page and its stream
// send them with every request. What is remembered is a keyed hash; the key is drawn at start and never leaves the process.
type login struct {
	authenticate func(ctx context.Context, user, pass string) error
	salt         [32]byte
	asking       chan struct{}

	mu    sync.Mutex
	known map[[sha256.Size]byte]time.Time // until when
}

func newLogin(authenticate func(ctx context.Context, user, pass string) error) *login {
	l := &login{
		authenticate: authenticate,
		asking:       make(chan struct{}, loginAsking),
		known:        make(map[[sha256.Size]byte]time.Time),
	}
	_, _ = rand.Read(l.salt[:]) // never fails: the program ends if the system has no randomness
	return l
}

// check returns the user of a request, or the problem to answer with.
func (l *login) check(r *http.Request) (string, *problem) {
	user, pass, ok := r.BasicAuth()
	if !ok {
		return "", &problem{
			http.StatusUnauthorized, "unauthorized", "A password is needed.",
			"Send the name and password of a Redis user by HTTP Basic.",
		}
	}
	if user == "" {
		user = "default"
	}
	id := l.hash(user, pass)
	if l.remembered(id) {
		return user, nil
	}
	ctx, cancel := context.WithTimeout(r.Context(), loginTimeout)
	defer cancel()
	unknown := &problem{
		http.StatusServiceUnavailable, "redis-down", "The password cannot be checked now.",
		"Redis does not answer.",
	}
	select {
	case l.asking <- struct{}{}:
	case <-ctx.Done():
		return "", unknown
	}
	err := l.authenticate(ctx, user, pass)
	<-l.asking
	switch {
	case err == nil:
		l.remember(id)
		return user, nil
	case errors.Is(err, backend.ErrStoreDown), ctx.Err() != nil:
		return "", unknown
	default:
		return "", &problem{
			http.StatusUnauthorized, "unauthorized", "The name or password is wrong.",
			"Send the name and password of a Redis user by HTTP Basic.",
		}
	}
}

// hash is unambiguous: a name in Basic credentials holds no colon.
func (l *login) hash(user, pass string) (id [sha256.Size]byte) {
	mac := hmac.New(sha256.New, l.salt[:])
	mac.Write([]byte(user + ":" + pass))
	mac.Sum(id[:0])
	return id
}

func (l *login) remembered(id [sha256.Size]byte) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Now().Before(l.known[id])
}

func (l *login) remember(id [sha256.Size]byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if len(l.known) >= loginMax {
		for k, until := range l.known {
			if !now.Before(until) {
				delete(l.known, k)
			}
		}
		if len(l.known) >= loginMax {
			clear(l.known)
		}
	}
	l.known[id] = now.Add(loginFor)
}
