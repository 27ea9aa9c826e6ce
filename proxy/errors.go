package proxy

import (
	"errors"
	"strings"

	"forebay/backend"
	"forebay/internal/cache"
)

// What a client is told when Redis cannot be asked. Clients dispatch on the first word.
const (
	redisDown = "-REDISDOWN redis does not answer; routed keys are still read from the source, everything else: try again\r\n"
	redisLost = "-REDISDOWN connection to redis was lost before the reply came; try again\r\n"
)

// errorReply turns a failed load into the reply its reader gets. This is the one place where it is done.
func errorReply(err error) string {
	if refused, ok := errors.AsType[*backend.RefusedError](err); ok {
		return "-" + line(refused.Reply) + "\r\n"
	}
	word, advice := "SOURCEINVALID", "ask the owner of the dataset"
	switch {
	case errors.Is(err, backend.ErrStoreDown):
		return redisDown
	case errors.Is(err, backend.ErrSourceDown), errors.Is(err, cache.ErrClosed):
		word, advice = "SOURCEDOWN", "cached keys are still served, try again"
	case errors.Is(err, backend.ErrSourceTimeout):
		word, advice = "SOURCETIMEOUT", "try again"
	case errors.Is(err, cache.ErrContended):
		word, advice = "SOURCETIMEOUT", "try again"
	case errors.Is(err, cache.ErrNotKept):
		word, advice = "OOM", "it is full, or something removes the key: try again"
	case !errors.Is(err, backend.ErrSourceInvalid):
		if wrongType(err) {
			return wrongTypeReply
		}
		word, advice = "SOURCEDOWN", "try again"
	}
	return "-" + word + " " + line(err.Error()) + "; " + advice + "\r\n"
}

const wrongTypeReply = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"

// wrongType tells whether Redis holds something else than a string.
func wrongType(err error) bool { return strings.Contains(err.Error(), "WRONGTYPE ") }

// line makes text fit a simple error: one line. Bytes that are no UTF-8 stay as they are, as in Redis.
func line(text string) string {
	if !strings.ContainsAny(text, "\r\n") {
		return text
	}
	b := []byte(text)
	for i, c := range b {
		if c == '\r' || c == '\n' {
			b[i] = ' '
		}
	}
	return string(b)
}
