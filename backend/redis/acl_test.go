package redis_test

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"

	"forebay/backend"
	"forebay/backend/redis"
	"forebay/internal/testkit"
)

func TestReadable(t *testing.T) {
	s := testkit.Redis(t)
	c := openUp(t, s)
	all, none := redis.Readable{All: true, Prefixes: []string{""}}, redis.Readable{}
	of := func(prefixes ...string) redis.Readable { return redis.Readable{Prefixes: prefixes} }
	tests := []struct {
		name, rules string
		want        redis.Readable
	}{
		{"everything", "on nopass ~* +@all", all},
		{"only get and mget", "on nopass ~* +get +mget", all},
		{"only get", "on nopass ~* +get", none},
		{"read keys only", "on nopass %R~* +@read", all},
		{"a selector of its own", "on nopass (~* +get +mget) ~a* +@all", all},
		{"off", "off nopass ~* +@all", none},
		{"the keys of prefixes", "on nopass ~a:* %R~b* +@all", of("a:", "b")},
		{"other patterns", "on nopass ~a?b* ~c ~[d]* ~*e +@all", none},
		{"write keys only", "on nopass %W~* +@all", none},
		{"no commands", "on nopass ~* -@all", none},
		{"get taken away", "on nopass ~* +@all -get", none},
		{"mget taken away", "on nopass ~* +@all -mget", none},
		{"get taken away with its category", "on nopass ~* +@all -@read", none},
		{"rights of two sets do not add up", "on nopass ~* -@all (~a* +get +mget)", of("a")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s.Do(t, "acl", "setuser", "u", "reset")
			args := []any{"acl", "setuser", "u"}
			for _, r := range splitRules(tt.rules) {
				args = append(args, r)
			}
			s.Do(t, args...)
			got, err := c.Readable(t.Context(), "u")
			if got.By = nil; !reflect.DeepEqual(got, tt.want) || err != nil {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
	is := func(name string, c *redis.Client, user string, want redis.Readable, fails bool) {
		t.Helper()
		got, err := c.Readable(t.Context(), user)
		if got.By = nil; !reflect.DeepEqual(got, want) || (err != nil) != fails || errors.Is(err, backend.ErrStoreDown) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	is("the default user", c, "", all, false)
	is("a user that does not exist", c, "nobody", none, false)
	is("of miniredis", open(t, "tcp", miniredis.RunT(t).Addr()), "", none, true)
	s.Do(t, "acl", "setuser", "forebay", "on", ">own", "+@all")
	own := redis.Open(redis.Options{Addr: s.Addr, Username: "forebay", Password: "own", Log: testkit.Log(t)})
	t.Cleanup(own.Close)
	testkit.Soon(t, "redis is up", own.Up)
	s.Do(t, "acl", "setuser", "default", "-acl")
	is("without the right to ask", c, "", none, true)
	s.Do(t, "config", "set", "requirepass", "secret")
	is("who has not authenticated, where a password is asked for", own, "", none, false)
	is("who has", own, "default", all, false)
}

// The right to GET is not that to read hashes, or to GETDEL.
func TestReadableByCommand(t *testing.T) {
	s := testkit.Redis(t)
	c := openUp(t, s)
	hashes := "hexists hget hgetall hkeys hlen hmget hstrlen hvals"
	tests := []struct {
		rules, of, want string
	}{
		{"on nopass ~* +@all", "any", "get getdel getex getrange " + hashes + " mget strlen"},
		{"on nopass ~* +@read", "any", "get getrange " + hashes + " mget strlen"},
		{"on nopass ~* +get", "any", "get"},
		{"on nopass ~* +@hash", "any", hashes},
		{"on nopass ~* +@read -@slow", "any", "get hexists hget hlen hmget hstrlen mget strlen"},
		{"on nopass ~* +@all -@write -hgetall", "any", "get getrange " + strings.ReplaceAll(hashes, "hgetall ", "") + " mget strlen"},
		{"on nopass ~a:* +@all", "a:b", "get getdel getex getrange " + hashes + " mget strlen"},
		{"on nopass ~a:* +@all", "b:", ""},
		{"on nopass %R~a:* +@all", "a:", "get getrange " + hashes + " mget strlen"}, // GETEX and GETDEL write
		{"on nopass ~a:* +get (~b:* +hget +strlen)", "b:", "hget strlen"},
	}
	for _, tt := range tests {
		t.Run(tt.rules+" "+tt.of, func(t *testing.T) {
			args := []any{"acl", "setuser", "u", "reset"}
			for _, r := range splitRules(tt.rules) {
				args = append(args, r)
			}
			s.Do(t, args...)
			r, err := c.Readable(t.Context(), "u")
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for name := range r.By {
				if r.CoversBy(name, tt.of) {
					got = append(got, name)
				}
			}
			slices.Sort(got)
			if got := strings.Join(got, " "); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestReadableCovers(t *testing.T) {
	r := redis.Readable{Prefixes: []string{"mnist:", "x"}}
	for prefix, want := range map[string]bool{"mnist:train:": true, "mnist:": true, "mnist": false, "": false, "x": true, "y": false} {
		if got := r.Covers(prefix); got != want {
			t.Errorf("%q: %t", prefix, got)
		}
	}
	if !(redis.Readable{All: true}).Covers("") || (redis.Readable{}).Covers("") {
		t.Error("all or nothing")
	}
}

func TestUsers(t *testing.T) {
	s := testkit.Redis(t)
	c := openUp(t, s)
	users := func() redis.Users {
		u, err := c.Users(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	before := users()
	if again := users(); !reflect.DeepEqual(again, before) || !slices.Equal(before.Names, []string{"default"}) {
		t.Errorf("%+v, then %+v", before, again)
	}
	s.Do(t, "acl", "setuser", "u", "on")
	with := users()
	if with.Digest == before.Digest || !slices.Equal(with.Names, []string{"default", "u"}) {
		t.Errorf("with a new user: %+v", with)
	}
	s.Do(t, "acl", "setuser", "u", "+get")
	if users().Digest == with.Digest {
		t.Error("a new right does not change it")
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
