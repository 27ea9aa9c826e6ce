package compat

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// goRedis is the program of go-redis. It tells each answer on a line, with sums in place of long ones.
func goRedis(ctx context.Context, addr string, protocol int, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, clientLimit)
	defer cancel()
	c := redis.NewClient(&redis.Options{
		Addr: addr, Username: clientUser, Password: clientPassword, DB: 1, Protocol: protocol, ClientName: "compat", MaxRetries: -1,
	})
	defer c.Close()
	p := goProgram{c, func(name string, value any, err error) {
		if err != nil {
			value = fmt.Sprintf("%T: %v", err, err)
		}
		fmt.Fprintln(out, name, plain(value))
	}}
	p.values(ctx)
	p.batches(ctx)
	p.waits(ctx)
	err := c.FlushDB(ctx).Err()
	p.tell("flush", nil, err)
	return nil
}

type goProgram struct {
	*redis.Client
	tell func(name string, value any, err error)
}

func (p goProgram) do(ctx context.Context, name string, args ...any) {
	value, err := p.Do(ctx, args...).Result()
	p.tell(name, value, err)
}

func (p goProgram) values(ctx context.Context) {
	p.do(ctx, "ping", "PING")
	p.do(ctx, "name", "CLIENT", "GETNAME")
	p.do(ctx, "routed get", "GET", "digits:test:0")
	p.do(ctx, "routed mget", "MGET", "digits:test:0", "digits:test:1", "digits:test:359", "digits:test:360")
	p.do(ctx, "routed strlen", "STRLEN", "digits:test:2")
	p.do(ctx, "set", "SET", "text", "grüße")
	p.do(ctx, "get", "GET", "text")
	p.do(ctx, "hset", "HSET", "h", "a", "1")
	p.do(ctx, "hash", "HGETALL", "h")
	p.do(ctx, "zset", "ZADD", "z", 1.5, "a", "inf", "b")
	p.do(ctx, "scores", "ZRANGE", "z", 0, -1, "WITHSCORES")
	p.do(ctx, "verbatim", "LOLWUT", "VERSION", "9")
	p.do(ctx, "stream", "XADD", "x", "1-1", "f", "v")
	p.do(ctx, "range", "XRANGE", "x", "-", "+")
	p.do(ctx, "wrong type", "INCR", "h")
	p.do(ctx, "unknown", "NOSUCH", "a")
	script := redis.NewScript("return {KEYS[1], ARGV[1], redis.call('INCR', KEYS[1])}")
	for _, arg := range []string{"a", "b"} { // EVALSHA, refused at first, then EVAL; then EVALSHA
		value, err := script.Run(ctx, p, []string{"s"}, arg).Result()
		p.tell("script", value, err)
	}
	p.do(ctx, "large set", "SET", "large", strings.Repeat("x", 1<<20))
	p.do(ctx, "large get", "GET", "large")
}

func (p goProgram) batches(ctx context.Context) {
	batch := func(b redis.Pipeliner) error {
		b.Set(ctx, "n", 1, 0)
		b.Incr(ctx, "n")
		b.Get(ctx, "digits:test:3")
		b.Incr(ctx, "text")
		b.Get(ctx, "n")
		return nil
	}
	results, err := p.Pipelined(ctx, batch)
	p.tell("pipeline", replies(results), err)
	results, err = p.TxPipelined(ctx, batch)
	p.tell("multi", replies(results), err)
	err = p.Watch(ctx, func(tx *redis.Tx) error {
		if err := p.Set(ctx, "n", "changed", 0).Err(); err != nil {
			return err
		}
		_, err := tx.TxPipelined(ctx, batch)
		return err
	}, "n")
	p.tell("watch", nil, err)
}

// replies are the commands' answers without the commands.
func replies(results []redis.Cmder) []any {
	var list []any
	for _, r := range results {
		switch r := r.(type) {
		case *redis.IntCmd:
			list = append(list, r.Val(), r.Err())
		case *redis.StringCmd:
			list = append(list, r.Val(), r.Err())
		case *redis.StatusCmd:
			list = append(list, r.Val(), r.Err())
		default:
			list = append(list, r.String())
		}
	}
	return list
}

func (p goProgram) waits(ctx context.Context) {
	popped := make(chan struct{})
	var value []string
	var err error
	go func() {
		defer close(popped)
		value, err = p.BLPop(ctx, 5*time.Second, "list").Result()
	}()
	p.do(ctx, "push", "RPUSH", "list", "item")
	<-popped
	p.tell("popped", value, err)
	p.do(ctx, "pop nothing", "BLPOP", "list", 0.05)
	sub := p.Subscribe(ctx, "news")
	defer sub.Close()
	for _, name := range []string{"subscribed", "message"} {
		if name == "message" {
			p.do(ctx, "publish", "PUBLISH", "news", "hello")
		}
		heard, err := sub.Receive(ctx)
		p.tell(name, heard, err)
	}
}

// plain is a value as text, with sums in place of long strings.
func plain(value any) string {
	switch v := value.(type) {
	case string:
		if len(v) > 64 {
			return fmt.Sprintf("%d bytes, sha256 %x", len(v), sha256.Sum256([]byte(v)))
		}
		return fmt.Sprintf("%q", v)
	case []any:
		parts := make([]string, len(v))
		for i, part := range v {
			parts[i] = plain(part)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	return fmt.Sprintf("%v", value)
}
