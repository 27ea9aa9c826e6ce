package redis

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strconv"
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
	by, size := c.acquire, 1 // of the answer for one key
	if aged > 0 {
		by, size = c.ages, 3
	}
	token := rand.Text()
	calls := c.acquireCalls(token, "", life, asks)
	err = c.run(ctx, pool, by, calls)
	if err != nil && isBroken(err) && ctx.Err() == nil {
		former := token
		token = rand.Text()
		calls = c.acquireCalls(token, former, life, asks)
		err = c.run(ctx, pool, by, calls)
	}
	if err = c.failure(ctx, err); err != nil {
		return nil, err
	}
	grants := make([]backend.Grant, 0, len(asks))
	for part := range slices.Chunk(asks, acquireBatch) {
		list, err := calls[len(grants)/acquireBatch].cmd.Result()
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
func (c *Client) acquireCalls(token, former string, life time.Duration, asks []backend.Ask) (calls []*call) {
	for part := range slices.Chunk(asks, acquireBatch) {
		one := &call{keys: []any{generationKey}, args: []any{token, life.Milliseconds(), former}}
		for i := range part {
			a := &part[i]
			lease := c.leaseKey(a.Key)
			one.keys, one.args = append(one.keys, a.Key, lease), append(one.args, how(a))
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

const (
	settleBatch = 256     // entries of one script
	settleBytes = 1 << 20 // and bytes of their values, about: 2 ms in Redis
)

// Settle implements [backend.Leaser] by one script for up to 256 entries and 1 MiB, all in one round trip. It is sent once only. Values over
// backend.MaxInline are set beside, before the script, and renamed by it.
func (c *Client) Settle(ctx context.Context, db int, entries []backend.Entry) (fits []bool, errs []error, err error) {
	fits, errs = make([]bool, len(entries)), make([]error, len(entries))
	if len(entries) == 0 {
		return fits, errs, nil
	}
	pool, err := c.ready(db)
	if err != nil {
		return nil, nil, err
	}
	for _, stamps := range []bool{false, true} { // a round trip for each that there is
		s := c.newSettling(ctx, stamps)
		for _, store := range []bool{true, false} { // values first: see leasescript.go
			for i := range entries {
				if storing(&entries[i]) == store && takesStamp(&entries[i]) == stamps {
					s.add(i, &entries[i], errs)
				}
			}
		}
		if err := s.run(ctx, pool, entries, fits, errs); err != nil {
			return nil, nil, err
		}
	}
	return fits, errs, nil
}

// run sends the calls, and notes of each entry what came of it.
func (s *settling) run(ctx context.Context, pool *goredis.Client, entries []backend.Entry, fits []bool, errs []error) error {
	if len(s.calls) == 0 {
		return nil
	}
	c, by := s.client, s.client.settle
	if s.stamps {
		by = c.stamp
	}
	if err := c.failure(ctx, c.run(ctx, pool, by, s.calls, s.staged...)); err != nil {
		return err
	}
	for n, one := range s.calls {
		list, err := one.cmd.Result()
		if err == nil && len(list) != len(s.at[n]) {
			err = errors.New("the script's answer has another length")
		}
		if err != nil {
			return fmt.Errorf("settle leases: %w", err)
		}
		for k, item := range list {
			i := s.at[n][k]
			said, isError := item.(string)
			number, _ := item.(int64)
			fits[i] = isError || number == 1
			if isError {
				errs[i] = fmt.Errorf("fill %.100q: %w", entries[i].Key, s.cause(i, said))
			}
		}
	}
	return nil
}

func storing(e *backend.Entry) bool {
	return e.Do == backend.StoreValue || e.Do == backend.RefreshValue
}

// settling gathers the calls of one Settle.
type settling struct {
	client *Client
	ctx    context.Context //nolint:containedctx // of the one call that makes it
	calls  []*call
	at     [][]int // of each call, the entries
	bytes  int     // of the last call
	stamps bool    // by stampScript
	staged []goredis.Cmder
	stages map[int]goredis.Cmder // by entry
}

func (c *Client) newSettling(ctx context.Context, stamps bool) *settling {
	return &settling{client: c, ctx: ctx, stamps: stamps, stages: map[int]goredis.Cmder{}}
}

// cause is the error of an entry of which Redis said why it took no value.
func (s *settling) cause(i int, said string) error {
	if said != "LOST" {
		return replyError(said)
	}
	if cmd := s.stages[i]; cmd != nil && cmd.Err() != nil {
		return cmd.Err()
	}
	return errStageLost
}

// add puts an entry into the last call, or a new one. One that stores without a TTL is not sent, and has its error.
func (s *settling) add(i int, e *backend.Entry, errs []error) {
	if e.TTL <= 0 && storing(e) {
		errs[i] = fmt.Errorf("fill %.100q: ttl %v is not above zero", e.Key, e.TTL)
		return
	}
	last := len(s.calls) - 1
	if last < 0 || len(s.at[last]) >= settleBatch || s.bytes+len(e.Value) > settleBytes {
		s.calls = append(s.calls, &call{keys: []any{generationKey, sessionFilled}})
		s.at = append(s.at, nil)
		s.bytes = 0
		last++
	}
	s.bytes += len(e.Value)
	s.at[last] = append(s.at[last], i)
	lease := s.client.leaseKey(e.Key)
	t := term{op: endings[e.Do : e.Do+1], lease: e.Lease, area: e.Area, ttl: e.TTL, staged: lease}
	if storing(e) && e.Track {
		t.mark = string(markOf(e))
	}
	if s.stamps {
		s.client.stampTerm(&t, e)
	}
	switch {
	case !storing(e):
	case e.Hash:
		t.op = "h"
		backend.EachField(e.Value, func(name, value []byte) { t.values = append(t.values, name, value) })
	case len(e.Value) > backend.MaxInline:
		t.op, t.arg, t.staged = "m", strconv.Itoa(len(e.Value)), s.client.stageName(e.Key)
		cmd := goredis.NewStatusCmd(s.ctx, "set", t.staged, e.Value, "px", stageLife.Milliseconds())
		s.staged = append(s.staged, cmd)
		s.stages[i] = cmd
	default:
		t.values = []any{e.Value}
	}
	t.into(s.calls[last], e.Key, lease)
}

// endings are the scripts' names of backend.Ending, in its order.
const endings = "sncfks"

// term is one entry as settleScript is given it.
type term struct {
	op     string
	lease  backend.Lease
	area   backend.Area
	ttl    time.Duration
	arg    string
	mark   string
	staged string
	values []any

	stamps bool // for stampScript
	stamp  string
	seen   string
}

func (t *term) into(c *call, key []byte, lease string) {
	ms := t.ttl.Milliseconds()
	if t.ttl > 0 {
		ms = max(ms, 1)
	}
	area := lease
	if t.area.Since.Held() {
		area = areaPrefix + t.area.Name
	}
	c.keys = append(c.keys, key, lease, t.staged, area)
	c.args = append(c.args, t.op, t.lease.Generation, t.lease.Token, t.area.Since.Generation, t.area.Since.Token, max(ms, 0), t.arg, t.mark)
	if t.stamps {
		c.keys, c.args = append(c.keys, t.stamp), append(c.args, t.seen)
	}
	c.args = append(c.args, len(t.values))
	c.args = append(c.args, t.values...)
}

// Enter implements [backend.Leaser].
func (c *Client) Enter(ctx context.Context, db int, area string) (backend.Lease, error) {
	pool, err := c.ready(db)
	if err != nil {
		return backend.Lease{}, err
	}
	one := &call{keys: []any{generationKey, areaPrefix + area}, args: []any{rand.Text()}}
	if err := c.failure(ctx, c.run(ctx, pool, c.enter, []*call{one})); err != nil {
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
