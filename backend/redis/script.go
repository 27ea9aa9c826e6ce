package redis

import (
	"context"
	"crypto/sha1" //nolint:gosec // Redis names scripts by it; nothing secret depends on it
	"encoding/hex"
	"strings"

	goredis "github.com/redis/go-redis/v9"
)

// script is one that is sent often: by its digest, and by its text where the server does not know it.
type script struct{ text, digest string }

func newScript(text string) script {
	sum := sha1.Sum([]byte(text)) //nolint:gosec // as above
	return script{text, hex.EncodeToString(sum[:])}
}

// call is one run of a script, which answers with a list.
type call struct {
	by   *script
	keys []any
	args []any
	cmd  *goredis.SliceCmd
}

func (c *call) command(ctx context.Context, how, what string) *goredis.SliceCmd {
	words := make([]any, 0, 3+len(c.keys)+len(c.args))
	words = append(words, how, what, len(c.keys))
	words = append(append(words, c.keys...), c.args...)
	c.cmd = goredis.NewSliceCmd(ctx, words...)
	return c.cmd
}

// run sends first and then the calls, in one round trip, and a second time those of which the server did not know the script (after its restart), which it
// has not begun. Each call's answer or error is in its cmd. err is go-redis's own, and only for what is not a reply to one of them.
func (c *Client) run(ctx context.Context, pool *goredis.Client, calls []*call, first ...goredis.Cmder) error {
	cmds := first
	for _, one := range calls {
		cmds = append(cmds, one.command(ctx, "evalsha", one.by.digest))
	}
	if err := c.pipeline(ctx, pool, cmds); err != nil {
		return err
	}
	cmds = nil
	for _, one := range calls {
		if err := one.cmd.Err(); err != nil && strings.HasPrefix(err.Error(), "NOSCRIPT") {
			cmds = append(cmds, one.command(ctx, "eval", one.by.text))
		}
	}
	return c.pipeline(ctx, pool, cmds)
}
