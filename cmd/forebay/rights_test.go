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
)

// acl is what Redis would say of its users.
type acl struct {
	mu    sync.Mutex
	may   map[string]bool
	err   error
	asked int
}

func (a *acl) ask(_ context.Context, user string) (bool, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked++
	return a.may[user], a.err
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
		"a right that is taken away is gone":       {func(a *acl) { a.may["reader"] = false }, false},
		"a server that tells no more is a refusal": {func(a *acl) { a.err = errors.New("NOPERM") }, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &acl{may: map[string]bool{"reader": true}}
				r := newRights(a.ask)
				end := background(r.run)
				defer end()
				if r.mayRead("reader") || r.mayRead("stranger") {
					t.Error("who was never asked for may read")
				}
				synctest.Wait()
				if !r.mayRead("reader") || r.mayRead("stranger") {
					t.Error("the answers were not learnt")
				}
				a.set(tt.before)
				time.Sleep(rightsLive + time.Second)
				if got := r.mayRead("reader"); got != tt.want {
					t.Errorf("may read: %v, want %v", got, tt.want)
				}
			})
		})
	}
}

func TestRightsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &acl{may: map[string]bool{"late": true}}
		r := newRights(a.ask)
		end := background(r.run)
		defer end()
		for i := range 2 * maxUsers {
			r.mayRead(fmt.Sprint("user", i))
		}
		synctest.Wait()
		if a.asked > maxUsers || len(r.users) > maxUsers {
			t.Errorf("%d questions, %d users held", a.asked, len(r.users))
		}
		if r.check(t.Context(), "late") != true {
			t.Error("one who can wait is not asked for when the table is full")
		}
		// Nobody asked for them again, so they make room.
		time.Sleep(2*rightsLive + time.Second)
		r.mayRead("late")
		synctest.Wait()
		if !r.mayRead("late") {
			t.Error("no room was made")
		}
	})
}

func TestRightsCheckAsks(t *testing.T) {
	a := &acl{may: map[string]bool{"reader": true}}
	r := newRights(a.ask)
	if !r.check(t.Context(), "reader") || r.check(t.Context(), "stranger") {
		t.Error("wrong answers")
	}
	if r.check(t.Context(), "stranger"); a.asked != 2 {
		t.Errorf("%d questions: what is known is asked again", a.asked)
	}
}
