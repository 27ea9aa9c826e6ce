package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"forebay/internal/child"
)

// The targets, as tables name them.
const (
	direct    = "direct"
	twemproxy = "twemproxy"
	forebay   = "forebay"
	near      = "near"  // forebay, asked for keys that have a route: they may be in its near copy
	kafka     = "kafka" // another forebay, whose events also go to Kafka
)

// The beginnings of keys, of one length.
const (
	unrouted = "wire:"
	routed   = "near:"
)

// nearBytes is the budget of the near copy, in the configuration's words.
const nearBytes = "512MiB"

// target is a way to Redis.
type target struct {
	name   string
	addr   string
	prefix string         // of its keys
	redis  *child.Process // behind it, or itself
	proxy  *child.Process // nil for direct
}

// programs are the paths of what is measured. twemproxy may be missing, then it is "".
type programs struct{ redis, benchmark, twemproxy, forebay string }

// find finds what must be installed, or says which command installs what is not.
func find(binary string) (p programs, err error) {
	var errs []error
	look := func(path *string, name, hint string) {
		var err error
		if *path, err = exec.LookPath(name); err != nil {
			errs = append(errs, fmt.Errorf("%s is not there: %s", name, hint))
		}
	}
	look(&p.redis, "redis-server", "apt-get install redis-server")
	look(&p.benchmark, "redis-benchmark", "apt-get install redis-tools")
	look(&p.forebay, binary, "make build, or name another with -forebay")
	for _, name := range []string{"nutcracker", "/usr/sbin/nutcracker"} { // not on every user's PATH
		if path, err := exec.LookPath(name); err == nil && p.twemproxy == "" {
			p.twemproxy = path
		}
	}
	return p, errors.Join(errs...)
}

// servers are one Redis and the proxies in front of it.
type servers struct {
	*child.Group
	programs
	ports   map[string]int
	targets map[string]target
}

// startServers starts the servers and returns when they answer. Without a broker there is no target kafka, without twemproxy installed not that.
// The caller must Stop them.
func startServers(ctx context.Context, p programs, broker string) (_ *servers, err error) {
	group, err := child.NewGroup("forebay-bench-")
	if err != nil {
		return nil, err
	}
	s := &servers{Group: group, programs: p, targets: map[string]target{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Stop())
		}
	}()
	if s.ports, err = child.FreePorts(direct, twemproxy, "stats", forebay, "http", kafka, "kafka-http"); err != nil {
		return nil, err
	}
	redis, err := s.start(ctx, direct, p.redis, "--port", s.port(direct), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
		"--maxclients", "20000", "--dir", s.Dir())
	if err != nil {
		return nil, err
	}
	s.add(direct, direct, unrouted, redis, nil)
	if err := s.startTwemproxy(ctx, redis); err != nil {
		return nil, err
	}
	if err := s.startForebay(ctx, redis, forebay, "http", ""); err != nil {
		return nil, err
	}
	s.add(near, forebay, routed, redis, s.targets[forebay].proxy)
	if broker != "" {
		err = s.startForebay(ctx, redis, kafka, "kafka-http", fmt.Sprintf("events: {kafka: {brokers: [%q], topic: %q}}\n",
			broker, filepath.Base(s.Dir()))) // a topic of its own
	}
	return s, err
}

func (s *servers) add(name, port, prefix string, redis, proxy *child.Process) {
	s.targets[name] = target{name, net.JoinHostPort("127.0.0.1", s.port(port)), prefix, redis, proxy}
}

func (s *servers) port(name string) string { return strconv.Itoa(s.ports[name]) }

// startTwemproxy starts twemproxy with one connection to Redis, its default and its best on few cores.
func (s *servers) startTwemproxy(ctx context.Context, redis *child.Process) error {
	if s.twemproxy == "" {
		return nil
	}
	conf, err := s.Write("nutcracker.yml", fmt.Appendf(nil, `bench:
  listen: 127.0.0.1:%s
  redis: true
  preconnect: true
  server_connections: 1
  servers:
   - 127.0.0.1:%s:1
`, s.port(twemproxy), s.port(direct)))
	if err != nil {
		return err
	}
	p, err := s.start(ctx, twemproxy, s.twemproxy, "-c", conf, "-o", filepath.Join(s.Dir(), "nutcracker.log"),
		"-p", filepath.Join(s.Dir(), "nutcracker.pid"), "-a", "127.0.0.1", "-s", s.port("stats"))
	if err != nil {
		return err
	}
	s.add(twemproxy, twemproxy, unrouted, redis, p)
	return nil
}

// startForebay starts a Forebay. Its one route is over the keys of the target near. They are all set before they are read, so nothing
// is ever loaded from the source, the bundled digits.
func (s *servers) startForebay(ctx context.Context, redis *child.Process, name, http, more string) error {
	conf, err := s.Write(name+".yaml", fmt.Appendf(nil, `listen: {address: "127.0.0.1:%s", limits: {clients: 20000}}
http: {address: "127.0.0.1:%s"}
redis: {address: "127.0.0.1:%s"}
source: {embedded: true}
near: {max_bytes: %s}
routes:
  - name: near
    key: "%s{size:int}:{idx:int}"
    table: samples
    where: {dataset: digits, split: train, shard: "{idx / 1024}", idx: "{idx}"}
    value: data
%s`, s.port(name), s.port(http), s.port(direct), nearBytes, routed, more))
	if err != nil {
		return err
	}
	p, err := s.start(ctx, name, s.forebay, "serve", "--config", conf)
	if err != nil {
		return err
	}
	s.add(name, name, unrouted, redis, p)
	return nil
}

// start starts a server and waits until it answers a GET.
func (s *servers) start(ctx context.Context, name, path string, args ...string) (*child.Process, error) {
	return s.Start(ctx, name, func(ctx context.Context) error { return answers(ctx, s.ports[name]) }, path, args...)
}

// answers asks for a key that is not there.
func answers(ctx context.Context, port int) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	return askForNothing(conn)
}

// askForNothing sends a GET of a key that is not there and reads the reply.
func askForNothing(conn net.Conn) error {
	if _, err := conn.Write([]byte("*2\r\n$3\r\nGET\r\n$12\r\nbench:absent\r\n")); err != nil {
		return err
	}
	reply, err := bufio.NewReaderSize(conn, 16).ReadString('\n')
	if err != nil {
		return err
	}
	if reply != "$-1\r\n" {
		return fmt.Errorf("unexpected reply %q", strings.TrimSpace(reply))
	}
	return nil
}
