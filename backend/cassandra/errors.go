package cassandra

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"forebay/backend"
)

// fail wraps err with what was being done and the cause it stands for.
func fail(doing string, err error) error {
	for _, known := range []error{backend.ErrSourceDown, backend.ErrSourceTimeout, backend.ErrSourceInvalid, backend.ErrNoTable} {
		if errors.Is(err, known) {
			return fmt.Errorf("%s: %w", doing, err)
		}
	}
	return fmt.Errorf("%s: %w: %w", doing, cause(err), err)
}

// cause turns an error of the driver into the sentinel a caller acts upon.
//
// Down is what another host or a later moment may cure: no connection, a node that is overloaded or has no replicas up. Timeout
// is no answer in time, a caller that gave up included. Invalid is an answer that the same query will get again.
func cause(err error) error {
	var request gocql.RequestError
	var netErr net.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), errors.Is(err, gocql.ErrTimeoutNoResponse):
		return backend.ErrSourceTimeout
	case errors.As(err, &request):
		return requestCause(request)
	case errors.As(err, &netErr) && netErr.Timeout():
		return backend.ErrSourceTimeout
	case isMarshal(err):
		return backend.ErrSourceInvalid
	default:
		return backend.ErrSourceDown
	}
}

func requestCause(err gocql.RequestError) error {
	switch err.Code() {
	case gocql.ErrCodeReadTimeout, gocql.ErrCodeWriteTimeout:
		return backend.ErrSourceTimeout
	case gocql.ErrCodeUnavailable, gocql.ErrCodeOverloaded, gocql.ErrCodeBootstrapping, gocql.ErrCodeServer,
		gocql.ErrCodeProtocol, gocql.ErrCodeCredentials, gocql.ErrCodeUnprepared:
		return backend.ErrSourceDown
	case gocql.ErrCodeInvalid:
		if m := err.Message(); strings.Contains(m, "does not exist") || strings.Contains(m, "unconfigured table") {
			return fmt.Errorf("%w: %w", backend.ErrSourceInvalid, backend.ErrNoTable)
		}
	}
	return backend.ErrSourceInvalid
}

func isMarshal(err error) bool {
	var m gocql.MarshalError
	var u gocql.UnmarshalError
	return errors.As(err, &m) || errors.As(err, &u)
}

// bounded gives a query of a Source its bound on being asked twice after an error.
func (o *Options) bounded(q *gocql.Query) *gocql.Query {
	if o.Retry != nil {
		q.RetryPolicy(&retryAllowed{may: o.Retry})
	}
	return q
}

// retryAllowed is retryOnce of one query, where may allows it. The driver asks for the type of a retry also when there will be none: may is not.
type retryAllowed struct {
	retryOnce
	may  func() bool
	last bool // there will be none
}

// Attempt allows the second attempt.
func (r *retryAllowed) Attempt(q gocql.RetryableQuery) bool {
	again := r.retryOnce.Attempt(q)
	r.last = !again
	return again
}

// GetRetryType says where the second attempt goes, if it may.
func (r *retryAllowed) GetRetryType(err error) gocql.RetryType {
	where := r.retryOnce.GetRetryType(err)
	if where != gocql.Rethrow && !r.last && !r.may() {
		return gocql.Rethrow
	}
	return where
}

// retryOnce repeats a read once where that can help: on another host if this one answered that it cannot, on any connection if this one
// broke. Reads and the loader's inserts are idempotent.
type retryOnce struct{}

// Attempt allows the second attempt.
func (retryOnce) Attempt(q gocql.RetryableQuery) bool { return q.Attempts() <= 1 }

// GetRetryType says where the second attempt goes.
func (retryOnce) GetRetryType(err error) gocql.RetryType {
	var request gocql.RequestError
	switch {
	case errors.Is(err, gocql.ErrTimeoutNoResponse), isMarshal(err):
		return gocql.Rethrow
	case errors.As(err, &request):
		if errors.Is(requestCause(request), backend.ErrSourceInvalid) {
			return gocql.Rethrow
		}
		return gocql.RetryNextHost
	default:
		return gocql.Retry
	}
}
