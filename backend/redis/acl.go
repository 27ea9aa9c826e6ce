package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	goredis "github.com/redis/go-redis/v9"
)

// defaultUser is who a client is that has not said.
const defaultUser = "default"

// MayReadAll tells whether the user ("" is the default one) exists, is on, may run GET and may read every key by it. It
// errs towards no. A server without ACL, or one that refuses to tell Forebay's user, gives an error: that is no.
func (c *Client) MayReadAll(ctx context.Context, user string) (bool, error) {
	if user == "" {
		user = defaultUser
	}
	v, err := c.ask(ctx, "acl", "getuser", user)
	if err != nil {
		return false, fmt.Errorf("read the rights of user %q: %w", user, err)
	}
	rules := pairs(v)
	flags := texts(rules["flags"])
	if !slices.Contains(flags, "on") || !mayReadAll(rules, flags) {
		return false, nil // a user that does not exist has no flags
	}
	// The server has the last word, where it can be asked (Redis 7): it knows what the rules' text cannot show.
	v, err = c.ask(ctx, "acl", "dryrun", user, "get", "forebay")
	switch {
	case err == nil:
		return v == "OK", nil
	case isReply(err) && isUnknown(err):
		return true, nil
	default:
		return false, fmt.Errorf("try GET as user %q: %w", user, err)
	}
}

// mayReadAll looks for one permission set, the user's root or one of its selectors (Redis 7), that has all keys and GET.
// Rights of different sets do not add up: a command must be allowed by one set as a whole.
func mayReadAll(root map[string]any, flags []string) bool {
	if (slices.Contains(flags, "allkeys") || allKeys(root["keys"])) && hasGet(root["commands"]) {
		return true
	}
	selectors, _ := root["selectors"].([]any)
	return slices.ContainsFunc(selectors, func(s any) bool {
		set := pairs(s)
		return allKeys(set["keys"]) && hasGet(set["commands"])
	})
}

// allKeys tells whether key patterns let every key be read: Redis 7 gives "~a* %R~*", Redis 6 a list of "a*".
func allKeys(v any) bool {
	patterns := texts(v)
	if s, ok := v.(string); ok {
		patterns = strings.Fields(s)
	}
	return slices.ContainsFunc(patterns, func(p string) bool {
		switch p {
		case "*", "~*", "%R~*", "%RW~*", "%WR~*", "allkeys":
			return true
		}
		return false
	})
}

// hasGet follows command rules in their order and tells whether GET is left allowed.
func hasGet(v any) bool {
	text, _ := v.(string)
	has := false
	for rule := range strings.FieldsSeq(strings.ToLower(text)) {
		switch rule {
		case "+@all", "allcommands", "+get", "+@read", "+@string", "+@fast":
			has = true
		case "-@all", "nocommands", "-get", "-@read", "-@string", "-@fast":
			has = false
		}
	}
	return has
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
