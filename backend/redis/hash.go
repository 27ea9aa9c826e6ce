package redis

import (
	"context"
	"fmt"

	goredis "github.com/redis/go-redis/v9"

	"forebay/backend"
)

// GetHashes implements [backend.Store] by a pipeline of HGETALLs.
func (c *Client) GetHashes(ctx context.Context, db int, keys [][]byte) (values [][]byte, errs []error, err error) {
	pool, err := c.ready(db)
	if err != nil {
		return nil, nil, err
	}
	cmds := make([]goredis.Cmder, len(keys))
	for i, k := range keys {
		cmds[i] = goredis.NewMapStringStringCmd(ctx, "hgetall", k)
	}
	if err := c.failure(ctx, c.pipeline(ctx, pool, cmds)); err != nil {
		return nil, nil, err
	}
	values, errs = make([][]byte, len(keys)), make([]error, len(keys))
	for i, cmd := range cmds {
		fields, err := cmd.(*goredis.MapStringStringCmd).Result()
		if err != nil {
			errs[i] = fmt.Errorf("get %.100q: %w", keys[i], err)
			continue
		}
		for name, value := range fields {
			values[i] = backend.AppendField(values[i], []byte(name), []byte(value))
		}
	}
	return values, errs, nil
}
