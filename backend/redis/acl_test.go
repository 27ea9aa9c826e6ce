package redis_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"

	"forebay/backend"
	"forebay/backend/redis"
	"forebay/internal/testkit"
)

func TestMayReadAll(t *testing.T) {
	s := testkit.Redis(t)
	c := openUp(t, s)
	tests := []struct {
		name, rules string
		want        bool
	}{
		{"everything", "on nopass ~* +@all", true},
		{"only get", "on nopass ~* +get", true},
		{"read keys only", "on nopass %R~* +@read", true},
		{"a selector of its own", "on nopass (~* +get) ~a* +@all", true},
		{"off", "off nopass ~* +@all", false},
		{"some keys, and among them the one that is tried", "on nopass ~f* +@all", false},
		{"some keys", "on nopass ~a* ~b* +@all", false},
		{"write keys only", "on nopass %W~* +@all", false},
		{"no commands", "on nopass ~* -@all", false},
		{"get taken away", "on nopass ~* +@all -get", false},
		{"get taken away with its category", "on nopass ~* +@all -@read", false},
		{"rights of two sets do not add up", "on nopass ~* -@all (~a* +get)", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s.Do(t, "acl", "setuser", "u", "reset")
			args := []any{"acl", "setuser", "u"}
			for _, r := range splitRules(tt.rules) {
				args = append(args, r)
			}
			s.Do(t, args...)
			if got, err := c.MayReadAll(t.Context(), "u"); got != tt.want || err != nil {
				t.Errorf("%t, %v", got, err)
			}
		})
	}
	if got, err := c.MayReadAll(t.Context(), ""); !got || err != nil {
		t.Errorf("the default user: %t, %v", got, err)
	}
	if got, err := c.MayReadAll(t.Context(), "nobody"); got || err != nil {
		t.Errorf("a user that does not exist: %t, %v", got, err)
	}
	s.Do(t, "acl", "setuser", "default", "-acl")
	if got, err := c.MayReadAll(t.Context(), ""); got || err == nil || errors.Is(err, backend.ErrStoreDown) {
		t.Errorf("without the right to ask: %t, %v", got, err)
	}
	if got, err := open(t, "tcp", miniredis.RunT(t).Addr()).MayReadAll(t.Context(), ""); got || err == nil {
		t.Errorf("of miniredis: %t, %v", got, err)
	}
}

// splitRules splits at blanks, but not inside a selector.
func splitRules(text string) (rules []string) {
	for text != "" {
		end := strings.IndexByte(text, ' ')
		if text[0] == '(' {
			end = strings.IndexByte(text, ')') + 1
		}
		if end < 0 || end >= len(text) {
			return append(rules, text)
		}
		rules = append(rules, text[:end])
		text = strings.TrimSpace(text[end:])
	}
	return rules
}

func TestAuthenticate(t *testing.T) {
	s := testkit.Redis(t)
	s.Do(t, "acl", "setuser", "alice", "on", ">secret", "~*", "-@all")
	s.Do(t, "acl", "setuser", "bob", "off", ">secret")
	s.Do(t, "acl", "setuser", "forebay", "on", ">own", "allkeys", "allcommands", "allchannels")
	s.Do(t, "config", "set", "requirepass", "admin")
	c := redis.Open(redis.Options{Addr: s.Addr, Username: "forebay", Password: "own", Log: testkit.Log(t)})
	t.Cleanup(c.Close)
	testkit.Soon(t, "redis is up", c.Up)
	tests := []struct {
		user, pass string
		want       error
	}{
		{"alice", "secret", nil},
		{"alice", "wrong", redis.ErrWrongPass},
		{"alice", "", redis.ErrWrongPass},
		{"bob", "secret", redis.ErrWrongPass},
		{"nobody", "secret", redis.ErrWrongPass},
		{"", "admin", nil},
		{"", "", redis.ErrWrongPass},
		{"default", "own", redis.ErrWrongPass},
	}
	for _, tt := range tests {
		if err := c.Authenticate(t.Context(), tt.user, tt.pass); !errors.Is(err, tt.want) {
			t.Errorf("%q with %q: %v, want %v", tt.user, tt.pass, err, tt.want)
		}
	}
	if err := fill(c); err != nil {
		t.Errorf("fill as forebay's own user: %v", err)
	}
	wrong := redis.Open(redis.Options{Addr: s.Addr, Username: "forebay", Password: "old"})
	t.Cleanup(wrong.Close)
	testkit.Soon(t, "a wrong password of our own is redis being down, with the reason", func() bool {
		return !wrong.Up() && strings.Contains(wrong.Err().Error(), "WRONGPASS")
	})
	s.Kill()
	if err := c.Authenticate(t.Context(), "alice", "secret"); !errors.Is(err, backend.ErrStoreDown) || errors.Is(err, redis.ErrWrongPass) {
		t.Errorf("with redis down: %v", err)
	}
}
