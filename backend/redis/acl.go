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

// Readable is what a user may read without Redis being asked. The zero Readable is nothing.
type Readable struct {
	All      bool     // by GET and MGET
	Prefixes []string // of keys, by GET and MGET: every key that begins so; "" alone if that is all
	// By are the same by each of the commands that load (get, mget, getrange, hgetall …, in lower case).
	By map[string][]string
}

// Everything is what a user may read of a server that knows no rights.
func Everything() Readable {
	by := map[string][]string{}
	for _, l := range loading {
		by[l.name] = []string{""}
	}
	return readableBy(by)
}

func readableBy(by map[string][]string) Readable {
	r := Readable{By: by}
	for _, prefix := range by["get"] {
		if slices.Contains(by["mget"], prefix) {
			r.Prefixes = append(r.Prefixes, prefix)
		}
	}
	r.All = slices.Contains(r.Prefixes, "")
	return r
}

// Covers tells whether every key that begins with prefix may be read.
func (r Readable) Covers(prefix string) bool {
	return r.All || slices.ContainsFunc(r.Prefixes, func(p string) bool { return strings.HasPrefix(prefix, p) })
}

// CoversBy tells whether the command may be run for every key that begins with prefix.
func (r Readable) CoversBy(command, prefix string) bool {
	return slices.ContainsFunc(r.By[command], func(p string) bool { return strings.HasPrefix(prefix, p) })
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

// sure is what is left of what rules seem to allow when the server has had the last word, where it can be asked (Redis 7): it knows what the rules' text
// cannot show.
func (c *Client) sure(ctx context.Context, user string, by map[string][]string) (Readable, error) {
	for _, l := range loading {
		kept := by[l.name][:0]
		for _, prefix := range by[l.name] {
			may, err := c.dryRun(ctx, user, append([]string{l.name, prefix + "forebay"}, l.words...))
			if err != nil {
				return Readable{}, err
			}
			if may {
				kept = append(kept, prefix)
			}
		}
		if by[l.name] = kept; slices.Contains(kept, "") {
			by[l.name] = []string{""}
		}
	}
	return readableBy(by), nil
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
func readable(root map[string]any, flags []string) (by map[string][]string) {
	by = map[string][]string{}
	add := func(set map[string]any, all bool) {
		prefixes := prefixesOf(set["keys"], all)
		for _, l := range loading {
			if hasCommand(set["commands"], l.name, l.categories) {
				by[l.name] = append(by[l.name], prefixes...)
			}
		}
	}
	add(root, slices.Contains(flags, "allkeys"))
	selectors, _ := root["selectors"].([]any)
	for _, s := range selectors {
		add(pairs(s), false)
	}
	return by
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

// Users is what ACL LIST tells of all users.
type Users struct {
	Digest uint64   // another one when anybody's rights have changed
	Names  []string // nil: the server knows no users
}

// Users asks for it.
func (c *Client) Users(ctx context.Context) (Users, error) {
	v, err := c.ask(ctx, "acl", "list")
	if err != nil {
		return Users{}, fmt.Errorf("list users: %w", err)
	}
	var u Users
	d := xxhash.New()
	for _, rules := range texts(v) { // "user NAME on …"
		_, _ = d.WriteString(rules) // never fails
		_, _ = d.WriteString("\n")
		if words := strings.Fields(rules); len(words) > 1 {
			u.Names = append(u.Names, words[1])
		}
	}
	u.Digest = d.Sum64()
	return u, nil
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
