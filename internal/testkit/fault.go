package testkit

import (
	"testing"
	"time"
)

// FaultProxy is a TCP relay in front of a server that breaks the network on demand. It is safe for concurrent use.
type FaultProxy struct {
	// Addr is host:port to connect to.
	Addr string
}

// NewFaultProxy relays a free port of 127.0.0.1 to target (network "tcp" or "unix") until the test's cleanup.
func NewFaultProxy(t testing.TB, network, target string) *FaultProxy { panic("unfinished") }

// Cut closes every connection and refuses new ones until Restore.
func (p *FaultProxy) Cut() { panic("unfinished") }

// Restore ends Cut, Delay and HalfOpen for connections made from now on and for those still open.
func (p *FaultProxy) Restore() { panic("unfinished") }

// Delay holds every piece of data back by d, in both directions, until Restore.
func (p *FaultProxy) Delay(d time.Duration) { panic("unfinished") }

// HalfOpen keeps connections open and accepts new ones, but passes nothing in either direction until Restore.
func (p *FaultProxy) HalfOpen() { panic("unfinished") }
