package redis

import (
	"context"
	"errors"
	"fmt"

	goredis "github.com/redis/go-redis/v9"
)

// getBatch is how many GETs go out before their replies are read: it bounds what Redis must hold for us.
const getBatch = 4096

// Get implements [backend.Store] by a pipeline of GETs: unlike MGET, which answers nil for a hash as for an absent key, each
// reply tells absent, present and another type apart. One round trip for up to 4,096 keys.
//
// The values are the bytes that were read from the connection, not copied again. A connection that proves broken is
// replaced and asked once more: a GET changes nothing, and after a restart of Redis the pool may hold dead ones.
func (c *Client) Get(ctx context.Context, db int, keys [][]byte) (values [][]byte, errs []error, err error) {
	pool, err := c.ready(db)
	if err != nil {
		return nil, nil, err
	}
	values = make([][]byte, len(keys))
	errs = make([]error, len(keys))
	for from := 0; from < len(keys); from += getBatch {
		to := min(from+getBatch, len(keys))
		err = c.get(ctx, pool, keys[from:to], values[from:to], errs[from:to])
		if err != nil && isBroken(err) && ctx.Err() == nil {
			err = c.get(ctx, pool, keys[from:to], values[from:to], errs[from:to])
		}
		if err = c.failure(ctx, err); err != nil {
			return nil, nil, err
		}
	}
	return values, errs, nil
}

// get asks for one batch. err is go-redis's own, and only for what is not a reply to one key.
func (c *Client) get(ctx context.Context, pool *goredis.Client, keys, values [][]byte, errs []error) error {
	cmds := make([]goredis.Cmder, len(keys))
	for i, k := range keys {
		cmds[i] = goredis.NewStringCmd(ctx, "get", k)
	}
	if err := c.pipeline(ctx, pool, cmds); err != nil {
		return err
	}
	for i, cmd := range cmds {
		v, err := cmd.(*goredis.StringCmd).Bytes()
		switch {
		case err == nil && v == nil:
			values[i] = []byte{} // present and empty: Bytes gives nil for ""
		case err == nil:
			values[i] = v
		case !errors.Is(err, goredis.Nil):
			errs[i] = fmt.Errorf("get %.100q: %w", keys[i], err)
		}
	}
	return nil
}

// ready returns the pool of a database.
//
// While Redis is known to be down, it fails at once: a host that drops packets would otherwise cost every caller the
// whole timeout. The prober finds out when that ends.
func (c *Client) ready(db int) (*goredis.Client, error) {
	if c.state.state.Load() == isDown {
		return nil, c.down(*c.state.why.Load()) // set before the state is
	}
	return c.pool(db)
}

// pipeline sends cmds in one write and reads their replies. Its error is for the call as a whole; a reply that is an
// error stays with its command, unless it is one that the server gives to every command alike.
func (c *Client) pipeline(ctx context.Context, pool *goredis.Client, cmds []goredis.Cmder) error {
	if len(cmds) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, c.opt.Timeout)
	defer cancel()
	pipe := pool.Pipeline()
	for _, cmd := range cmds {
		_ = pipe.Process(ctx, cmd) // queues it: always nil
	}
	_, err := pipe.Exec(ctx)
	if err == nil || isUnasked(err) {
		return err
	}
	answered := false
	for _, cmd := range cmds {
		if err := cmd.Err(); err != nil {
			answered = true
			if !errors.Is(err, goredis.Nil) && isUnasked(err) {
				return err
			}
		}
	}
	if !answered {
		// The handshake was refused (SELECT, say). go-redis returns that but leaves the commands without an error, as if
		// each had been answered by "".
		return fmt.Errorf("prepare a connection: %w", err)
	}
	return nil
}
