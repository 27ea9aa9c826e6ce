package proxy

import "golang.org/x/sys/unix"

// closedByPeer is the event of an end that the peer has closed.
const closedByPeer = unix.POLLRDHUP
