package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"
	goredis "github.com/redis/go-redis/v9"
)

// defaultUser is who a client is that has not said.
const defaultUser = "default"

// Readable is what a user may read by GET and MGET without Redis being asked. The zero Readable is nothing.
type Readable struct {
	All      bool
	Prefixes []string // of keys: every key that begins so
	// Others are the same prefixes, "" for all keys, of the other commands that load (getrange, hgetall …), by lower-case name.
	Others map[string][]string
}

// Everything is what a user may read of a server that knows no rights.
func Everything() Readable {
	r := Readable{All: true, Prefixes: []string{""}, Others: map[string][]string{}}
	for _, l := range loading {
		r.Others[l.name] = []string{""}
	}
	return r
}

// Covers tells whether every key that begins with prefix may be read.
func (r Readable) Covers(prefix string) bool {
	return r.All || slices.ContainsFunc(r.Prefixes, func(p string) bool { return strings.HasPrefix(prefix, p) })
}

// CoversBy tells whether the command may be run for every key that begins with prefix.
func (r Readable) CoversBy(command, prefix string) bool {
	if command == "get" || command == "mget" {
		return r.Covers(prefix)
	}
	return slices.ContainsFunc(r.Others[command], func(p string) bool { return strings.HasPrefix(prefix, p) })
}

// Readable tells what the user may read; "" is the default one before it has authenticated, which may do nothing if it has a password. It errs towards
// nothing: key patterns are understood that name all keys or those of a prefix, and a user must be on and have GET and MGET. A server without ACL, or one that
// refuses to tell Forebay's user, gives an error.
func (c *Client) Readable(ctx context.Context, user string) (Readable, error) {
	stranger := user == ""
	if stranger {
		user = defaultUser
	}
	v, err := c.ask(ctx, "acl", "getuser", user)
	if err != nil {
		return Readable{}, fmt.Errorf("read the rights of user %q: %w", user, err)
	}
	rules := pairs(v)
	flags := texts(rules["flags"]) // a user that does not exist has none
	if !slices.Contains(flags, "on") || stranger && !slices.Contains(flags, "nopass") {
		return Readable{}, nil
	}
	return c.sure(ctx, user, readable(rules, flags))
}

// sure is what is left of r when the server has had the last word, where it can be asked (Redis 7): it knows what the rules' text cannot show.
func (c *Client) sure(ctx context.Context, user string, r Readable) (sure Readable, err error) {
	keep := func(prefixes []string, command string, words ...string) (kept []string, err error) {
		for _, prefix := range prefixes {
			may, err := c.dryRun(ctx, user, append([]string{command, prefix + "forebay"}, words...))
			if err != nil {
				return nil, err
			}
			if may {
				kept = append(kept, prefix)
			}
		}
		return kept, nil
	}
	if sure.Prefixes, err = keep(r.Prefixes, "get"); err != nil {
		return Readable{}, err
	}
	if sure.Prefixes, err = keep(sure.Prefixes, "mget"); err != nil {
		return Readable{}, err
	}
	if sure.All = slices.Contains(sure.Prefixes, ""); sure.All {
		sure.Prefixes = []string{""}
	}
	for _, l := range loading {
		prefixes, err := keep(r.Others[l.name], l.name, l.words...)
		if err != nil {
			return Readable{}, err
		}
		if len(prefixes) > 0 {
			if sure.Others == nil {
				sure.Others = map[string][]string{}
			}
			sure.Others[l.name] = prefixes
		}
	}
	return sure, nil
}

// dryRun tells whether the server would let the user run a command. One that cannot be asked leaves it to the rules' text.
func (c *Client) dryRun(ctx context.Context, user string, command []string) (bool, error) {
	words := []any{"acl", "dryrun", user}
	for _, w := range command {
		words = append(words, w)
	}
	v, err := c.ask(ctx, words...)
	switch {
	case err == nil:
		return v == "OK", nil
	case isReply(err) && isUnknown(err):
		return true, nil
	default:
		return false, fmt.Errorf("try %s as user %q: %w", command[0], user, err)
	}
}

// readable looks at each permission set, the user's root and its selectors (Redis 7). Rights of different sets do not add up: a command must be
// allowed by one set as a whole.
func readable(root map[string]any, flags []string) (r Readable) {
	r.Others = map[string][]string{}
	add := func(set map[string]any, all bool) {
		prefixes := prefixesOf(set["keys"], all)
		if hasCommand(set["commands"], "get", ofStrings) && hasCommand(set["commands"], "mget", ofStrings) {
			r.Prefixes = append(r.Prefixes, prefixes...)
		}
		for _, l := range loading {
			if hasCommand(set["commands"], l.name, l.categories) {
				r.Others[l.name] = append(r.Others[l.name], prefixes...)
			}
		}
	}
	add(root, slices.Contains(flags, "allkeys"))
	selectors, _ := root["selectors"].([]any)
	for _, s := range selectors {
		add(pairs(s), false)
	}
	return r
}

// prefixesOf lists what keys begin with that a permission set lets be read: "" alone if that is all.
func prefixesOf(keys any, all bool) (prefixes []string) {
	for _, p := range patterns(keys) {
		prefix, ok := prefixOf(p)
		if all = all || ok && prefix == ""; ok {
			prefixes = append(prefixes, prefix)
		}
	}
	if all {
		return []string{""}
	}
	return prefixes
}

// patterns lists key patterns: Redis 7 gives "~a* %R~*", Redis 6 a list of "a*".
func patterns(v any) []string {
	if s, ok := v.(string); ok {
		return strings.Fields(s)
	}
	return texts(v)
}

// prefixOf returns what every key begins with that the pattern lets be read, if it asks for nothing else.
func prefixOf(pattern string) (prefix string, ok bool) {
	if pattern == "allkeys" {
		return "", true
	}
	if kind, rest, found := strings.Cut(pattern, "~"); found && (kind == "" || kind == "%R" || kind == "%RW" || kind == "%WR") {
		pattern = rest
	} else if found && strings.HasPrefix(kind, "%") {
		return "", false // to write
	}
	prefix, ok = strings.CutSuffix(pattern, "*")
	return prefix, ok && !strings.ContainsAny(prefix, `*?[\`)
}

// hasCommand follows command rules in their order and tells whether a command of these categories is left allowed.
func hasCommand(v any, name string, categories []string) bool {
	text, _ := v.(string)
	has := false
	for rule := range strings.FieldsSeq(strings.ToLower(text)) {
		switch rule {
		case "+@all", "allcommands", "+" + name:
			has = true
		case "-@all", "nocommands", "-" + name:
			has = false
		default:
			if sign, category, ok := strings.Cut(rule, "@"); ok && slices.Contains(categories, category) {
				has = sign == "+"
			}
		}
	}
	return has
}

// ACLDigest tells whether users' rights have changed since it gave another value.
func (c *Client) ACLDigest(ctx context.Context) (uint64, error) {
	v, err := c.ask(ctx, "acl", "list")
	if err != nil {
		return 0, fmt.Errorf("list users: %w", err)
	}
	d := xxhash.New()
	for _, user := range texts(v) {
		_, _ = d.WriteString(user) // never fails
		_, _ = d.WriteString("\n")
	}
	return d.Sum64(), nil
}

// isUnknown tells whether the server does not know the command or subcommand.
func isUnknown(err error) bool {
	s := strings.ToLower(err.Error())
	return strings.Contains(s, "unknown command") || strings.Contains(s, "unknown subcommand")
}

// Authenticate tells whether Redis takes the user ("" is the default one) with the password: nil, or an error that wraps
// ErrWrongPass, or backend.ErrStoreDown if it could not be asked. It uses a connection of its own, which it closes.
// Like Redis, it takes any password for a user that is nopass.
func (c *Client) Authenticate(ctx context.Context, user, pass string) error {
	if user == "" {
		user = defaultUser
	}
	o := c.options()
	// AUTH is sent below, whatever the words are: of itself go-redis sends none for an empty password.
	o.Username, o.Password, o.PoolSize = "", "", 1
	client := goredis.NewClient(o)
	defer client.Close() //nolint:errcheck // a connection used once
	conn := client.Conn()
	defer conn.Close() //nolint:errcheck // a connection used once

	limited, cancel := context.WithTimeout(ctx, c.opt.Timeout)
	defer cancel()
	limited, done := c.during(limited)
	defer done()
	err := conn.AuthACL(limited, user, pass).Err()
	var reply goredis.Error
	if errors.As(err, &reply) && strings.HasPrefix(reply.Error(), "WRONGPASS") {
		return fmt.Errorf("authenticate user %.100q: %w", user, ErrWrongPass)
	}
	if err := c.failure(ctx, err); err != nil {
		return fmt.Errorf("authenticate user %.100q: %w", user, err)
	}
	return nil
}
