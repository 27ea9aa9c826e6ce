package main

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"forebay/backend"
	"forebay/backend/redis"
)

const (
	maxUsers   = 1000             // of whom it is known what they may read
	rightsLook = time.Second      // between two looks at whether anybody's rights have changed
	rightsLive = 30 * time.Second // between two questions about one user, where the server does not tell that
	askWithin  = 2 * time.Second
)

// rights knows what users may read without Redis being asked: it asks in the background and answers at once, without a lock. What is not known is
// no. It is safe for concurrent use.
//
// A change of rights through this process is known before its client has the reply (revoke); any other within about a second.
type rights struct {
	ask   func(ctx context.Context, user string) (redis.Readable, error)
	list  func(ctx context.Context) (redis.Users, error)
	wake  chan struct{} // one token: there is a new user, or rights were revoked
	close atomic.Pointer[func(exists func(user string) bool)]

	revoked atomic.Bool // since the last look
	told    bool        // the server tells when rights change; of run alone, as last
	last    uint64

	users sync.Map // names to *right
	count atomic.Int64
}

// right is of one user.
type right struct {
	may   atomic.Pointer[redis.Readable] // nil: not known
	used  atomic.Bool                    // since the last refresh
	since atomic.Int64                   // revocations
}

func newRights(ask func(context.Context, string) (redis.Readable, error), list func(context.Context) (redis.Users, error)) *rights {
	return &rights{ask: ask, list: list, wake: make(chan struct{}, 1)}
}

// attach has f called, from run, when users have changed: it closes the clients of those who no longer exist, as Redis does. (Redis closes its
// connections, which are Forebay's; of that, a client that is idle or shares one would learn with its next command only.)
func (r *rights) attach(f func(exists func(user string) bool)) { r.close.Store(&f) }

// mayRead tells whether the user is known to be allowed to read every key that begins with prefix; "" is who has not authenticated. It never
// waits for Redis.
func (r *rights) mayRead(user, prefix string) bool {
	u := r.user(user)
	if u == nil {
		return false
	}
	if !u.used.Load() {
		u.used.Store(true)
	}
	may := u.may.Load()
	return may != nil && may.Covers(prefix)
}

// mayRun is mayRead for any one command that loads.
func (r *rights) mayRun(user, prefix, command string) bool {
	u := r.user(user)
	if u == nil {
		return false
	}
	u.used.Store(true)
	may := u.may.Load()
	return may != nil && may.CoversBy(command, prefix)
}

// user returns what is known of a user, nil if there is no room. One who is new is asked for.
func (r *rights) user(name string) *right {
	if u, ok := r.users.Load(name); ok {
		return u.(*right)
	}
	if r.count.Load() >= maxUsers {
		return nil
	}
	u, known := r.users.LoadOrStore(name, &right{})
	if !known {
		r.count.Add(1)
		r.wakeUp()
	}
	return u.(*right)
}

func (r *rights) wakeUp() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// check tells whether the user may run a command that loads for the key, and asks where that is not known.
func (r *rights) check(ctx context.Context, user, command, key string) bool {
	if u := r.user(user); u != nil && u.may.Load() != nil {
		return r.mayRun(user, key, command)
	}
	return r.learn(ctx, user).CoversBy(command, key)
}

// revoke forgets what everybody may read, and asks anew: somebody's rights are said to have changed.
func (r *rights) revoke() {
	r.users.Range(func(_, v any) bool {
		u := v.(*right)
		u.since.Add(1) // first: see learn
		u.may.Store(nil)
		return true
	})
	r.revoked.Store(true)
	r.wakeUp()
}

// run asks until ctx ends: for new users when they come, for all of them when rights have changed, or now and then if that is not told.
func (r *rights) run(ctx context.Context) {
	look := time.NewTicker(rightsLook)
	defer look.Stop()
	old := time.NewTicker(rightsLive)
	defer old.Stop()
	for {
		select {
		case <-r.wake:
			if r.revoked.Swap(false) {
				r.look(ctx)
			}
			r.each(func(name string, u *right) {
				if u.may.Load() == nil {
					r.learn(ctx, name)
				}
			})
		case <-look.C:
			r.look(ctx)
		case <-old.C:
			r.forget()
			if !r.told {
				r.refresh(ctx)
			}
		case <-ctx.Done():
			return
		}
	}
}

// look asks for everybody if anybody's rights have changed since the last look.
func (r *rights) look(ctx context.Context) {
	asked, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	now, err := r.list(asked)
	switch {
	case err != nil && (errors.Is(err, backend.ErrStoreDown) || asked.Err() != nil):
	case err != nil:
		r.told = false
	case !r.told || now.Digest != r.last: // the first time too: it may have changed since they were asked for
		r.told, r.last = true, now.Digest
		if f := r.close.Load(); f != nil && now.Names != nil {
			(*f)(func(user string) bool { return slices.Contains(now.Names, user) || r.exists(ctx, user) })
		}
		r.refresh(ctx)
	}
}

// exists asks whether there is such a user now; what is not known for certain is yes.
func (r *rights) exists(ctx context.Context, user string) bool {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	now, err := r.list(ctx)
	return err != nil || slices.Contains(now.Names, user)
}

// refresh asks for every user.
func (r *rights) refresh(ctx context.Context) {
	r.each(func(name string, _ *right) { r.learn(ctx, name) })
}

func (r *rights) each(f func(name string, u *right)) {
	r.users.Range(func(k, v any) bool {
		f(k.(string), v.(*right))
		return true
	})
}

// forget makes room: a user nobody asked for since the last time is asked for again when it comes. "" stays.
func (r *rights) forget() {
	r.each(func(name string, u *right) {
		if !u.used.Swap(false) && name != "" {
			r.users.Delete(name)
			r.count.Add(-1)
		}
	})
}

// learn asks for one user. While Redis is down what was known stays: that is what it is for. Any other error is no. An answer is not kept if rights were
// revoked since it was asked for:
//
//  1. Redis is asked for u, and says all.
//  2. A client has u's rights taken away, and everything is revoked.
//  3. The answer of 1 arrives.
func (r *rights) learn(ctx context.Context, user string) redis.Readable {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	var u *right
	var since int64
	if v, ok := r.users.Load(user); ok {
		u = v.(*right)
		since = u.since.Load()
	}
	may, err := r.ask(ctx, user)
	if err != nil {
		if u != nil && (errors.Is(err, backend.ErrStoreDown) || ctx.Err() != nil) {
			if was := u.may.Load(); was != nil {
				return *was
			}
			return redis.Readable{}
		}
		may = redis.Readable{}
	}
	if u == nil {
		return may
	}
	u.may.Store(&may)
	if u.since.Load() != since {
		u.may.Store(nil)
		r.wakeUp()
	}
	return may
}
