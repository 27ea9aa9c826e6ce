package redis

import (
	"context"
	"errors"
	"fmt"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"forebay/backend"
)

// What is compared in one step: it bounds the memory here, and the chance that a writer comes between.
const (
	releaseKeys  = 256
	releaseBytes = 4 << 20
	// releaseWithin is what one step may take; a server that is slow under load is not thereby down.
	releaseWithin = 5 * time.Second
)

// Release implements [backend.Sessions]. Each step watches some keys on a connection that is its alone, reads their values and their
// marks, and removes those that agree in a transaction.
//
// Why a value that a client wrote is never removed, whichever way the write came:
//
//  1. WATCH k.
//  2. A client writes k here: 3 reads its value, which differs from the mark, and only the mark is removed.
//  3. GET k, and its mark.
//  4. A client writes k here, be it the very bytes that were read: Redis aborts 5.
//  5. MULTI, UNLINK k, EXEC.
//
// A step that is aborted is tried again key by key, and a key whose step is aborted again is left as it is. A client that wrote exactly
// the bytes that Forebay had filled, before 1, is not told apart: the source has them.
func (c *Client) Release(ctx context.Context, db int, keys []string) (removed, bytes int64, err error) {
	pool, err := c.ready(db)
	if err != nil || len(keys) == 0 {
		return 0, 0, err
	}
	var step []string
	var stepBytes int64
	flush := func() error {
		n, size, err := c.releaseStep(ctx, pool, step)
		removed, bytes = removed+n, bytes+size
		step, stepBytes = step[:0], 0
		return err
	}
	for from := 0; from < len(keys); from += getBatch {
		some := keys[from:min(from+getBatch, len(keys))]
		marks, err := c.marks(ctx, pool, some)
		if err != nil {
			return removed, bytes, err
		}
		for i, m := range marks {
			if m == "" {
				continue
			}
			if len(step) == releaseKeys || len(step) > 0 && stepBytes+m.size() > releaseBytes {
				if err := flush(); err != nil {
					return removed, bytes, err
				}
			}
			step, stepBytes = append(step, some[i]), stepBytes+m.size()
		}
	}
	if len(step) > 0 {
		err = flush()
	}
	return removed, bytes, err
}

// marks reads the marks of keys, "" where there is none.
func (c *Client) marks(ctx context.Context, on goredis.Cmdable, keys []string) ([]fillMark, error) {
	ctx, cancel := context.WithTimeout(ctx, c.opt.Timeout)
	defer cancel()
	list, err := on.HMGet(ctx, sessionFilled, keys...).Result()
	if err := c.failure(ctx, err); err != nil {
		return nil, fmt.Errorf("read marks of fills: %w", err)
	}
	marks := make([]fillMark, len(keys))
	for i := range marks {
		if s, ok := list[i].(string); ok {
			marks[i] = fillMark(s)
		}
	}
	return marks, nil
}

// releaseStep releases a few keys, all at once, and key by key if that is interfered with.
func (c *Client) releaseStep(ctx context.Context, pool *goredis.Client, keys []string) (removed, bytes int64, err error) {
	removed, bytes, err = c.releaseOnce(ctx, pool, keys)
	if !errors.Is(err, goredis.TxFailedErr) {
		return removed, bytes, err
	}
	for _, key := range keys {
		n, size, err := c.releaseOnce(ctx, pool, []string{key})
		if err != nil && !errors.Is(err, goredis.TxFailedErr) {
			return removed, bytes, err
		}
		removed, bytes = removed+n, bytes+size
	}
	return removed, bytes, nil
}

// releaseOnce is one step. goredis.TxFailedErr means that a key was written meanwhile and nothing was done.
func (c *Client) releaseOnce(ctx context.Context, pool *goredis.Client, keys []string) (removed, bytes int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, max(c.opt.Timeout, releaseWithin))
	defer cancel()
	err = pool.Watch(ctx, func(tx *goredis.Tx) error {
		marks, err := c.marks(ctx, tx, keys)
		if err != nil {
			return err
		}
		found, err := c.compare(ctx, tx, keys, marks)
		if err != nil {
			return err
		}
		var same, known []string
		for i, key := range keys {
			if marks[i] == "" {
				continue // filled for nobody since, or released
			}
			known = append(known, key)
			if found[i] {
				same, bytes = append(same, key), bytes+marks[i].size()
			}
		}
		if len(known) == 0 {
			return nil
		}
		var unlinked *goredis.IntCmd
		_, err = tx.TxPipelined(ctx, func(p goredis.Pipeliner) error {
			if len(same) > 0 {
				unlinked = p.Unlink(ctx, same...)
			}
			p.HDel(ctx, sessionFilled, known...)
			return nil
		})
		if err == nil && unlinked != nil {
			removed = unlinked.Val()
		}
		return err
	}, keys...)
	switch {
	case err == nil:
		return removed, bytes, nil
	case errors.Is(err, goredis.TxFailedErr):
		return 0, 0, err
	default:
		return 0, 0, fmt.Errorf("release keys: %w", c.failure(ctx, err))
	}
}

// compare tells of each key whether it holds what its mark is of.
func (c *Client) compare(ctx context.Context, tx *goredis.Tx, keys []string, marks []fillMark) ([]bool, error) {
	looks := make([]func() fillMark, len(keys))
	cmds, err := tx.Pipelined(ctx, func(p goredis.Pipeliner) error {
		for i, key := range keys {
			looks[i] = lookAt(ctx, p, key, marks[i].kind())
		}
		return nil
	})
	if err != nil && len(cmds) == 0 {
		return nil, err
	}
	for _, cmd := range cmds {
		if err := cmd.Err(); err != nil && !errors.Is(err, goredis.Nil) && !isReply(err) {
			return nil, err
		}
	}
	found := make([]bool, len(keys))
	for i, look := range looks {
		found[i] = look != nil && look() == marks[i]
	}
	return found, nil
}

// lookAt asks what a mark of this kind is of; the function returned gives the mark of what is there, "" for anything else.
func lookAt(ctx context.Context, p goredis.Pipeliner, key string, kind byte) func() fillMark {
	switch kind {
	case markWhole:
		cmd := p.Get(ctx, key)
		return func() fillMark {
			v, err := cmd.Bytes()
			if err != nil || len(v) > markWholeMost {
				return ""
			}
			return markOf(&backend.Entry{Value: v})
		}
	case markEnds:
		size, head, tail := p.StrLen(ctx, key), p.GetRange(ctx, key, 0, markEnd-1), p.GetRange(ctx, key, -markEnd, -1)
		return func() fillMark {
			if errors.Join(size.Err(), head.Err(), tail.Err()) != nil {
				return ""
			}
			return markOfEnds(int(size.Val()), []byte(head.Val()), []byte(tail.Val()))
		}
	case markHash:
		cmd := p.HGetAll(ctx, key)
		return func() fillMark {
			if cmd.Err() != nil || len(cmd.Val()) == 0 {
				return ""
			}
			fields := make([]field, 0, len(cmd.Val()))
			for name, v := range cmd.Val() {
				fields = append(fields, field{name, v})
			}
			return markFields(fields)
		}
	default:
		return nil
	}
}
