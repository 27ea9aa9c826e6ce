package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"forebay/backend"
	"forebay/backend/redis"
)

// acl is what Redis would say of its users.
type acl struct {
	mu    sync.Mutex
	may   map[string]bool
	err   error
	asked int
	state uint64 // what the digest is of
}

func (a *acl) ask(_ context.Context, user string) (redis.Readable, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked++
	return redis.Readable{All: a.may[user]}, a.err
}

func (a *acl) digest(context.Context) (uint64, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.state, a.err
}

func (a *acl) set(f func(a *acl)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f(a)
}

func TestRights(t *testing.T) {
	down := fmt.Errorf("ask: %w", backend.ErrStoreDown)
	for name, tt := range map[string]struct {
		before func(*acl)
		want   bool
	}{
		"an answer is kept":                        {func(*acl) {}, true},
		"an answer is kept while Redis is down":    {func(a *acl) { a.err = down }, true},
		"a right that is taken away is gone":       {func(a *acl) { a.may["reader"], a.state = false, 1 }, false},
		"a server that tells no more is a refusal": {func(a *acl) { a.err = errors.New("NOPERM") }, false},
		"who may read what does not change":        {func(a *acl) { a.state = 1 }, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &acl{may: map[string]bool{"reader": true}}
				r := newRights(a.ask, a.digest)
				end := background(r.run)
				defer end()
				if r.mayRead("reader", "") || r.mayRead("stranger", "") {
					t.Error("who was never asked for may read")
				}
				synctest.Wait()
				if !r.mayRead("reader", "") || r.mayRead("stranger", "") {
					t.Error("the answers were not learnt")
				}
				a.set(tt.before)
				time.Sleep(rightsLive + time.Second)
				if got := r.mayRead("reader", ""); got != tt.want {
					t.Errorf("may read: %v, want %v", got, tt.want)
				}
			})
		})
	}
}

func TestRightsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &acl{may: map[string]bool{"late": true}}
		r := newRights(a.ask, a.digest)
		end := background(r.run)
		defer end()
		for i := range 2 * maxUsers {
			r.mayRead(fmt.Sprint("user", i), "")
		}
		synctest.Wait()
		if a.asked > maxUsers || r.count.Load() > maxUsers {
			t.Errorf("%d questions, %d users held", a.asked, r.count.Load())
		}
		if r.check(t.Context(), "late", "") != true {
			t.Error("one who can wait is not asked for when the table is full")
		}
		// Nobody asked for them again, so they make room.
		time.Sleep(2*rightsLive + time.Second)
		r.mayRead("late", "")
		synctest.Wait()
		if !r.mayRead("late", "") {
			t.Error("no room was made")
		}
	})
}

func TestRightsCheckAsks(t *testing.T) {
	a := &acl{may: map[string]bool{"reader": true}}
	r := newRights(a.ask, a.digest)
	if !r.check(t.Context(), "reader", "") || r.check(t.Context(), "stranger", "") {
		t.Error("wrong answers")
	}
	if r.check(t.Context(), "stranger", ""); a.asked != 2 {
		t.Errorf("%d questions: what is known is asked again", a.asked)
	}
}

// A change that is told to this process counts at once, also for an answer that is on its way.
func TestRightsAreRevoked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &acl{may: map[string]bool{"reader": true}}
		answer, asked := make(chan struct{}, 1), make(chan struct{})
		r := newRights(func(ctx context.Context, user string) (redis.Readable, error) {
			may, err := a.ask(ctx, user)
			asked <- struct{}{}
			<-answer
			return may, err
		}, a.digest)
		end := background(r.run)
		defer end()
		r.mayRead("reader", "")
		<-asked // it has been told that reader may
		a.set(func(a *acl) { a.may["reader"] = false })
		r.revoke()
		answer <- struct{}{}
		<-asked // so it asks again
		if r.mayRead("reader", "") {
			t.Error("an answer of before the change is kept")
		}
		answer <- struct{}{}
		synctest.Wait()
		if r.mayRead("reader", "") {
			t.Error("the right is still there")
		}
	})
}
