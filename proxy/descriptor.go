package proxy

import (
	"net"
	"syscall"
)

// descriptor is the number of a connection's socket, −1 if it has none.
func descriptor(nc net.Conn) (fd int) {
	fd = -1
	if under, ok := nc.(interface{ NetConn() net.Conn }); ok {
		nc = under.NetConn() // of TLS
	}
	if sc, ok := nc.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			_ = raw.Control(func(n uintptr) { fd = int(n) })
		}
	}
	return fd
}
