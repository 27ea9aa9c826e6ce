package child

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"
)

const (
	// startLimit is how long a server may take until it answers.
	startLimit = 20 * time.Second
	// readyEvery is how often it is asked meanwhile.
	readyEvery = 20 * time.Millisecond
	// killAfter is how long a server may take to end after SIGTERM. Forebay's own grace is 10 s.
	killAfter = 12 * time.Second
)

// Group is servers that belong together, and the folder of their files. It is for one goroutine.
type Group struct {
	dir      string
	children []*Process // in the order of their starts
}

// NewGroup returns a group without servers, with a folder whose name begins with prefix. The caller must Stop it.
func NewGroup(prefix string) (*Group, error) {
	dir, err := os.MkdirTemp("", prefix)
	if err != nil {
		return nil, fmt.Errorf("make a folder: %w", err)
	}
	return &Group{dir: dir}, nil
}

// Dir is the group's folder, which Stop removes.
func (g *Group) Dir() string { return g.dir }

// Write writes a file into the folder and returns its path.
func (g *Group) Write(name string, b []byte) (string, error) {
	path := filepath.Join(g.dir, name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		return "", fmt.Errorf("write %s: %w", name, err)
	}
	return path, nil
}

// Start starts a server, with its output in a file of the folder, and waits until ready returns nil.
func (g *Group) Start(ctx context.Context, name string, ready func(context.Context) error, path string, args ...string) (*Process, error) {
	c, err := Start(Program{Name: name, Path: path, Args: args, Log: filepath.Join(g.dir, name+".log"), KillAfter: killAfter})
	if err != nil {
		return nil, err
	}
	g.children = append(g.children, c)
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	look := time.NewTicker(readyEvery)
	defer look.Stop()
	for {
		err := ready(ctx)
		if err == nil && c.ended.Err() == nil {
			return c, nil
		}
		select {
		case <-look.C:
		case <-c.ended.Done():
			return nil, context.Cause(c.ended)
		case <-ctx.Done():
			return nil, fmt.Errorf("start %s: it does not answer: %w%s", name, errors.Join(ctx.Err(), err), c.lastWords())
		}
	}
}

// WhileAlive returns a context that ends with ctx, or when a server of the group does: then its cause tells which.
func (g *Group) WhileAlive(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	var detach []func() bool
	for _, c := range g.children {
		detach = append(detach, context.AfterFunc(c.ended, func() { cancel(context.Cause(c.ended)) }))
	}
	return ctx, func() {
		for _, d := range detach {
			d()
		}
		cancel(nil)
	}
}

// Stop ends the servers, the last started first, and removes the folder.
func (g *Group) Stop() error {
	var errs []error
	for i := len(g.children) - 1; i >= 0; i-- {
		errs = append(errs, g.children[i].Stop())
	}
	g.children = nil
	return errors.Join(append(errs, os.RemoveAll(g.dir))...)
}

// FreePorts finds a port of 127.0.0.1 for each name. All are held until all are found, so that no two are the same.
func FreePorts(names ...string) (map[string]int, error) {
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
