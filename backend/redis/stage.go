package redis

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/cespare/xxhash/v2"
	goredis "github.com/redis/go-redis/v9"

	"forebay/backend"
)

const (
	// stagePrefix begins the hidden keys of values on their way.
	stagePrefix = hiddenPrefix + "stage:"
	// stageLife is how long a stage stays that is neither committed nor aborted, so that a crash leaves nothing.
	stageLife = time.Minute
)

// errStageLost means that Redis has dropped a stage, as one that is short of memory may.
var errStageLost = errors.New("the staged value was evicted or changed before it was stored")

// stage is a value that is written by one SET of a hidden key, in the slot of its own key, whose bytes are sent as they come, on a connection
// of its own.
//
// Redis reads such a bulk into a buffer of its size, page by page as it arrives, and makes that the value without a copy: no other client
// waits. (APPEND copies the value whenever it outgrows its block, each 1 MiB: measured for 47 MB, pauses of 12 to 30 ms, twenty of them.) The key
// appears with the last byte, with its TTL; until then a closed connection leaves nothing.
//
// It may be evicted before the commit: the script compares its length.
type stage struct {
	client *Client
	pool   *goredis.Client
	conn   *stageConn // nil before the first Append, and when the value is sent
	db     int
	key    []byte
	name   string // of the hidden key
	size   int64  // in all
	sent   int64
	ended  bool

	whole      *xxhash.Digest // of all bytes, up to markWholeMost
	head, tail []byte         // the first and the last markEnd bytes
}

var _ backend.Stager = (*Client)(nil)

// Stage implements [backend.Stager]. Nothing is sent before the first Append.
func (c *Client) Stage(_ context.Context, db int, key []byte, size int64) (backend.Stage, error) {
	pool, err := c.ready(db)
	if err != nil {
		return nil, err
	}
	return &stage{
		client: c, pool: pool, db: db, key: append([]byte(nil), key...), size: size,
		name: c.stageName(key), whole: xxhash.New(),
	}, nil
}

// stageName is that of a new stage, in the slot of its key.
func (c *Client) stageName(key []byte) string {
	tag, _ := c.slotTag(key)
	return stagePrefix + "{" + tag + "}:" + rand.Text()
}

// Append implements [backend.Stage].
func (s *stage) Append(ctx context.Context, chunk []byte) error {
	if err := s.append(ctx, chunk); err != nil {
		s.hangUp()
		var reply replyError
		if !errors.As(err, &reply) || isShut(reply.Error()) {
			s.client.state.kick()
			err = s.client.down(err)
		}
		return fmt.Errorf("stage %.100q: %w", s.key, err)
	}
	return nil
}

func (s *stage) append(ctx context.Context, chunk []byte) (err error) {
	if int64(len(chunk)) > s.size-s.sent {
		return replyError(fmt.Sprintf("%d bytes come after %d of %d", len(chunk), s.sent, s.size))
	}
	if s.conn == nil {
		if s.conn, err = s.client.dialStage(ctx, s.db); err != nil {
			return err
		}
		if err = s.conn.send(fmt.Appendf(nil, "*5\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%d\r\n", len(s.name), s.name, s.size)); err != nil {
			return err
		}
	}
	if err = s.conn.send(chunk); err != nil {
		return err
	}
	s.sent += int64(len(chunk))
	s.note(chunk)
	if s.sent < s.size {
		return nil
	}
	ms := strconv.FormatInt(stageLife.Milliseconds(), 10)
	if err = s.conn.send(fmt.Appendf(nil, "\r\n$2\r\nPX\r\n$%d\r\n%s\r\n", len(ms), ms)); err == nil {
		err = s.conn.ok()
	}
	if err == nil {
		s.hangUp()
	}
	return err
}

// hangUp closes the connection. A SET that is not whole ends with it.
func (s *stage) hangUp() {
	if s.conn != nil {
		_ = s.conn.Close()
		s.conn = nil
	}
}

// Commit implements [backend.Stage] by stampScript, so that the TTL can slide: the value itself never goes through Lua. It is sent once only.
func (s *stage) Commit(ctx context.Context, lease backend.Lease, ttl time.Duration, track bool) (stored bool, err error) {
	if ttl <= 0 {
		return false, fmt.Errorf("store %.100q: ttl %v is not above zero", s.key, ttl)
	}
	s.ended = true
	one := &call{by: &s.client.stamp, keys: []any{generationKey, sessionFilled}}
	hidden := s.client.leaseKey(s.key)
	t := term{op: "m", lease: lease, ttl: ttl, arg: strconv.FormatInt(s.size, 10), mark: s.mark(track), staged: s.name, stamps: true, stamp: stampOf(hidden)}
	t.into(one, s.key, hidden)
	if err := s.client.failure(ctx, s.client.run(ctx, s.pool, []*call{one})); err != nil {
		return false, fmt.Errorf("store %.100q: %w", s.key, err)
	}
	list, err := one.cmd.Result()
	if err == nil && len(list) != 1 {
		err = errors.New("the script's answer has another length")
	}
	if err != nil {
		s.ended = false
		s.Abort(ctx)
		return false, fmt.Errorf("store %.100q: %w", s.key, err)
	}
	switch said := list[0].(type) {
	case string:
		if said == "LOST" {
			return false, fmt.Errorf("store %.100q: %w", s.key, errStageLost)
		}
		return false, fmt.Errorf("store %.100q: %w", s.key, replyError(said))
	default:
		return said == int64(1), nil
	}
}

// Abort implements [backend.Stage].
func (s *stage) Abort(ctx context.Context) {
	s.hangUp()
	if s.ended || s.sent < s.size || !s.client.Up() {
		return // nothing is there, or can be removed
	}
	s.ended = true
	_ = s.client.pipeline(ctx, s.pool, []goredis.Cmder{goredis.NewIntCmd(ctx, "unlink", s.name)}) // else its TTL ends it
}

// note keeps of the value what its mark is made of.
func (s *stage) note(chunk []byte) {
	if s.size <= markWholeMost { // of a larger one only the ends count
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

// mark is what the index of fills is to hold of the value: ” if that is nobody's to give back.
func (s *stage) mark(track bool) string {
	switch {
	case !track:
		return ""
	case s.size > markWholeMost:
		return string(markOfEnds(int(s.size), s.head, s.tail))
	default:
		return string(newMark(markWhole, int(s.size), s.whole.Sum64()))
	}
}
