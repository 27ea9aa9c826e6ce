package redis

import (
	"context"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"forebay/backend"
)

var _ backend.Slider = (*Client)(nil)

// slideScript sets the TTL of KEYS[1] to ARGV[2] ms if it has one, of ARGV[1] ms or less, and returns what is left then. PEXPIRE alone would give a TTL to
// what a client has SET without one, and Redis 6 has no condition for it.
const slideScript = `local left=redis.call('PTTL',KEYS[1])
if left<0 or left>tonumber(ARGV[1]) then return left end
redis.call('PEXPIRE',KEYS[1],ARGV[2]) return tonumber(ARGV[2])`

// Slide implements [backend.Slider] by one pipeline of scripts. It is sent once only.
func (c *Client) Slide(ctx context.Context, db int, slides []backend.Slide) (left []time.Duration, err error) {
	pool, err := c.ready(db)
	if err != nil {
		return nil, err
	}
	cmds := make([]goredis.Cmder, len(slides))
	for i, s := range slides {
		cmds[i] = goredis.NewIntCmd(ctx, "eval", slideScript, 1, s.Key, s.Below.Milliseconds(), max(s.To.Milliseconds(), 1))
	}
	if err := c.failure(ctx, c.pipeline(ctx, pool, cmds)); err != nil {
		return nil, err
	}
	left = make([]time.Duration, len(slides))
	for i, cmd := range cmds {
		n, err := cmd.(*goredis.IntCmd).Result()
		if err != nil {
			n = -1 // refused: it is the server's to say what may not be done
		}
		left[i] = time.Duration(n) * time.Millisecond
	}
	return left, nil
}
