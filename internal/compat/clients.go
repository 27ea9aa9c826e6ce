package compat

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// The user that programs are.
const (
	clientUser     = "trainer"
	clientPassword = "secret"
)

// clientKeys is how many of the digits programs may read, from the first; the keys beyond the data are absent on both sides.
const clientKeys = 10

// routed is the route that the programs' keys have, in the database that they use.
const routed = `  - {name: digits, key: "digits:{split:train|test}:{idx:int}", db: 1, table: samples, value: data,` +
	` where: {dataset: digits, split: "{split}", shard: "{idx / 1024}", idx: "{idx}"}}
`

// Clients runs each client's program straight and through, in each of the protocols, and prints whether it told the same. Straight to
// Redis the dataset's values are there before it begins; through Forebay they are loaded, from an empty Redis, when it reads them. The
// error is ErrDiffers if some program could tell.
func Clients(ctx context.Context, o Options) (err error) {
	list, err := programs(ctx)
	if err != nil {
		return err
	}
	straight, err := openStraight(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, straight.close()) }()
	through, err := openThrough(ctx, o.Forebay, routed)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, through.close()) }()
	b := bench{straight, through, nil}
	if err := b.learn(ctx); err != nil {
		return err
	}
	fmt.Fprintf(o.Out, "%-12s %4s %6s  %-10s %s\n", "client", "RESP", "lines", "", "time")
	var differ []string
	for _, p := range list {
		for _, protocol := range o.Protocols {
			began := time.Now()
			a, z, err := b.run(ctx, p, protocol)
			if err != nil {
				return fmt.Errorf("run %s with RESP%d: %w", p.client, protocol, err)
			}
			verdict := "the same"
			if difference := firstDifference(a, z); difference != "" {
				verdict = "DIFFERS"
				differ = append(differ, fmt.Sprintf("%s (RESP%d) tells forebay from redis:\n%s", p.client, protocol, difference))
			}
			fmt.Fprintf(o.Out, "%-12s %4d %6d  %-10s %.1fs\n", p.client, protocol, strings.Count(a, "\n"), verdict, time.Since(began).Seconds())
		}
	}
	fmt.Fprintln(o.Out)
	if len(differ) > 0 {
		fmt.Fprintln(o.Out, strings.Join(differ, "\n"))
		return ErrDiffers
	}
	return nil
}

// bench is both sides, and the values that the straight one is given.
type bench struct {
	straight, through *side
	values            map[string]string
}

// on calls do with a client of the server itself, in database 1, as the default user.
func on(addr string, do func(c *redis.Client) error) error {
	c := redis.NewClient(&redis.Options{Addr: addr, DB: 1, MaxRetries: -1, ContextTimeoutEnabled: true})
	defer c.Close()
	return do(c)
}

// learn makes the user on both sides and reads the values through Forebay.
func (b *bench) learn(ctx context.Context) error {
	for _, addr := range []string{b.straight.redis.Addr, b.through.redis.Addr} {
		err := on(addr, func(c *redis.Client) error {
			return c.Do(ctx, "ACL", "SETUSER", clientUser, "on", ">"+clientPassword, "~*", "&*", "+@all").Err()
		})
		if err != nil {
			return fmt.Errorf("make user: %w", err)
		}
	}
	b.values = map[string]string{}
	return on(b.through.addr, func(c *redis.Client) error {
		for _, i := range append(indices(clientKeys), 359) { // the last one
			key := fmt.Sprintf("digits:test:%d", i)
			value, err := c.Get(ctx, key).Result()
			if err != nil {
				return fmt.Errorf("read %s through forebay: %w; its log ends:\n%s", key, err, b.through.log())
			}
			b.values[key] = value
		}
		return nil
	})
}

func indices(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

// run runs a program on both sides and returns what it told.
func (b *bench) run(ctx context.Context, p program, protocol int) (straight, through string, err error) {
	for _, addr := range []string{b.straight.redis.Addr, b.through.redis.Addr} {
		// A script that another program has loaded would be known.
		err := on(addr, func(c *redis.Client) error {
			return errors.Join(c.FlushAll(ctx).Err(), c.ScriptFlush(ctx).Err())
		})
		if err != nil {
			return "", "", fmt.Errorf("empty the servers: %w", err)
		}
	}
	err = on(b.straight.redis.Addr, func(c *redis.Client) error {
		var pairs []any
		for key, value := range b.values {
			pairs = append(pairs, key, value)
		}
		return c.MSet(ctx, pairs...).Err()
	})
	if err != nil {
		return "", "", fmt.Errorf("fill the server: %w", err)
	}
	var outs [2]bytes.Buffer
	for i, s := range []*side{b.straight, b.through} {
		if err := p.run(ctx, s.addr, protocol, &outs[i]); err != nil {
			return "", "", fmt.Errorf("%s: %w\n%s", s.name, err, s.log())
		}
	}
	return outs[0].String(), outs[1].String(), nil
}

// firstDifference is the first line that differs, on both sides; empty if none does.
func firstDifference(straight, through string) string {
	if straight == through {
		return ""
	}
	a, z := strings.Split(straight, "\n"), strings.Split(through, "\n")
	for i := range min(len(a), len(z)) {
		if a[i] != z[i] {
			return fmt.Sprintf("  line %d\n  straight  %s\n  through   %s\n", i+1, a[i], z[i])
		}
	}
	return fmt.Sprintf("  straight  %d lines\n  through   %d lines\n", len(a)-1, len(z)-1)
}
