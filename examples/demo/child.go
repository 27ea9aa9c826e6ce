package main

import (
	"io"
	"os"
	"syscall"
	"time"

	"forebay/internal/child"
)

// killAfter is how long Forebay may take to drain its clients after SIGTERM; its own default grace is 10 s.
const killAfter = 15 * time.Second

// startForebay starts forebay with its output passed through. banner is closed when it has first written to its standard output.
func startForebay(o options, stdout, stderr io.Writer) (forebay *child.Process, banner <-chan struct{}, err error) {
	first := make(chan struct{})
	forebay, err = child.Start(child.Program{
		Name: "forebay", Path: o.forebay, Args: o.arguments, KillAfter: killAfter, Orphaned: syscall.SIGTERM,
		Env:    append(os.Environ(), "FOREBAY_LISTEN_ADDRESS="+o.resp, "FOREBAY_HTTP_ADDRESS="+o.http),
		Stdout: &noticed{w: stdout, first: first}, Stderr: stderr,
	})
	return forebay, first, err
}

// noticed passes on what is written and closes first after the first write. It is for one goroutine.
type noticed struct {
	w     io.Writer
	first chan<- struct{} // nil once closed
}

// Write passes p on.
func (n *noticed) Write(p []byte) (int, error) {
	written, err := n.w.Write(p)
	if n.first != nil {
		close(n.first)
		n.first = nil
	}
	return written, err
}
