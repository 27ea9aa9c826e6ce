package redis

import (
	"context"
	"fmt"

	goredis "github.com/redis/go-redis/v9"
)

// Exists implements [backend.Store] by a pipeline of EXISTS, one round trip for up to 4,096 keys. A connection that proves broken is replaced
// and asked once more: EXISTS changes nothing, and after a restart of Redis the pool may hold dead ones.
func (c *Client) Exists(ctx context.Context, db int, keys [][]byte) ([]bool, error) {
	pool, err := c.ready(db)
	if err != nil {
		return nil, err
	}
	there := make([]bool, len(keys))
	for from := 0; from < len(keys); from += getBatch {
		to := min(from+getBatch, len(keys))
		err := c.exist(ctx, pool, keys[from:to], there[from:to])
		if err != nil && isBroken(err) && ctx.Err() == nil {
			err = c.exist(ctx, pool, keys[from:to], there[from:to])
		}
		if err = c.failure(ctx, err); err != nil {
			return nil, err
		}
	}
	return there, nil
}

// exist asks for one batch.
func (c *Client) exist(ctx context.Context, pool *goredis.Client, keys [][]byte, there []bool) error {
	cmds := make([]goredis.Cmder, len(keys))
	for i, k := range keys {
		cmds[i] = goredis.NewIntCmd(ctx, "exists", k)
	}
	if err := c.pipeline(ctx, pool, cmds); err != nil {
		return err
	}
	for i, cmd := range cmds {
		n, err := cmd.(*goredis.IntCmd).Result()
		if err != nil {
			return fmt.Errorf("look for %.100q: %w", keys[i], err)
		}
		there[i] = n == 1
	}
	return nil
}
