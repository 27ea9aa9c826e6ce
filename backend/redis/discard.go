package redis

import (
	"context"
	"crypto/sha1" //nolint:gosec // Redis's scripts know no other digest; nothing secret depends on it
	"encoding/hex"
	"errors"
	"fmt"

	goredis "github.com/redis/go-redis/v9"

	"forebay/backend"
)

// discardMost is how many bytes of a value are compared. Redis does nothing else meanwhile: a MiB takes it about 2 ms.
const discardMost = 1 << 20

// discardScript removes KEYS[1] if it still holds what was seen: a string of ARGV[1] bytes, of which the first ARGV[2] have the SHA-1
// ARGV[3]. The digest goes up instead of the bytes.
//
// Why a value that a client has written since stays, though it was a bad one that was seen:
//
//  1. R reads k and is given v1, which breaks its route's rules.
//  2. W sets k to v2.
//  3. R discards v1: the script, which nothing comes between, finds v2 and leaves it. Had R asked for the value and then sent DEL, 2 could
//     have come between the two.
const discardScript = `if redis.call('TYPE',KEYS[1]).ok~='string' or redis.call('STRLEN',KEYS[1])~=tonumber(ARGV[1]) then return 0 end
local head='' if ARGV[2]~='0' then head=redis.call('GETRANGE',KEYS[1],0,ARGV[2]-1) end
if redis.sha1hex(head)~=ARGV[3] then return 0 end
return redis.call('UNLINK',KEYS[1])`

// headScript returns the size and the first ARGV[1] bytes of KEYS[1], or nil.
const headScript = `if redis.call('EXISTS',KEYS[1])==0 then return false end
return {redis.call('STRLEN',KEYS[1]),redis.call('GETRANGE',KEYS[1],0,ARGV[1]-1)}`

// Discard implements [backend.Discarder] by one pipeline of scripts. It is sent once only.
func (c *Client) Discard(ctx context.Context, db int, seen []backend.Seen) (removed []bool, errs []error, err error) {
	pool, err := c.ready(db)
	if err != nil {
		return nil, nil, err
	}
	cmds := make([]goredis.Cmder, len(seen))
	for i, s := range seen {
		head := s.Head[:min(len(s.Head), discardMost)]
		sum := sha1.Sum(head) //nolint:gosec // as above
		cmds[i] = goredis.NewIntCmd(ctx, "eval", discardScript, 1, s.Key, s.Size, len(head), hex.EncodeToString(sum[:]))
	}
	if err := c.failure(ctx, c.pipeline(ctx, pool, cmds)); err != nil {
		return nil, nil, err
	}
	removed, errs = make([]bool, len(seen)), make([]error, len(seen))
	for i, cmd := range cmds {
		n, err := cmd.(*goredis.IntCmd).Result()
		if err != nil {
			errs[i] = fmt.Errorf("discard %.100q: %w", seen[i].Key, err)
		}
		removed[i] = n > 0
	}
	return removed, errs, nil
}

// Head implements [backend.Discarder].
func (c *Client) Head(ctx context.Context, db int, key []byte, most int) (head []byte, size int64, err error) {
	pool, err := c.ready(db)
	if err != nil {
		return nil, 0, err
	}
	cmd := goredis.NewSliceCmd(ctx, "eval", headScript, 1, key, max(most, 1))
	if err := c.failure(ctx, c.pipeline(ctx, pool, []goredis.Cmder{cmd})); err != nil {
		return nil, 0, err
	}
	list, err := cmd.Result()
	switch {
	case errors.Is(err, goredis.Nil):
		return nil, 0, nil
	case err != nil:
		return nil, 0, fmt.Errorf("get the head of %.100q: %w", key, err)
	}
	if len(list) == 2 {
		n, isSize := list[0].(int64)
		text, isText := list[1].(string)
		if isSize && isText {
			return []byte(text), n, nil
		}
	}
	return nil, 0, fmt.Errorf("get the head of %.100q: the answer is not a size and bytes", key)
}
