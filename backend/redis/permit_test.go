package redis_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"

	"forebay/backend"
	"forebay/internal/testkit"
)

func TestPermits(t *testing.T) {
	s := testkit.Redis(t)
	c := openUp(t, s)
	s.Do(t, "acl", "setuser", "some", "on", ">pw", "~t:*", "+append", "+eval", "+get")
	tests := []struct {
		user, command string
		want          bool
	}{
		{"", "append anything x", true},
		{"default", "append anything x", true},
		{"some", "append t:1 x", true},
		{"some", "append other x", false},
		{"some", "incr t:1", false},
		{"some", "eval return 1 t:1", true},
		{"some", "eval return 2 t:1 other", false},
		{"some", "append t:1", false},
		{"some", "nosuch t:1", false},
		{"nobody", "append t:1 x", false},
	}
	permits := func(user, command string) (bool, error) {
		var args [][]byte
		for _, w := range strings.Fields(command) {
			args = append(args, []byte(w))
		}
		return c.Permits(t.Context(), user, args)
	}
	for _, tt := range tests {
		if got, err := permits(tt.user, tt.command); got != tt.want || err != nil {
			t.Errorf("%s, %s: %t, %v", tt.user, tt.command, got, err)
		}
	}
	s.Do(t, "acl", "setuser", "default", "resetpass", ">secret")
	if got, err := permits("", "append t:1 x"); got || err != nil {
		t.Errorf("who has not authenticated: %t, %v", got, err)
	}
	s.Kill()
	if got, err := permits("some", "append t:1 x"); got || !errors.Is(err, backend.ErrStoreDown) {
		t.Errorf("redis is down: %t, %v", got, err)
	}
	if got, err := open(t, "tcp", miniredis.RunT(t).Addr()).Permits(t.Context(), "", [][]byte{[]byte("append"), []byte("k"), []byte("v")}); !got || err != nil {
		t.Errorf("of miniredis, which has no users: %t, %v", got, err)
	}
}
