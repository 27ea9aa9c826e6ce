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
	names []string
}

func (a *acl) ask(_ context.Context, user string) (redis.Readable, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked++
	if a.may[user] {
		return redis.Everything(), a.err
	}
	return redis.Readable{}, a.err
}

func (a *acl) list(context.Context) (redis.Users, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return redis.Users{Digest: a.state, Names: a.names}, a.err
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
				r := newRights(a.ask, a.list)
				if r.mayRead("reader", "") || r.mayRead("stranger", "") {
					t.Error("who was never asked for may read")
				}
				end := background(r.run) // now: it would learn what is asked for between two lines
				defer end()
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
		r := newRights(a.ask, a.list)
		end := background(r.run)
		defer end()
		for i := range 2 * maxUsers {
			r.mayRead(fmt.Sprint("user", i), "")
		}
		synctest.Wait()
		if a.asked > maxUsers || r.count.Load() > maxUsers {
			t.Errorf("%d questions, %d users held", a.asked, r.count.Load())
		}
		if r.check(t.Context(), "late", "get", "") != true {
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
	r := newRights(a.ask, a.list)
	if !r.check(t.Context(), "reader", "get", "") || r.check(t.Context(), "stranger", "get", "") {
		t.Error("wrong answers")
	}
	if r.check(t.Context(), "stranger", "get", ""); a.asked != 2 {
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
		}, a.list)
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

// Who is closed when users change: those who do not exist, by a list that was asked for after they were seen.
func TestRightsTellWhoIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &acl{names: []string{"default", "reader"}}
		r := newRights(a.ask, a.list)
		var asked []string
		r.attach(func(exists func(string) bool) {
			for _, user := range []string{"default", "reader", "young"} {
				if user == "young" { // made since the list was asked for
					a.set(func(a *acl) { a.names = append(a.names, user) })
				}
				asked = append(asked, fmt.Sprint(user, " ", exists(user)))
			}
		})
		end := background(r.run)
		defer end()
		pass := func(d time.Duration) {
			time.Sleep(d)
			synctest.Wait()
		}
		pass(rightsLook)
		asked = nil
		pass(10 * rightsLook)
		if len(asked) > 0 {
			t.Errorf("without a change: %q", asked)
		}
		a.set(func(a *acl) { a.names, a.state = []string{"default"}, 1 })
		r.revoke()
		synctest.Wait() // a change through this process: at once
		if got, want := fmt.Sprint(asked), "[default true reader false young true]"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		a.set(func(a *acl) { a.err, a.state = errors.New("NOPERM"), 2 })
		asked = nil
		pass(2 * rightsLook)
		if len(asked) > 0 || !r.exists(t.Context(), "reader") {
			t.Errorf("somebody is gone though Redis does not tell: %q", asked)
		}
	})
}
