package redis

import (
	"context"
	"time"

	"forebay/backend"
)

var _ backend.Slider = (*Client)(nil)

// slideScript sets the TTL of KEYS[1] to ARGV[2] ms if it has one, of ARGV[1] ms or less, and if KEYS[2] is its stamp (stampscript.go), and returns what is left then, in a
// list. PEXPIRE alone would extend what a client has SET, with a TTL of its own or without one. That the stamp ends when the value does is not asked for here: a
// TTL that somebody has changed straight at Redis slides too.
const slideScript = stampFunctions + `
local left = redis.call('PTTL', KEYS[1])
if left < 0 or left > tonumber(ARGV[1]) or redis.call('GET', KEYS[2]) ~= digest(KEYS[1]) then return {left} end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('PEXPIRE', KEYS[2], ARGV[2])
return {tonumber(ARGV[2])}
`

// Slide implements [backend.Slider] by one pipeline of scripts. It is sent once only.
func (c *Client) Slide(ctx context.Context, db int, slides []backend.Slide) (left []time.Duration, err error) {
	pool, err := c.ready(db)
	if err != nil {
		return nil, err
	}
	calls := make([]*call, len(slides))
	for i, s := range slides {
		calls[i] = &call{by: &c.slide, keys: []any{s.Key, stampOf(c.leaseKey(s.Key))}, args: []any{s.Below.Milliseconds(), max(s.To.Milliseconds(), 1)}}
	}
	if err := c.failure(ctx, c.run(ctx, pool, calls)); err != nil {
		return nil, err
	}
	left = make([]time.Duration, len(slides))
	for i, one := range calls {
		n := int64(-1) // refused: it is the server's to say what may not be done
		if list, err := one.cmd.Result(); err == nil && len(list) == 1 {
			n, _ = list[0].(int64)
		}
		left[i] = time.Duration(n) * time.Millisecond
	}
	return left, nil
}
