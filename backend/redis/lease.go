package redis

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"forebay/backend"
)

// acquireBatch is how many keys one script looks at: Redis does nothing else meanwhile, about 1 ms.
const acquireBatch = 512

// Acquire implements [backend.Leaser] by one script for up to 512 keys, all in one round trip. On a connection that proves broken it is asked once more, under
// another token, to which leases of the first go over. The same token would be one that is used twice:
//
//  1. The first question is on its way; its connection ends, as something between here and Redis has. The second is answered: the lease is taken, the row is read.
//  2. A client of another process has changed the row; it drops the lease, and deletes the key.
//  3. The first question arrives, and takes the lease again. The old row would fit.
func (c *Client) Acquire(ctx context.Context, db int, life time.Duration, asks []backend.Ask) ([]backend.Grant, error) {
	if len(asks) == 0 {
		return nil, nil
	}
	aged := ages(asks)
	if aged > 0 && aged < len(asks) {
		return c.acquireBoth(ctx, db, life, asks)
	}
	pool, err := c.ready(db)
	if err != nil {
		return nil, err
	}
	by, size := &c.acquire, 1 // of the answer for one key
	if aged > 0 {
		by, size = &c.ages, 3
	}
	token := rand.Text()
	calls := c.acquireCalls(by, token, "", life, asks)
	err = c.run(ctx, pool, calls)
	if err != nil && isBroken(err) && ctx.Err() == nil {
		former := token
		token = rand.Text()
		calls = c.acquireCalls(by, token, former, life, asks)
		err = c.run(ctx, pool, calls)
	}
	if err = c.failure(ctx, err); err != nil {
		return nil, err
	}
	grants := make([]backend.Grant, 0, len(asks))
	for part := range slices.Chunk(asks, acquireBatch) {
		list, err := calls[len(grants)/acquireBatch].cmd.Result()
		if err == nil && len(list) == 1 { // all are
			gen, _ := list[0].(string)
			for range part {
				grants = append(grants, backend.Grant{State: backend.Taken, Lease: backend.Lease{Generation: gen, Token: token}})
			}
			continue
		}
		if err == nil && len(list) != 1+size*len(part) {
			err = errors.New("the script's answer has another length")
		}
		if err != nil {
			return nil, fmt.Errorf("acquire leases: %w", err)
		}
		gen, _ := list[0].(string)
		for i := range part {
			item := list[1+size*i:]
			g := grant(part[i].Key, item[0], backend.Lease{Generation: gen, Token: token})
			if part[i].Age {
				left, _ := item[1].(int64)
				g.TTL, g.Own = time.Duration(left)*time.Millisecond, item[2] == int64(1)
			}
			grants = append(grants, g)
		}
	}
	return grants, nil
}

// acquireCalls are the calls of acquireScript, or of agesScript, with which all asks are asked.
func (c *Client) acquireCalls(by *script, token, former string, life time.Duration, asks []backend.Ask) (calls []*call) {
	for part := range slices.Chunk(asks, acquireBatch) {
		hows := make([]byte, len(part))
		one := &call{by: by, keys: []any{generationKey}, args: []any{token, life.Milliseconds(), former, hows}}
		for i := range part {
			a := &part[i]
			hows[i] = how(a)
			lease := c.leaseKey(a.Key)
			one.keys = append(one.keys, a.Key, lease)
			if a.Age {
				one.keys, one.args = append(one.keys, stampOf(lease)), append(one.args, a.Due.Milliseconds())
			}
		}
		calls = append(calls, one)
	}
	return calls
}

// grant reads the script's answer for one key.
func grant(key []byte, item any, lease backend.Lease) backend.Grant {
	list, _ := item.([]any)
	if len(list) == 0 {
		return backend.Grant{Err: fmt.Errorf("acquire %.100q: the script's answer is no list", key)}
	}
	var value []byte
	if len(list) > 1 {
		switch v := list[1].(type) {
		case string:
			value = []byte(v)
		case []any:
			for i := 0; i+1 < len(v); i += 2 {
				name, _ := v[i].(string)
				text, _ := v[i+1].(string)
				value = backend.AppendField(value, []byte(name), []byte(text))
			}
		}
	}
	switch kind, _ := list[0].(string); kind {
	case "v", "h", "p":
		return backend.Grant{State: backend.Present, Value: value}
	case "n":
		return backend.Grant{State: backend.Absent}
	case "t":
		return backend.Grant{State: backend.Taken, Value: value, Lease: lease}
	case "b":
		ms := int64(0)
		if len(list) > 1 {
			ms, _ = list[1].(int64)
		}
		return backend.Grant{State: backend.Busy, Left: time.Duration(max(ms, 0)) * time.Millisecond}
	case "f":
		return backend.Grant{State: backend.Free}
	default:
		return backend.Grant{State: backend.Present, Err: fmt.Errorf("get %.100q: %w", key, replyError(value))}
	}
}

// Enter implements [backend.Leaser].
func (c *Client) Enter(ctx context.Context, db int, area string) (backend.Lease, error) {
	pool, err := c.ready(db)
	if err != nil {
		return backend.Lease{}, err
	}
	one := &call{by: &c.enter, keys: []any{generationKey, areaPrefix + area}, args: []any{rand.Text()}}
	if err := c.failure(ctx, c.run(ctx, pool, []*call{one})); err != nil {
		return backend.Lease{}, err
	}
	list, err := one.cmd.Result()
	if err == nil && len(list) != 2 {
		err = errors.New("the script's answer has another length")
	}
	if err != nil {
		return backend.Lease{}, fmt.Errorf("enter area %q: %w", area, err)
	}
	gen, _ := list[0].(string)
	token, _ := list[1].(string)
	return backend.Lease{Generation: gen, Token: token}, nil
}

// Drop implements [backend.Leaser] by one DEL.
func (c *Client) Drop(ctx context.Context, db int, keys [][]byte, areas []string) error {
	if len(keys)+len(areas) == 0 {
		return nil
	}
	words := make([]any, 0, 1+2*len(keys)+len(areas))
	words = append(words, "del")
	for _, k := range keys {
		lease := c.leaseKey(k)
		words = append(words, lease, stampOf(lease))
	}
	for _, a := range areas {
		words = append(words, areaPrefix+a)
	}
	return c.drop(ctx, db, words)
}

// DropAll implements [backend.Leaser] by removing the generations.
func (c *Client) DropAll(ctx context.Context, dbs []int) error {
	for _, db := range dbs {
		if err := c.drop(ctx, db, []any{"del", generationKey}); err != nil {
			return err
		}
	}
	return nil
}

// drop removes hidden keys; on a connection that proves broken once more, which does no harm. It asks though Redis was found to be down lately: a write
// waits for it, which Redis may do by now.
func (c *Client) drop(ctx context.Context, db int, words []any) error {
	pool, err := c.pool(db)
	if err != nil {
		return err
	}
	del := func() error {
		cmd := goredis.NewIntCmd(ctx, words...)
		if err := c.pipeline(ctx, pool, []goredis.Cmder{cmd}); err != nil {
			return err
		}
		return cmd.Err()
	}
	err = del()
	if err != nil && isBroken(err) && ctx.Err() == nil {
		err = del()
	}
	var reply goredis.Error
	switch err = c.failure(ctx, err); {
	case err == nil:
		return nil
	case errors.As(err, &reply) && isPassing(reply.Error()):
		return fmt.Errorf("drop leases: %w", &backend.RefusedError{Reply: reply.Error()})
	default:
		return fmt.Errorf("drop leases: %w", err)
	}
}
