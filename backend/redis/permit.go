package redis

import (
	"context"
	"fmt"
	"slices"
)

// Permits tells whether the user ("" for one that has not authenticated) may run the command, words and keys. It errs towards no: Redis 6
// cannot be asked. A server that knows no users lets everybody do everything. An error means that Redis did not answer, or refuses to tell Forebay's user.
func (c *Client) Permits(ctx context.Context, user string, args [][]byte) (bool, error) {
	if user == "" {
		user = defaultUser
		v, err := c.ask(ctx, "acl", "getuser", user)
		if isReply(err) && isUnknown(err) {
			return true, nil
		}
		if err != nil {
			return false, fmt.Errorf("read the rights of user %q: %w", user, err)
		}
		if !slices.Contains(texts(pairs(v)["flags"]), "nopass") {
			return false, nil // who has no password to show may do nothing
		}
	}
	words := []any{"acl", "dryrun", user}
	for _, a := range args {
		words = append(words, a)
	}
	v, err := c.ask(ctx, words...)
	switch {
	case err == nil:
		return v == "OK", nil
	case isReply(err) && !isShut(err.Error()):
		return false, nil // the user or the command is unknown, its words are wrong, or the server is older
	default:
		return false, fmt.Errorf("try a command as user %q: %w", user, err)
	}
}
