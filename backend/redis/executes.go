package redis

import (
	"context"
	"errors"
	"fmt"

	goredis "github.com/redis/go-redis/v9"
)

// Executes has Redis execute a script that does nothing, on a connection made for it: nil says that it was. EVAL is postponed by CLIENT PAUSE … WRITE, as it may
// write, though not refused by a replica, nor by a Redis that is full. Forebay's user has the right to it, as leases are scripts.
func (c *Client) Executes(ctx context.Context) error {
	o := c.options()
	o.PoolSize = 1
	conn := goredis.NewClient(o)
	defer conn.Close() //nolint:errcheck // it was closed by its context
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	n, err := conn.Eval(ctx, "return 0", nil).Int()
	if err == nil && n != 0 {
		err = errors.New("not 0")
	}
	if err != nil {
		return fmt.Errorf("execute an empty script: %w", err)
	}
	return nil
}
