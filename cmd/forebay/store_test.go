package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"forebay/backend"
)

// The line of health on fills: Redis's own words, without the key, until a value is stored again or nothing was refused for a while.
func TestRefusalsOfRedis(t *testing.T) {
	readonly := fmt.Errorf("fill %q: %w", "room:BOOM", errors.New("READONLY You can't write against a read only replica."))
	synctest.Test(t, func(t *testing.T) {
		var r refusals
		healthy := func(want string) {
			t.Helper()
			err := r.health()
			if (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "room")) {
				t.Errorf("health is %v, want %q", err, want)
			}
		}
		healthy("")
		for _, err := range []error{nil, context.Canceled, fmt.Errorf("%w: EOF", backend.ErrStoreDown)} {
			r.refused(err)
		}
		healthy("")
		r.refused(readonly)
		healthy(": READONLY You can't")
		r.taken()
		healthy("")
		r.refused(errors.New("OOM command not allowed"))
		time.Sleep(refusedFor - time.Second)
		healthy(": OOM command")
		time.Sleep(2 * time.Second)
		healthy("")
		r.refused(errors.New("NOPERM no right to"))
		r.refused(errors.New("ERR what"))
		for reason, n := range r.counts() {
			if n != 1 {
				t.Errorf("%d refusals count as %s", n, reason)
			}
		}
	})
}
