package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"forebay/backend"
)

const (
	maxUsers   = 1000             // of whom it is known whether they may read
	rightsLive = 30 * time.Second // between two questions about one user
	askWithin  = 2 * time.Second
)

// rights knows which users may read every key: it asks in the background and answers at once. What is not known is no.
// It is safe for concurrent use.
type rights struct {
	ask  func(ctx context.Context, user string) (bool, error)
	wake chan struct{} // one token: there is a new user

	mu    sync.Mutex
	users map[string]*right
}

type right struct {
	may   bool
	asked bool // the answer is known
	used  bool // since the last refresh
}

func newRights(ask func(context.Context, string) (bool, error)) *rights {
	return &rights{ask: ask, wake: make(chan struct{}, 1), users: map[string]*right{}}
}

// mayRead tells whether the user is known to be allowed to read every key; "" is who has not authenticated. It never
// waits for Redis.
func (r *rights) mayRead(user string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	u := r.users[user]
	if u == nil {
		if len(r.users) >= maxUsers {
			return false
		}
		u = &right{}
		r.users[user] = u
		select {
		case r.wake <- struct{}{}:
		default:
		}
	}
	u.used = true
	return u.may
}

// check is mayRead for who can wait: it asks where the answer is not known.
func (r *rights) check(ctx context.Context, user string) bool {
	if r.mayRead(user) {
		return true
	}
	r.mu.Lock()
	u := r.users[user]
	known := u != nil && u.asked
	r.mu.Unlock()
	if known {
		return false
	}
	return r.learn(ctx, user)
}

// run asks until ctx ends: for new users when they come, for all of them now and then.
func (r *rights) run(ctx context.Context) {
	tick := time.NewTicker(rightsLive)
	defer tick.Stop()
	for {
		select {
		case <-r.wake:
			for _, user := range r.list(func(u *right) bool { return !u.asked }) {
				r.learn(ctx, user)
			}
		case <-tick.C:
			r.forget()
			r.refresh(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// refresh asks for every user.
func (r *rights) refresh(ctx context.Context) {
	for _, user := range r.list(func(*right) bool { return true }) {
		r.learn(ctx, user)
	}
}

// forget makes room: a user nobody asked for since the last time is asked for again when it comes. "" stays.
func (r *rights) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, u := range r.users {
		if !u.used && name != "" {
			delete(r.users, name)
		}
		u.used = false
	}
}

func (r *rights) list(want func(*right) bool) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var names []string
	for name, u := range r.users {
		if want(u) {
			names = append(names, name)
		}
	}
	return names
}

// learn asks for one user. While Redis is down what was known stays: that is what it is for. Any other error is no.
func (r *rights) learn(ctx context.Context, user string) bool {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	may, err := r.ask(ctx, user)
	r.mu.Lock()
	defer r.mu.Unlock()
	u := r.users[user]
	if u == nil {
		return may && err == nil
	}
	if err != nil && (errors.Is(err, backend.ErrStoreDown) || ctx.Err() != nil) {
		return u.may
	}
	u.may, u.asked = may && err == nil, true
	return u.may
}
