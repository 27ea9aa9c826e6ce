package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	goredis "github.com/redis/go-redis/v9"

	"forebay/backend"
)

var _ backend.Positions = (*Client)(nil)

// positionPrefix begins the hash that holds a topic's positions, by partition, in database 0.
const positionPrefix = hiddenPrefix + "position:"

// advanceScript raises field ARGV[1] of KEYS[1] to ARGV[3], unless it is below ARGV[2] or at least ARGV[3] already, and returns what it is then. One that is
// not there is set.
const advanceScript = `local now=tonumber(redis.call('HGET',KEYS[1],ARGV[1]))
if now and (now<tonumber(ARGV[2]) or now>=tonumber(ARGV[3])) then return now end
redis.call('HSET',KEYS[1],ARGV[1],ARGV[3]) return tonumber(ARGV[3])`

// Position implements [backend.Positions].
func (c *Client) Position(ctx context.Context, topic string, partition int) (offset int64, known bool, err error) {
	v, err := c.ask(ctx, "hget", positionPrefix+topic, strconv.Itoa(partition))
	if errors.Is(err, goredis.Nil) || err == nil && v == nil {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("read the position in topic %s: %w", topic, err)
	}
	offset, err = strconv.ParseInt(fmt.Sprint(v), 10, 64)
	if err != nil {
		return 0, false, fmt.Errorf("read the position in topic %s: %w", topic, err)
	}
	return offset, true, nil
}

// Advance implements [backend.Positions].
func (c *Client) Advance(ctx context.Context, topic string, partition int, was, offset int64) (kept int64, err error) {
	v, err := c.ask(ctx, "eval", advanceScript, 1, positionPrefix+topic, partition, was, offset)
	if err != nil {
		return 0, fmt.Errorf("keep the position in topic %s: %w", topic, err)
	}
	kept, ok := v.(int64)
	if !ok {
		return 0, fmt.Errorf("keep the position in topic %s: the answer is no number", topic)
	}
	return kept, nil
}
