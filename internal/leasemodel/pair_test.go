package leasemodel_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

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
	list, err := p.raw.MGet(t.Context(), "k", generationKey, leaseKey, areaKey).Result()
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
	return fmt.Sprintf("value %q, generation %d, lease %s, area %s", said(0), p.names[said(1)], renamed(said(2)), renamed(said(3)))
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
