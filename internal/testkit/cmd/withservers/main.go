// Command withservers runs a command with a real Cassandra and a real Kafka beside it:
//
//	withservers -- go test ./...
//
// It starts both at once on free ports, names them to the command by TEST_CASSANDRA_ADDR and TEST_KAFKA_BROKER, and exits with the command's
// status. A server whose variable is already set is used as it is. Whatever ends this process (the command's end, SIGINT, SIGTERM, SIGHUP,
// the death of its parent, SIGKILL), the command and the servers it started end too.
//
// Signals are passed to the command; a second one, or ten seconds, kill it. Nothing is printed after the
// command's own output. With 2 as status, no command was given; with 1 a server could not be started.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"time"

	"forebay/internal/testkit"
	"forebay/internal/testkit/daemon"
	"forebay/internal/testkit/server"
)

const (
	parentEvery = time.Second
	grace       = 10 * time.Second
)

func main() {
	os.Exit(run(os.Args[1:], os.Stderr))
}

func run(args []string, log io.Writer) int {
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		fmt.Fprintln(log, "usage: withservers -- command [argument...]")
		return 2
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	stop := make(chan struct{})
	defer close(stop)
	go watchParent(os.Getppid(), signals, stop)

	fleet, sig, err := start(signals, log)
	defer fleet.remove(log)
	if err != nil {
		fmt.Fprintln(log, "withservers:", err)
		return 1
	}
	if sig != nil {
		return 128 + int(sig.(syscall.Signal))
	}
	status, err := runCommand(args, fleet.env, signals)
	if err != nil {
		fmt.Fprintln(log, "withservers:", err)
		return 1
	}
	return status
}

// watchParent sends SIGTERM to signals when this process is given another parent: its own has died.
func watchParent(parent int, signals chan<- os.Signal, stop <-chan struct{}) {
	tick := time.NewTicker(parentEvery)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
			if os.Getppid() != parent {
				signals <- syscall.SIGTERM
				return
			}
		}
	}
}

// fleet is the servers started here and the environment that names them.
type fleet struct {
	mu      sync.Mutex
	servers []*daemon.Server
	env     []string
}

func (f *fleet) add(s *daemon.Server, variable, value string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.servers = append(f.servers, s)
	f.env = append(f.env, variable+"="+value)
}

func (f *fleet) remove(log io.Writer) {
	for _, s := range f.servers {
		if err := s.Remove(); err != nil {
			fmt.Fprintln(log, "withservers:", err)
		}
	}
}

// start starts what the environment does not give, all at once. A signal meanwhile ends it and is returned.
func start(signals <-chan os.Signal, log io.Writer) (*fleet, os.Signal, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	f := &fleet{}
	errs := make(chan error, 2)
	waiting := 0
	launch := func(variable string, start func() (*daemon.Server, string, error)) {
		if os.Getenv(variable) != "" {
			return
		}
		waiting++
		go func() {
			begun := time.Now()
			s, addr, err := start()
			if err == nil {
				f.add(s, variable, addr)
				fmt.Fprintf(log, "%s=%s started in %.1f s\n", variable, addr, time.Since(begun).Seconds())
			}
			errs <- err
		}()
	}
	launch(testkit.CassandraEnv, func() (*daemon.Server, string, error) {
		s, err := server.StartCassandra(ctx)
		if err != nil {
			return nil, "", err
		}
		return s.Server, s.Addr, nil
	})
	launch(testkit.KafkaEnv, func() (*daemon.Server, string, error) {
		s, err := server.StartKafka(ctx)
		if err != nil {
			return nil, "", err
		}
		return s.Server, s.Broker, nil
	})
	var failed []error
	var got os.Signal
	for waiting > 0 {
		select {
		case err := <-errs:
			waiting--
			if err != nil && got == nil {
				failed = append(failed, err)
				cancel() // no use for the other
			}
		case sig := <-signals:
			got = sig
			cancel()
		}
	}
	return f, got, errors.Join(failed...)
}

// runCommand runs the command in a process group of its own, which dies with this process, and passes signals on to the group.
func runCommand(args, env []string, signals <-chan os.Signal) (int, error) {
	path, err := exec.LookPath(args[0])
	if err != nil {
		return 0, fmt.Errorf("find command: %w", err)
	}
	cmd := exec.Command(path, args[1:]...)
	cmd.Env = slices.Concat(os.Environ(), env)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	p, err := daemon.StartProcess(cmd, "")
	if err != nil {
		return 0, err
	}
	defer p.Close()
	ended := make(chan syscall.WaitStatus, 1)
	go func() {
		for {
			if status, err := p.Wait(time.Hour); err == nil {
				ended <- status
				return
			}
		}
	}()
	var kill <-chan time.Time
	for {
		select {
		case status := <-ended:
			if status.Signaled() {
				return 128 + int(status.Signal()), nil
			}
			return status.ExitStatus(), nil
		case sig := <-signals:
			if kill != nil {
				p.SignalGroup(syscall.SIGKILL)
				continue
			}
			p.SignalGroup(sig.(syscall.Signal))
			kill = time.After(grace)
		case <-kill:
			p.SignalGroup(syscall.SIGKILL)
		}
	}
}
