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
	"time"

	"forebay/internal/child"
)

// stack is the servers: one Redis, and the two proxies in front of it.
type stack struct {
	*child.Group
	ports map[string]int
}

// target is one of the three that are compared.
type target struct {
	name string
	port int
}

// programs finds what must be installed, or says which command installs what is not.
func programs(forebay string) (map[string]string, error) {
	paths, errs := map[string]string{}, []error(nil)
	for _, p := range []struct{ name, hint string }{
		{"redis-server", "apt-get install redis-server"},
		{"redis-benchmark", "apt-get install redis-tools"},
		{"nutcracker", "apt-get install nutcracker (twemproxy)"},
	} {
		path, err := exec.LookPath(p.name)
		if err != nil && p.name == "nutcracker" {
			path, err = exec.LookPath("/usr/sbin/nutcracker") // not on every user's PATH
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s is not installed: %s", p.name, p.hint))
		}
		paths[p.name] = path
	}
	path, err := exec.LookPath(forebay)
	if err != nil {
		errs = append(errs, fmt.Errorf("%s is not there: make build, or name another with -forebay", forebay))
	}
	paths["forebay"] = path
	return paths, errors.Join(errs...)
}

// startStack starts the three servers and returns when they answer.
func startStack(ctx context.Context, forebay string) (_ *stack, err error) {
	paths, err := programs(forebay)
	if err != nil {
		return nil, err
	}
	group, err := child.NewGroup("forebay-compare-")
	if err != nil {
		return nil, err
	}
	s := &stack{Group: group}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Stop())
		}
	}()
	if s.ports, err = child.FreePorts("redis", "twemproxy", "stats", "forebay", "http"); err != nil {
		return nil, err
	}
	dir := s.Dir()
	if err := s.start(ctx, "redis", paths["redis-server"], "--port", s.port("redis"), "--bind", "127.0.0.1",
		"--save", "", "--appendonly", "no", "--dir", dir); err != nil {
		return nil, err
	}
	conf, err := s.Write("nutcracker.yml", s.twemproxyConfig())
	if err != nil {
		return nil, err
	}
	if err := s.start(ctx, "twemproxy", paths["nutcracker"], "-c", conf, "-o", filepath.Join(dir, "nutcracker.log"),
		"-p", filepath.Join(dir, "nutcracker.pid"), "-a", "127.0.0.1", "-s", s.port("stats")); err != nil {
		return nil, err
	}
	if conf, err = s.Write("forebay.yaml", s.forebayConfig()); err != nil {
		return nil, err
	}
	return s, s.start(ctx, "forebay", paths["forebay"], "serve", "--config", conf)
}

// twemproxyConfig is one pool with one connection to Redis, twemproxy's default and its best on few cores.
func (s *stack) twemproxyConfig() []byte {
	return fmt.Appendf(nil, `compare:
  listen: 127.0.0.1:%d
  redis: true
  preconnect: true
  server_connections: 1
  servers:
   - 127.0.0.1:%d:1
`, s.ports["twemproxy"], s.ports["redis"])
}

// forebayConfig has the bundled digits for a source and the live stream for events; the benchmark's keys have no route.
func (s *stack) forebayConfig() []byte {
	return fmt.Appendf(nil, `listen: {address: "127.0.0.1:%d"}
http: {address: "127.0.0.1:%d"}
redis: {address: "127.0.0.1:%d"}
source: {embedded: true}
`, s.ports["forebay"], s.ports["http"], s.ports["redis"])
}

func (s *stack) port(name string) string { return strconv.Itoa(s.ports[name]) }

// targets are the three, in the order of a round.
func (s *stack) targets() []target {
	return []target{{"direct", s.ports["redis"]}, {"twemproxy", s.ports["twemproxy"]}, {"forebay", s.ports["forebay"]}}
}

// start starts a server and waits until it answers a GET.
func (s *stack) start(ctx context.Context, name, path string, args ...string) error {
	_, err := s.Start(ctx, name, func(ctx context.Context) error { return answers(ctx, s.ports[name]) }, path, args...)
	return err
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
	if _, err := conn.Write([]byte("*2\r\n$3\r\nGET\r\n$14\r\ncompare:absent\r\n")); err != nil {
		return err
	}
	reply, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return err
	}
	if reply != "$-1\r\n" {
		return fmt.Errorf("unexpected reply %q", reply)
	}
	return nil
}
