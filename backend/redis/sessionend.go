package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"forebay/backend"
)

// Extend implements [backend.Sessions].
func (c *Client) Extend(ctx context.Context, name string, d time.Duration) (bool, error) {
	v, err := c.ask(ctx, "eval", extendScript, 2, sessionLive, sessionOf+name, name, d.Milliseconds())
	if err != nil {
		return false, fmt.Errorf("extend session %q: %w", name, err)
	}
	return integer(v) == 1, nil
}

// Due implements [backend.Sessions].
func (c *Client) Due(ctx context.Context, limit int) (names, ids []string, err error) {
	v, err := c.ask(ctx, "eval", dueScript, 2, sessionLive, sessionEndings, limit)
	if err != nil {
		return nil, nil, fmt.Errorf("look for ended sessions: %w", err)
	}
	lists, ok := v.([]any)
	if !ok || len(lists) != 2 {
		return nil, nil, fmt.Errorf("look for ended sessions: the reply is a %T", v)
	}
	return texts(lists[0]), texts(lists[1]), nil
}

// CloseSession implements [backend.Sessions].
func (c *Client) CloseSession(ctx context.Context, name string, o backend.SessionClose) (*backend.SessionRecord, error) {
	ifDue := 0
	if o.IfDue {
		ifDue = 1
	}
	return c.ended(ctx, "eval", closeScript, 3, sessionLive, sessionOf+name, sessionEndings,
		name, ifDue, o.Token, o.Lease.Milliseconds(), o.Reason, o.By)
}

// Take implements [backend.Sessions].
func (c *Client) Take(ctx context.Context, id, token string, lease time.Duration) (*backend.SessionRecord, error) {
	return c.ended(ctx, "eval", takeScript, 2, sessionEndings, sessionEnded+id, id, token, lease.Milliseconds())
}

// ended runs a script that gives an ended session, or nil.
func (c *Client) ended(ctx context.Context, args ...any) (*backend.SessionRecord, error) {
	v, err := c.ask(ctx, args...)
	if errors.Is(err, goredis.Nil) || err == nil && v == nil {
		return nil, nil //nolint:nilnil // none is an answer
	}
	if err != nil {
		return nil, fmt.Errorf("end session: %w", err)
	}
	reply, ok := v.([]any)
	if !ok || len(reply) != 2 {
		return nil, fmt.Errorf("end session: the reply is a %T", v)
	}
	fields := map[string]string{}
	for k, v := range pairs(reply[1]) {
		fields[k], _ = v.(string)
	}
	r := sessionRecord(fields)
	now, _ := reply[0].(string)
	r.Now, _ = stamped(now)
	return &r, nil
}

// Renew implements [backend.Sessions].
func (c *Client) Renew(ctx context.Context, id, token string, lease time.Duration, keys, bytes int64) (bool, error) {
	v, err := c.ask(ctx, "eval", renewScript, 2, sessionEndings, sessionEnded+id, id, token, lease.Milliseconds(), keys, bytes)
	if err != nil {
		return false, fmt.Errorf("go on ending session: %w", err)
	}
	return integer(v) == 1, nil
}

// Finish implements [backend.Sessions].
func (c *Client) Finish(ctx context.Context, id, token string) (keys, bytes int64, ok bool, err error) {
	v, err := c.ask(ctx, "eval", finishScript, 2, sessionEndings, sessionEnded+id, id, token)
	if errors.Is(err, goredis.Nil) || err == nil && v == nil {
		return 0, 0, false, nil
	}
	if err != nil {
		return 0, 0, false, fmt.Errorf("finish session: %w", err)
	}
	sums := texts(v)
	if len(sums) != 2 {
		return 0, 0, false, fmt.Errorf("finish session: the reply is a %T", v)
	}
	keys, kerr := strconv.ParseInt(sums[0], 10, 64)
	bytes, berr := strconv.ParseInt(sums[1], 10, 64)
	return keys, bytes, true, errors.Join(kerr, berr)
}
