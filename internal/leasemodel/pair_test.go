package leasemodel_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"forebay/backend"
	"forebay/internal/leasemodel"
)

// modelled and real write what each holds.
func (p *pair) modelled() string {
	r := &p.redis
	lease, area := "-", "-"
	switch r.Lease.State {
	case leasemodel.Held:
		lease = fmt.Sprintf("L%d %d", r.Lease.Generation, r.Lease.Token)
	case leasemodel.Marker:
		lease = fmt.Sprintf("N%d", r.Lease.Generation)
	}
	if r.Area.Token != 0 {
		area = fmt.Sprintf("A%d %d", r.Area.Generation, r.Area.Token)
	}
	return fmt.Sprintf("value %q, generation %d, lease %s, area %s", text(r.Value), r.Generation, lease, area)
}

func (p *pair) real(t *testing.T) string {
	list, err := p.raw.MGet(t.Context(), "none", generationKey, leaseKey, areaKey).Result()
	must(t, err)
	said := func(i int) string { s, _ := list[i].(string); return s }
	p.learn(said(1), p.redis.Generation)
	renamed := func(s string) string {
		if s == "" {
			return "-"
		}
		generation, token, two := strings.Cut(s[1:], " ")
		if !two {
			return fmt.Sprintf("%c%d", s[0], p.names[generation])
		}
		switch s[0] {
		case 'L':
			p.learn(token, p.redis.Lease.Token)
		case 'A':
			p.learn(token, p.redis.Area.Token)
		}
		return fmt.Sprintf("%c%d %d", s[0], p.names[generation], p.names[token])
	}
	return fmt.Sprintf("value %q, generation %d, lease %s, area %s", p.held(t), p.names[said(1)], renamed(said(2)), renamed(said(3)))
}

// held is what the key holds in Redis.
func (p *pair) held(t *testing.T) (value string) {
	var err error
	if p.hash {
		value, err = p.raw.HGet(t.Context(), "k", "f").Result()
	} else {
		value, err = p.raw.GetRange(t.Context(), "k", 0, 7).Result()
	}
	if !errors.Is(err, goredis.Nil) {
		must(t, err)
	}
	value, _, _ = strings.Cut(value, " ")
	return value
}

// bytes is a value as it is stored: a hash, or a string, which may be one that goes beside the scripts.
func (p *pair) bytes(v leasemodel.Value) []byte {
	switch {
	case v == 0:
		return nil
	case p.hash:
		return backend.AppendField(nil, []byte("f"), []byte(text(v)))
	case p.large:
		return append([]byte(text(v)), bytes.Repeat([]byte(" "), backend.MaxInline)...)
	default:
		return []byte(text(v))
	}
}

// told is what a grant of a value says of it: of a large one only that there is one.
func (p *pair) told(v leasemodel.Value) string {
	if p.large {
		return ""
	}
	return string(p.bytes(v))
}

// set is a client's.
func (p *pair) set(t *testing.T) {
	v := p.fresh()
	p.note("set %s", text(v))
	p.redis.Set(v)
	p.own = false
	if p.hash {
		p.do(t, "DEL", "k")
		p.do(t, "HSET", "k", "f", text(v))
	} else {
		p.do(t, "SET", "k", p.bytes(v))
	}
}

// learn takes a name of Redis's that was never seen for one of the model's that has none yet: another is a difference.
func (p *pair) learn(name string, modelled leasemodel.Name) {
	if _, known := p.names[name]; known || name == "" {
		return
	}
	for _, other := range p.names {
		if other == modelled {
			return
		}
	}
	p.names[name] = modelled
}

func (p *pair) name() leasemodel.Name {
	p.named++
	return p.named
}

func (p *pair) fresh() leasemodel.Value {
	p.value++
	return leasemodel.Value(p.value)
}

func (p *pair) note(format string, args ...any) { p.log = append(p.log, fmt.Sprintf(format, args...)) }

func text(v leasemodel.Value) string {
	if v == 0 {
		return ""
	}
	return fmt.Sprint("v", uint8(v))
}

func (p *pair) do(t *testing.T, words ...any) {
	t.Helper()
	must(t, p.raw.Do(context.WithoutCancel(t.Context()), words...).Err())
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
