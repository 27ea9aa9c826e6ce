package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// startLimit is how long a server may take until it answers.
const startLimit = 20 * time.Second

// stack is the servers: one Redis, and the two proxies in front of it.
type stack struct {
	dir      string
	children []*child // in the order of their starts
	ports    map[string]int
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
	dir, err := os.MkdirTemp("", "forebay-compare-")
	if err != nil {
		return nil, fmt.Errorf("make a folder: %w", err)
	}
	s := &stack{dir: dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.stop())
		}
	}()
	if s.ports, err = freePorts("redis", "twemproxy", "stats", "forebay", "http"); err != nil {
		return nil, err
	}
	if err := s.start(ctx, "redis", paths["redis-server"], "--port", s.port("redis"), "--bind", "127.0.0.1",
		"--save", "", "--appendonly", "no", "--dir", dir); err != nil {
		return nil, err
	}
	conf := filepath.Join(dir, "nutcracker.yml")
	if err := os.WriteFile(conf, s.twemproxyConfig(), 0o600); err != nil {
		return nil, fmt.Errorf("write the configuration of twemproxy: %w", err)
	}
	if err := s.start(ctx, "twemproxy", paths["nutcracker"], "-c", conf, "-o", filepath.Join(dir, "nutcracker.log"),
		"-p", filepath.Join(dir, "nutcracker.pid"), "-a", "127.0.0.1", "-s", s.port("stats")); err != nil {
		return nil, err
	}
	conf = filepath.Join(dir, "forebay.yaml")
	if err := os.WriteFile(conf, s.forebayConfig(), 0o600); err != nil {
		return nil, fmt.Errorf("write the configuration of forebay: %w", err)
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
	c, err := startChild(s.dir, name, path, args...)
	if err != nil {
		return err
	}
	s.children = append(s.children, c)
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		err := answers(ctx, s.ports[name])
		if err == nil && c.ended.Err() == nil {
			return nil
		}
		select {
		case <-look.C:
		case <-c.ended.Done():
			return context.Cause(c.ended)
		case <-ctx.Done():
			return fmt.Errorf("start %s: it does not answer: %w; its log ends:\n%s", name, errors.Join(ctx.Err(), err), c.tail())
		}
	}
}

// whileAlive returns a context that ends with ctx, or when a server does: then its cause tells which.
func (s *stack) whileAlive(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	var detach []func() bool
	for _, c := range s.children {
		detach = append(detach, context.AfterFunc(c.ended, func() { cancel(context.Cause(c.ended)) }))
	}
	return ctx, func() {
		for _, d := range detach {
			d()
		}
		cancel(nil)
	}
}

// stop ends the servers, the last started first, and removes their folder.
func (s *stack) stop() error {
	var errs []error
	for i := len(s.children) - 1; i >= 0; i-- {
		errs = append(errs, s.children[i].stop())
	}
	return errors.Join(append(errs, os.RemoveAll(s.dir))...)
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

// freePorts finds a port of 127.0.0.1 for each name. All are held until all are found, so that no two are the same.
func freePorts(names ...string) (map[string]int, error) {
	ports := map[string]int{}
	for _, name := range names {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer l.Close()
		ports[name] = l.Addr().(*net.TCPAddr).Port
	}
	return ports, nil
}
