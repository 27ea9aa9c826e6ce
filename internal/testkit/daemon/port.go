package daemon

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
)

// Ports are taken below the range that Linux gives to outgoing connections (32768 to 60999): a port from inside it that is
// free now may be another connection's own end when the server binds it, or while it is stopped.
const (
	firstPort = 20000
	lastPort  = 32000
	portTries = 500
)

// Port is a TCP port of 127.0.0.1 that no other process using this package takes until Release.
type Port struct {
	Number int
	lock   *Lock
}

// ReservePort finds a port on which nothing listens.
func ReservePort() (*Port, error) {
	folder := filepath.Join(os.TempDir(), "forebay-test-ports-"+strconv.Itoa(os.Getuid()))
	for range portTries {
		n := firstPort + rand.IntN(lastPort-firstPort)
		l, err := TryLockFile(filepath.Join(folder, strconv.Itoa(n)))
		if err != nil {
			return nil, fmt.Errorf("reserve port: %w", err)
		}
		if l == nil {
			continue
		}
		p := &Port{Number: n, lock: l}
		if p.free() {
			return p, nil
		}
		l.Unlock()
	}
	return nil, errors.New("reserve port: none is free")
}

// Addr is 127.0.0.1:port.
func (p *Port) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(p.Number)) }

// Release lets others take the port.
func (p *Port) Release() { p.lock.Unlock() }

func (p *Port) free() bool {
	l, err := net.Listen("tcp", p.Addr())
	if err != nil {
		return false
	}
	return l.Close() == nil
}
