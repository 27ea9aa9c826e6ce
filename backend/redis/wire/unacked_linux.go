package wire

import (
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// unacked is when the kernel ends a connection whose peer acknowledges nothing: no bytes, no probe of an empty window, and, of a connection that is silent, no
// keepalive (sent after 15 s of silence and each 15 s). It is the only guard of connections that clients have of their own, on which a reply may be long in coming.
//
// It is long, as it counts time alone: a Redis that is stopped acknowledges, but reads nothing, so that its window gets empty. By then [Options.Down] has ended all
// that wait for it.
const unacked = 30 * time.Second

// endUnacked is a dialer's Control. A kernel that does not know the option does without.
func endUnacked(network, _ string, raw syscall.RawConn) error {
	if !strings.HasPrefix(network, "tcp") {
		return nil
	}
	return raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(unacked.Milliseconds()))
	})
}
