package redis

import (
	"context"
	"fmt"
	"strings"

	goredis "github.com/redis/go-redis/v9"

	"forebay/backend"
)

var _ backend.Remover = (*Client)(nil)

const (
	// removeBatch is how many keys one UNLINK names: Redis does nothing else meanwhile, which is about 0.2 ms for so many.
	removeBatch = 512
	// scanCount is how many places of its table Redis looks at in one round of SCAN.
	scanCount = 2048
)

// Remove implements [backend.Remover] by a pipeline of UNLINKs. It is sent once only.
func (c *Client) Remove(ctx context.Context, db int, keys [][]byte) (removed int64, err error) {
	pool, err := c.ready(db)
	if err != nil {
		return 0, err
	}
	var cmds []goredis.Cmder
	for from := 0; from < len(keys); from += removeBatch {
		words := []any{"unlink"}
		for _, k := range keys[from:min(from+removeBatch, len(keys))] {
			words = append(words, k)
		}
		cmds = append(cmds, goredis.NewIntCmd(ctx, words...))
	}
	if err := c.failure(ctx, c.pipeline(ctx, pool, cmds)); err != nil {
		return 0, err
	}
	for _, cmd := range cmds {
		n, err := cmd.(*goredis.IntCmd).Result()
		if err != nil {
			return removed, fmt.Errorf("remove %d keys: %w", len(keys), err)
		}
		removed += n
	}
	return removed, nil
}

// Keys implements [backend.Remover] by SCAN.
func (c *Client) Keys(ctx context.Context, db int, prefix string, cursor uint64) (keys [][]byte, next uint64, err error) {
	pool, err := c.ready(db)
	if err != nil {
		return nil, 0, err
	}
	words := []any{"scan", cursor, "match", globOf(prefix), "count", scanCount}
	cmd := goredis.NewSliceCmd(ctx, words...)
	if err := c.failure(ctx, c.pipeline(ctx, pool, []goredis.Cmder{cmd})); err != nil {
		return nil, 0, err
	}
	list, err := cmd.Result()
	if err != nil {
		return nil, 0, fmt.Errorf("list keys: %w", err)
	}
	if len(list) == 2 {
		at, isText := list[0].(string)
		found, isList := list[1].([]any)
		if _, err := fmt.Sscan(at, &next); err == nil && isText && isList {
			for _, k := range found {
				keys = append(keys, []byte(fmt.Sprint(k)))
			}
			return keys, next, nil
		}
	}
	return nil, 0, fmt.Errorf("list keys: the answer is not a cursor and keys")
}

// globOf is the pattern of what begins with prefix.
func globOf(prefix string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`).Replace(prefix) + "*"
}
