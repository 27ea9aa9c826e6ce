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
		for _, first := range []bool{true, false} { // values first: see leasescript.go
			for i := range entries {
				if storing(&entries[i]) == first && takesStamp(&entries[i]) == stamps {
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
	c := s.client
	if err := c.failure(ctx, c.run(ctx, pool, s.calls, s.staged...)); err != nil {
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
	alike  alike   // what the entries of the last call have in common, if it is one of storeScript
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
	lease := s.client.leaseKey(e.Key)
	if !s.stamps && e.Do == backend.StoreValue && !e.Hash && len(e.Value) <= backend.MaxInline {
		s.addAlike(i, e, lease)
		return
	}
	by := &s.client.settle
	if s.stamps {
		by = &s.client.stamp
	}
	if s.full(by, e) {
		s.next(&call{by: by, keys: []any{generationKey, sessionFilled}})
	}
	last := s.take(i, e)
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
	t.into(last, e.Key, lease)
}

// full tells that the last call is of another script, or has no room for the entry.
func (s *settling) full(by *script, e *backend.Entry) bool {
	last := len(s.calls) - 1
	return last < 0 || s.calls[last].by != by || len(s.at[last]) >= settleBatch || s.bytes+len(e.Value) > settleBytes
}

// next begins a call.
func (s *settling) next(c *call) {
	s.calls = append(s.calls, c)
	s.at = append(s.at, nil)
	s.bytes = 0
}

// take notes that the entry is in the last call, and returns that.
func (s *settling) take(i int, e *backend.Entry) *call {
	last := len(s.calls) - 1
	s.bytes += len(e.Value)
	s.at[last] = append(s.at[last], i)
	return s.calls[last]
}

// alike is what entries have in common of which storeScript stores the values.
type alike struct {
	lease backend.Lease
	area  backend.Area
}

// addAlike is add for a string that is stored.
func (s *settling) addAlike(i int, e *backend.Entry, lease string) {
	same := alike{e.Lease, e.Area}
	if s.full(&s.client.store, e) || s.alike != same {
		s.next(&call{
			by: &s.client.store, keys: []any{generationKey, sessionFilled, areaKey(e.Area, generationKey)},
			args: []any{e.Lease.Generation, e.Lease.Token, e.Area.Since.Generation, e.Area.Since.Token},
		})
		s.alike = same
	}
	c, mark := s.take(i, e), ""
	if e.Track {
		mark = string(markOf(e))
	}
	c.keys = append(c.keys, e.Key, lease)
	c.args = append(c.args, max(e.TTL.Milliseconds(), 1), mark, e.Value)
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
	c.keys = append(c.keys, key, lease, t.staged, areaKey(t.area, lease))
	c.args = append(c.args, t.op, t.lease.Generation, t.lease.Token, t.area.Since.Generation, t.area.Since.Token, max(ms, 0), t.arg, t.mark)
	if t.stamps {
		c.keys, c.args = append(c.keys, t.stamp), append(c.args, t.seen)
	}
	c.args = append(c.args, len(t.values))
	c.args = append(c.args, t.values...)
}
