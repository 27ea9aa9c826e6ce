package load

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// ppoll waits until a socket is ready or d has passed, to the nanosecond: batches of a fixed rate are due between milliseconds.
func ppoll(fds []unix.PollFd, d time.Duration) (int, error) {
	timeout := unix.NsecToTimespec(int64(d))
	n, err := unix.Ppoll(fds, &timeout, nil)
	if errors.Is(err, unix.EINTR) {
		return 0, nil
	}
	return n, err
}
