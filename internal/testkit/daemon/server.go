package daemon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// readyEvery is how often a starting server is asked whether it answers.
const readyEvery = 20 * time.Millisecond

// Program describes a server to [Launch]. Only Command and Ready are called later than that, by Start.
type Program struct {
	Name  string        // short, lower case; part of the folder's name and of errors
	Ports int           // how many ports to reserve
	Limit time.Duration // how long a start, and a stop, may take
	// Prepare writes what the server needs into its folder, once. It may be nil.
	Prepare func(ctx context.Context, s *Server) error
	// Command is the server's command line; its output goes to the server's log, its working folder is Dir unless it says otherwise.
	Command func(s *Server) *exec.Cmd
	// Ready returns nil once the server answers.
	Ready func(ctx context.Context, s *Server) error
}

// Server is a program with a folder and ports, running or stopped. Its methods are safe for concurrent use.
type Server struct {
	Dir   string // removed by Remove
	Ports []*Port

	program Program
	mu      sync.Mutex
	process *Process // nil while stopped
}

// Launch makes the folder, reserves ports and starts the server. Since a port that is free can be taken by someone who does not use
// this package before the server binds it, a server that ends while it starts gets a second chance with other ports.
func Launch(ctx context.Context, program Program) (*Server, error) {
	s, err := launch(ctx, program)
	if errors.Is(err, errEnded) {
		s, err = launch(ctx, program)
	}
	return s, err
}

func launch(ctx context.Context, program Program) (_ *Server, err error) {
	s := &Server{program: program}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Remove())
		}
	}()
	if s.Dir, err = os.MkdirTemp("", "forebay-test-"+program.Name+"-"); err != nil {
		return nil, fmt.Errorf("make folder for %s: %w", program.Name, err)
	}
	for range program.Ports {
		port, err := ReservePort()
		if err != nil {
			return nil, err
		}
		s.Ports = append(s.Ports, port)
	}
	if program.Prepare != nil {
		if err := program.Prepare(ctx, s); err != nil {
			return nil, fmt.Errorf("prepare %s: %w", program.Name, err)
		}
	}
	if err := s.Start(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// LogPath is the file that the server's output goes to.
func (s *Server) LogPath() string { return filepath.Join(s.Dir, "log") }

// Start starts a stopped server and waits until it answers. The error shows the end of the server's log.
func (s *Server) Start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil {
		return fmt.Errorf("start %s: it is running", s.program.Name)
	}
	log, err := os.OpenFile(s.LogPath(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	defer log.Close() // the server has its own
	cmd := s.program.Command(s)
	cmd.Stdout, cmd.Stderr = log, log
	if cmd.Dir == "" {
		cmd.Dir = s.Dir
	}
	if s.process, err = StartProcess(cmd, s.Dir); err != nil {
		return err
	}
	if err := s.awaitReady(ctx); err != nil {
		_ = s.process.Close()
		s.process = nil
		return fmt.Errorf("start %s: %w; its log ends:\n%s", s.program.Name, err, s.logTail())
	}
	return nil
}

var errEnded = errors.New("it ended by itself")

func (s *Server) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.program.Limit)
	defer cancel()
	tick := time.NewTicker(readyEvery)
	defer tick.Stop()
	for {
		err := s.program.Ready(ctx, s)
		// Asked after Ready: an answer from a foreign server on the port does not count once ours has failed to bind it.
		if s.process.Ended() {
			return errEnded
		}
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("no answer within %v: %w (%w)", s.program.Limit, err, context.Cause(ctx))
		case <-tick.C:
		}
	}
}

// Stop ends the server by SIGTERM and waits; a server that does not end in time is killed, and that is an error.
// A stopped server may be stopped again.
func (s *Server) Stop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return nil
	}
	s.process.Signal(syscall.SIGTERM)
	s.process.Signal(syscall.SIGCONT) // it may be paused
	_, err := s.process.Wait(s.program.Limit)
	if cerr := s.process.Close(); err == nil {
		err = cerr
	}
	s.process = nil
	if err != nil {
		return fmt.Errorf("stop %s: %w", s.program.Name, err)
	}
	return nil
}

// Kill ends the server by SIGKILL and waits.
func (s *Server) Kill() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return nil
	}
	err := s.process.Close()
	s.process = nil
	return err
}

// Pause stops the server by SIGSTOP: it does nothing from then on, but the kernel still accepts connections for it.
func (s *Server) Pause() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil || s.process.Ended() {
		return fmt.Errorf("pause %s: it is not running", s.program.Name)
	}
	return s.process.Suspend()
}

// Resume ends a Pause.
func (s *Server) Resume() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil || s.process.Ended() {
		return fmt.Errorf("resume %s: it is not running", s.program.Name)
	}
	s.process.Signal(syscall.SIGCONT)
	return nil
}

// Pid is the running server's process id, 0 while it is stopped.
func (s *Server) Pid() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return 0
	}
	return s.process.Pid()
}

// Remove kills the server, gives its ports back and removes its folder.
func (s *Server) Remove() error {
	err := s.Kill()
	for _, p := range s.Ports {
		p.Release()
	}
	if s.Dir == "" {
		return err
	}
	return errors.Join(err, os.RemoveAll(s.Dir))
}

// logTail is the last 4 KB of the log.
func (s *Server) logTail() []byte {
	log, err := os.ReadFile(s.LogPath())
	if err != nil {
		return []byte(err.Error())
	}
	return bytes.TrimSpace(log[max(0, len(log)-4096):])
}
