package redis

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"syscall"

	goredis "github.com/redis/go-redis/v9"

	"forebay/backend"
)

var (
	// ErrCluster means the server runs in cluster mode. Its text is what an operator is shown.
	ErrCluster = errors.New("redis is in cluster mode, which forebay does not serve yet: " +
		"give redis.address a server with cluster-enabled no")
	// ErrWrongPass means that Redis knows no such user with that password, or that the user is off.
	ErrWrongPass = errors.New("wrong user name or password")
)

// down wraps the cause of Redis not having been asked, or not having answered.
func (c *Client) down(cause error) error {
	return fmt.Errorf("ask redis at %s: %w: %w", c.opt.Addr, backend.ErrStoreDown, cause)
}

// failure turns go-redis's error for a whole call into this package's: nil for none, the caller's own cancellation as it
// is, and ErrStoreDown for everything that left Redis unasked. The prober is told of the last, so that a dead server
// is noticed before its next turn. An ordinary error reply is returned as it is.
func (c *Client) failure(ctx context.Context, err error) error {
	switch {
	case err == nil || errors.Is(err, goredis.Nil):
		return nil
	case errors.Is(ctx.Err(), context.Canceled):
		return fmt.Errorf("ask redis at %s: %w", c.opt.Addr, context.Canceled)
	case isUnasked(err):
		c.state.kick()
		return c.down(err)
	default:
		return err
	}
}

// isUnasked tells whether err means that Redis did not do what it was asked: every error but a reply, and
// those replies that it gives to every command alike.
func isUnasked(err error) bool {
	var reply goredis.Error
	return !errors.As(err, &reply) || isShut(reply.Error())
}

// isShut tells of an error reply whether it is given to all data commands alike, so that nothing can be asked until it
// ends: the server loads its data set (minutes, and no client can shorten it), a replica has lost its primary and may
// not serve stale data, the server takes no more clients, or does not let Forebay's user in.
//
// BUSY is not among them: a script runs too long, and a client may end that with SCRIPT KILL if only it is let through.
func isShut(reply string) bool {
	return beginsWith(reply, "LOADING ", "MASTERDOWN ", "NOAUTH ", "WRONGPASS ", "ERR max number of clients")
}

// isPassing tells of an error reply whether it is given to every write alike, for a time that somebody else ends.
func isPassing(reply string) bool {
	return beginsWith(reply, "READONLY ", "MISCONF ", "NOREPLICAS ", "BUSY ")
}

func beginsWith(reply string, words ...string) bool {
	return slices.ContainsFunc(words, func(word string) bool { return strings.HasPrefix(reply, word) })
}

// isBroken tells whether err is a connection that had ended, as pooled ones have after a restart: not a timeout and
// not a refused dial, which asking again at once would only prolong.
func isBroken(err error) bool {
	for _, end := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, end) {
			return true
		}
	}
	return false
}
