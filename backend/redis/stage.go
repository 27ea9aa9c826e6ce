package redis

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/cespare/xxhash/v2"
	goredis "github.com/redis/go-redis/v9"

	"forebay/backend"
)

const (
	// stagePrefix begins the hidden keys of values on their way.
	stagePrefix = "__forebay:stage:"
	// stageLife is how long a stage stays after its last chunk, so that a crash leaves nothing. Longer than any pause of the source that the
	// load of an object survives.
	stageLife = time.Minute
)

// commitScript makes the stage the key's value, if it is whole and the key absent: 1, else 0, or -1 if the stage is not what was appended. The
// value itself never goes through Lua: of 47 MB, that would stop Redis for 100 ms. KEYS: stage, key. ARGV: TTL in milliseconds, size.
const commitScript = `if redis.call('STRLEN',KEYS[1])~=tonumber(ARGV[2]) then redis.call('UNLINK',KEYS[1]) return -1 end
if redis.call('RENAMENX',KEYS[1],KEYS[2])==0 then redis.call('UNLINK',KEYS[1]) return 0 end
redis.call('PEXPIRE',KEYS[2],ARGV[1]) return 1`

// errStageLost means that Redis has dropped a stage, as one that is short of memory may.
var errStageLost = errors.New("the staged value was evicted or changed while it was written")

// stage is a value that is written by APPENDs to a hidden key, in the slot of its own key.
//
// Each chunk is one round trip on a connection of the pool, which no one else has meanwhile: what is on its way is one chunk, and
// Redis serves others between two of them. The connection may be another each time, as each reply is awaited.
//
// Redis may evict the stage midway, and the next APPEND would then begin it anew: each reply's length must be what was appended so far, and
// the script compares once more.
type stage struct {
	client *Client
	pool   *goredis.Client
	key    []byte
	name   string // of the hidden key
	size   int64
	ended  bool

	whole      *xxhash.Digest // of all bytes, up to markWholeMost
	head, tail []byte         // the first and the last markEnd bytes
}

var _ backend.Stager = (*Client)(nil)

// Stage implements [backend.Stager]. Nothing is sent before the first Append.
func (c *Client) Stage(_ context.Context, db int, key []byte) (backend.Stage, error) {
	pool, err := c.ready(db)
	if err != nil {
		return nil, err
	}
	return &stage{
		client: c, pool: pool, key: append([]byte(nil), key...),
		name: stagePrefix + "{" + slotTag(key) + "}:" + rand.Text(), whole: xxhash.New(),
	}, nil
}

// Append implements [backend.Stage]. The first chunk is a SET with its TTL, in one step; with each of the others the TTL begins anew.
func (s *stage) Append(ctx context.Context, chunk []byte) error {
	var cmds []goredis.Cmder
	ms := stageLife.Milliseconds()
	if s.size == 0 {
		cmds = []goredis.Cmder{goredis.NewStatusCmd(ctx, "set", s.name, chunk, "px", ms)}
	} else {
		cmds = []goredis.Cmder{goredis.NewIntCmd(ctx, "append", s.name, chunk), goredis.NewIntCmd(ctx, "pexpire", s.name, ms)}
	}
	if err := s.client.failure(ctx, s.client.pipeline(ctx, s.pool, cmds)); err != nil {
		return fmt.Errorf("stage %.100q: %w", s.key, err)
	}
	for _, cmd := range cmds {
		if err := cmd.Err(); err != nil {
			return fmt.Errorf("stage %.100q: %w", s.key, err)
		}
	}
	s.size += int64(len(chunk))
	if n, ok := cmds[0].(*goredis.IntCmd); ok && n.Val() != s.size {
		return fmt.Errorf("stage %.100q: %w", s.key, errStageLost)
	}
	s.note(chunk)
	return nil
}

// Commit implements [backend.Stage] by one script. It is sent once only.
func (s *stage) Commit(ctx context.Context, ttl time.Duration, track bool) (stored bool, err error) {
	if ttl <= 0 {
		return false, fmt.Errorf("store %.100q: ttl %v is not above zero", s.key, ttl)
	}
	s.ended = true
	ms := int64(max(ttl/time.Millisecond, 1))
	cmd := goredis.NewIntCmd(ctx, "eval", commitScript, 2, s.name, s.key, ms, s.size)
	cmds := []goredis.Cmder{cmd, s.remember(ctx, track)}
	if err := s.client.failure(ctx, s.client.pipeline(ctx, s.pool, cmds)); err != nil {
		return false, fmt.Errorf("store %.100q: %w", s.key, err)
	}
	switch n, err := cmd.Result(); {
	case err != nil:
		s.ended = false
		s.Abort(ctx)
		return false, fmt.Errorf("store %.100q: %w", s.key, err)
	case n < 0:
		return false, fmt.Errorf("store %.100q: %w", s.key, errStageLost)
	default:
		return n == 1, nil
	}
}

// Abort implements [backend.Stage].
func (s *stage) Abort(ctx context.Context) {
	if s.ended {
		return
	}
	s.ended = true
	if !s.client.Up() {
		return
	}
	_ = s.client.pipeline(ctx, s.pool, []goredis.Cmder{goredis.NewIntCmd(ctx, "unlink", s.name)}) // else its TTL ends it
}

// note keeps of the value what its mark is made of.
func (s *stage) note(chunk []byte) {
	if s.size <= markWholeMost {
		_, _ = s.whole.Write(chunk) // never fails
	}
	if n := markEnd - len(s.head); n > 0 {
		s.head = append(s.head, chunk[:min(n, len(chunk))]...)
	}
	if len(chunk) >= markEnd {
		s.tail = append(s.tail[:0], chunk[len(chunk)-markEnd:]...)
		return
	}
	s.tail = append(s.tail, chunk...)
	if over := len(s.tail) - markEnd; over > 0 {
		s.tail = append(s.tail[:0], s.tail[over:]...)
	}
}

// remember makes the command that marks the value as filled, or as nobody's; like [remember], whether it is stored or refused.
func (s *stage) remember(ctx context.Context, track bool) goredis.Cmder {
	if !track {
		return goredis.NewIntCmd(ctx, "hdel", sessionFilled, s.key)
	}
	mark := newMark(markWhole, int(s.size), s.whole.Sum64())
	if s.size > markWholeMost {
		mark = markOfEnds(int(s.size), s.head, s.tail)
	}
	return goredis.NewIntCmd(ctx, "hset", sessionFilled, s.key, string(mark))
}
