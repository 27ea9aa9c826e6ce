package redis

import (
	"context"
	"fmt"

	goredis "github.com/redis/go-redis/v9"

	"forebay/backend"
)

// fillScript stores a hash if the key is absent: HSET has no NX for a key. ARGV: TTL in milliseconds, then the fields.
const fillScript = `if redis.call('EXISTS',KEYS[1])==1 then return 0 end
for i=2,#ARGV,1000 do redis.call('HSET',KEYS[1],unpack(ARGV,i,math.min(i+999,#ARGV))) end
redis.call('PEXPIRE',KEYS[1],ARGV[1]) return 1`

// fillHash makes the command that fills a hash. The key and the TTL are set in one step: no other client sees the one without the other.
func fillHash(ctx context.Context, e *backend.Entry, ms int64) goredis.Cmder {
	args := []any{"eval", fillScript, 1, e.Key, ms}
	backend.EachField(e.Value, func(name, value []byte) { args = append(args, name, value) })
	return goredis.NewIntCmd(ctx, args...)
}

// refusedHash tells whether a fill of a hash found the key there.
func refusedHash(cmd goredis.Cmder) bool {
	n, ok := cmd.(*goredis.IntCmd)
	return ok && n.Val() == 0
}

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
