package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"forebay/backend"
)

var _ backend.Sessions = (*Client)(nil)

// maxBeats is how many beats are sent before their replies are read.
const maxBeats = 64

// Beat implements [backend.Sessions] by a script for each beat, in pipelines.
func (c *Client) Beat(ctx context.Context, beats []backend.SessionBeat) ([]backend.SessionPulse, error) {
	pool, err := c.ready(0)
	if err != nil {
		return nil, err
	}
	pulses := make([]backend.SessionPulse, 0, len(beats))
	for chunk := range slices.Chunk(beats, maxBeats) {
		cmds := make([]goredis.Cmder, len(chunk))
		for i := range chunk {
			cmds[i] = beat(ctx, &chunk[i])
		}
		if err := c.failure(ctx, c.pipeline(ctx, pool, cmds)); err != nil {
			return nil, fmt.Errorf("tell sessions: %w", err)
		}
		for i, cmd := range cmds {
			reply, err := cmd.(*goredis.Cmd).Slice()
			if err != nil || len(reply) != 2 {
				return nil, fmt.Errorf("tell session %q: %v: %w", chunk[i].Name, reply, err)
			}
			id, _ := reply[0].(string)
			pulses = append(pulses, backend.SessionPulse{ID: id, Begun: integer(reply[1]) == 1})
		}
	}
	return pulses, nil
}

func beat(ctx context.Context, b *backend.SessionBeat) *goredis.Cmd {
	create := 0
	if b.Create {
		create = 1
	}
	args := []any{
		"eval", beatScript, 2, sessionLive, sessionOf + b.Name,
		b.Name, b.ID, b.NewID, create, b.Limit, b.Row, b.Connections, b.Data, b.Stay.Milliseconds(),
	}
	for _, n := range b.Claims {
		total := strconv.FormatInt(n.Total, 10)
		if n.Over {
			total += "+"
		}
		args = append(args, n.DB, total, n.Hashes)
	}
	return goredis.NewCmd(ctx, args...)
}

// Live implements [backend.Sessions].
func (c *Client) Live(ctx context.Context) ([]backend.SessionRecord, error) {
	pool, err := c.ready(0)
	if err != nil {
		return nil, err
	}
	now := goredis.NewTimeCmd(ctx, "time")
	names := goredis.NewZSliceCmd(ctx, "zrange", sessionLive, 0, -1, "withscores")
	if err := c.failure(ctx, c.pipeline(ctx, pool, []goredis.Cmder{now, names})); err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	if err := errors.Join(now.Err(), names.Err()); err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	var list []backend.SessionRecord
	for chunk := range slices.Chunk(names.Val(), maxBeats) {
		cmds := make([]goredis.Cmder, len(chunk))
		for i, z := range chunk {
			cmds[i] = goredis.NewMapStringStringCmd(ctx, "hgetall", sessionOf+z.Member.(string))
		}
		if err := c.failure(ctx, c.pipeline(ctx, pool, cmds)); err != nil {
			return nil, fmt.Errorf("list sessions: %w", err)
		}
		for i, cmd := range cmds {
			fields, err := cmd.(*goredis.MapStringStringCmd).Result()
			if err != nil {
				return nil, fmt.Errorf("list sessions: %w", err)
			}
			r := sessionRecord(fields)
			r.Name, _ = chunk[i].Member.(string)
			r.Now, r.Ends = now.Val(), time.UnixMilli(int64(chunk[i].Score))
			list = append(list, r)
		}
	}
	slices.SortFunc(list, func(a, b backend.SessionRecord) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

// sessionRecord reads a session's hash. What cannot be read is left out.
func sessionRecord(fields map[string]string) backend.SessionRecord {
	r := backend.SessionRecord{ID: fields["id"], Name: fields["name"], Reason: fields["reason"], By: fields["by"]}
	r.First, _ = stamped(fields["first"])
	r.Ends, _ = stamped(fields["closed"])
	for k, v := range fields {
		if row, ok := strings.CutPrefix(k, "p:"); ok {
			at, rest, _ := strings.Cut(v, ":")
			n, data, _ := strings.Cut(rest, ":")
			told, ok := stamped(at)
			connections, err := strconv.Atoi(n)
			if ok && err == nil {
				r.Rows = append(r.Rows, backend.SessionRow{Row: row, Connections: connections, Data: []byte(data), Told: told})
			}
		}
		if claims, ok := strings.CutPrefix(k, "c:"); ok {
			row, n, _ := strings.Cut(claims, ":")
			db, err := strconv.Atoi(n)
			count, over := strings.CutSuffix(v, "+")
			total, terr := strconv.ParseInt(count, 10, 64)
			if err == nil {
				r.Claims = append(r.Claims, backend.SessionClaims{Row: row, DB: db, Total: total, Over: over || terr != nil})
			}
		}
	}
	slices.SortFunc(r.Rows, func(a, b backend.SessionRow) int { return strings.Compare(a.Row, b.Row) })
	slices.SortFunc(r.Claims, func(a, b backend.SessionClaims) int { return strings.Compare(a.Row, b.Row) })
	return r
}

// stamped reads Unix milliseconds.
func stamped(s string) (time.Time, bool) {
	ms, err := strconv.ParseInt(s, 10, 64)
	return time.UnixMilli(ms), err == nil
}

// claimsRead is how many bytes of claims are read at once.
const claimsRead = 1 << 20

// Claims implements [backend.Sessions].
func (c *Client) Claims(ctx context.Context, id string, claims backend.SessionClaims, each func([]byte)) (bool, error) {
	key := claimsKey(id, claims)
	var got int64
	for got < claims.Total {
		v, err := c.ask(ctx, "getrange", key, got, got+claimsRead-1)
		if err != nil {
			return false, fmt.Errorf("read claims: %w", err)
		}
		s, _ := v.(string)
		if s == "" {
			break
		}
		each([]byte(s[:len(s)/8*8]))
		got += int64(len(s))
	}
	return got >= claims.Total && !claims.Over, nil
}

// Filled implements [backend.Sessions].
func (c *Client) Filled(ctx context.Context, db int, cursor uint64) (keys []string, next uint64, err error) {
	pool, err := c.ready(db)
	if err != nil {
		return nil, 0, err
	}
	cmd := goredis.NewScanCmd(ctx, nil, "hscan", sessionFilled, cursor, "count", 1000)
	if err := c.failure(ctx, c.pipeline(ctx, pool, []goredis.Cmder{cmd})); err != nil {
		return nil, 0, fmt.Errorf("list fills: %w", err)
	}
	pairs, next, err := cmd.Result()
	if err != nil {
		return nil, 0, fmt.Errorf("list fills: %w", err)
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		keys = append(keys, pairs[i])
	}
	keys, err = c.present(ctx, pool, keys)
	return keys, next, err
}

// present returns those of keys that are there, and forgets the fills of the others: they expired, were evicted or deleted. A key that is filled between
// the two steps loses its mark, and stays.
func (c *Client) present(ctx context.Context, pool *goredis.Client, keys []string) ([]string, error) {
	cmds := make([]goredis.Cmder, len(keys))
	for i, k := range keys {
		cmds[i] = goredis.NewIntCmd(ctx, "exists", k)
	}
	if err := c.failure(ctx, c.pipeline(ctx, pool, cmds)); err != nil {
		return nil, fmt.Errorf("look for fills: %w", err)
	}
	there, gone := keys[:0], []any{"hdel", sessionFilled}
	for i, cmd := range cmds {
		if n, err := cmd.(*goredis.IntCmd).Result(); err == nil && n == 0 {
			gone = append(gone, keys[i])
		} else {
			there = append(there, keys[i])
		}
	}
	if len(gone) > 2 {
		if err := c.failure(ctx, c.pipeline(ctx, pool, []goredis.Cmder{goredis.NewIntCmd(ctx, gone...)})); err != nil {
			return nil, fmt.Errorf("forget fills: %w", err)
		}
	}
	return there, nil
}

// MayRelease implements [backend.Sessions]: the user must be allowed to UNLINK __forebay:session:live, as all who may UNLINK any
// key are. A server that cannot tell lets the default user only.
func (c *Client) MayRelease(ctx context.Context, user string) (bool, error) {
	if user == "" {
		user = defaultUser
	}
	v, err := c.ask(ctx, "acl", "dryrun", user, "unlink", sessionLive)
	switch {
	case err == nil:
		return v == "OK", nil
	case isReply(err) && isUnknown(err):
		return user == defaultUser, nil
	case isReply(err) && strings.Contains(err.Error(), "not found"):
		return false, nil
	default:
		return false, fmt.Errorf("try UNLINK as user %.100q: %w", user, err)
	}
}
