//go:build !linux

package load

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// ppoll waits until a socket is ready or d has passed, in whole milliseconds.
func ppoll(fds []unix.PollFd, d time.Duration) (int, error) {
	n, err := unix.Poll(fds, int((d+time.Millisecond-1)/time.Millisecond))
	if errors.Is(err, unix.EINTR) {
		return 0, nil
	}
	return n, err
}
