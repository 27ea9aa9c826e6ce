package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/bits"
	"os"
	"os/exec"
	"strings"

	"forebay/internal/child"
)

const (
	smallKey  = "slowreader:small"
	largeKey  = "slowreader:large"
	objectKey = "slowreader:object:large"
	smallSize = 100
)

// stack is one Redis and one Forebay in front of it.
type stack struct {
	*child.Group
	pid   int // of Forebay
	ports map[string]int
}

// startStack starts the servers and stores what is read. The caller must Stop it.
func startStack(ctx context.Context, o options) (_ *stack, err error) {
	redis, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, errors.New("redis-server is not installed: apt-get install redis-server")
	}
	binary, err := exec.LookPath(o.forebay)
	if err != nil {
		return nil, fmt.Errorf("%s is not there: make build, or name another with -forebay", o.forebay)
	}
	group, err := child.NewGroup("forebay-slowreader-")
	if err != nil {
		return nil, err
	}
	s := &stack{Group: group}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Stop())
		}
	}()
	if s.ports, err = child.FreePorts("redis", "forebay", "http"); err != nil {
		return nil, err
	}
	if _, err := s.Start(ctx, "redis", s.answers("redis"), redis, "--port", fmt.Sprint(s.ports["redis"]), "--bind", "127.0.0.1",
		"--save", "", "--appendonly", "no", "--dir", s.Dir()); err != nil {
		return nil, err
	}
	if o.cassandra != "" {
		if err := s.storeObject(ctx, o, binary); err != nil {
			return nil, err
		}
	}
	conf, err := s.Write("forebay.yaml", s.config(o))
	if err != nil {
		return nil, err
	}
	forebay, err := s.Start(ctx, "forebay", s.answers("forebay"), binary, "serve", "--config", conf)
	if err != nil {
		return nil, err
	}
	s.pid = forebay.Pid()
	return s, s.fill(ctx, o)
}

// config has one route, for the object; the other keys have none, and are read from Redis by everybody.
func (s *stack) config(o options) []byte {
	source, routes := "{embedded: true}", ""
	if o.cassandra != "" {
		source = fmt.Sprintf("{cassandra: {hosts: [%q], keyspace: %s}}", o.cassandra, o.keyspace)
		routes = `routes:
  - {name: object, key: "slowreader:object:{name}", object: {dataset: slowreader, name: "{name}"}, ttl: 1h}
`
	}
	return fmt.Appendf(nil, `listen: {address: "127.0.0.1:%d"}
http: {address: "127.0.0.1:%d"}
redis: {address: "127.0.0.1:%d"}
source: %s
%s`, s.ports["forebay"], s.ports["http"], s.ports["redis"], source, routes)
}

// answers tells whether a server answers.
func (s *stack) answers(name string) func(context.Context) error {
	return func(ctx context.Context) error {
		c, err := dial(ctx, s.ports[name])
		if err != nil {
			return err
		}
		defer c.close()
		return c.ok("PING")
	}
}

// fill stores the values that are read without a route.
func (s *stack) fill(ctx context.Context, o options) error {
	c, err := dial(ctx, s.ports["redis"])
	if err != nil {
		return err
	}
	defer c.close()
	return errors.Join(c.ok("SET", smallKey, strings.Repeat("x", smallSize)), c.ok("SET", largeKey, string(largeValue(o.size))))
}

// largeValue is bytes that no compression would shorten much.
func largeValue(n int) []byte {
	b := make([]byte, n)
	x := uint32(1)
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(bits.RotateLeft32(x, 8))
	}
	return b
}

// storeObject has forebay load store the object.
func (s *stack) storeObject(ctx context.Context, o options, binary string) error {
	path, err := s.Write("large", largeValue(o.size))
	if err != nil {
		return err
	}
	load := exec.CommandContext(ctx, binary, "load", "--source.cassandra.hosts="+o.cassandra, "--source.cassandra.keyspace="+o.keyspace,
		"--dataset=slowreader", "--object", "--name=large", path)
	var said bytes.Buffer
	load.Stdout, load.Stderr = &said, &said
	if err := load.Run(); err != nil {
		return fmt.Errorf("store the object: %w\n%s", err, said.String())
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("remove the file of the object: %w", err)
	}
	return nil
}
