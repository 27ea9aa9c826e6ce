//go:build linux

package wire

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"

	"forebay/internal/testkit"
)

// The kernel is told when to end a connection whose peer acknowledges nothing.
func TestUnacknowledgedConnectionsEnd(t *testing.T) {
	o := Options{Addr: testkit.Redis(t).Addr}
	o.defaults()
	nc, err := o.dial(t.Context(), Target{Proto: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	raw, err := nc.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var got int
	err = raw.Control(func(fd uintptr) { got, _ = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT) })
	if err != nil || int64(got) != unacked.Milliseconds() {
		t.Errorf("after %d ms (%v), want %v", got, err, unacked)
	}
}
