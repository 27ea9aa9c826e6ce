package cassandra

import (
	"errors"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// refused is an error of a node, by its code.
type refused struct{ code int }

func (e refused) Code() int       { return e.code }
func (e refused) Message() string { return "refused" }
func (e refused) Error() string   { return "refused" }

// attempted is a query that was sent so many times.
type attempted struct {
	gocql.RetryableQuery
	times int
}

func (a attempted) Attempts() int { return a.times }

func TestRetryAllowed(t *testing.T) {
	for _, test := range []struct {
		name  string
		err   error
		times int
		may   bool
		want  gocql.RetryType
		asked int
	}{
		{"a node that is overloaded, within the budget", refused{gocql.ErrCodeOverloaded}, 1, true, gocql.RetryNextHost, 1},
		{"a node that is overloaded, the budget used up", refused{gocql.ErrCodeOverloaded}, 1, false, gocql.Rethrow, 1},
		{"a replica that is away", refused{gocql.ErrCodeUnavailable}, 1, true, gocql.RetryNextHost, 1},
		{"a replica that is late", refused{gocql.ErrCodeReadTimeout}, 1, true, gocql.RetryNextHost, 1},
		{"a connection that broke", errors.New("EOF"), 1, true, gocql.Retry, 1},
		{"the second failure costs nothing", refused{gocql.ErrCodeOverloaded}, 2, true, gocql.RetryNextHost, 0},
		{"no answer in time: there is none for another", gocql.ErrTimeoutNoResponse, 1, true, gocql.Rethrow, 0},
		{"a query that is wrong", refused{gocql.ErrCodeSyntax}, 1, true, gocql.Rethrow, 0},
		{"a read that fails wherever it is asked", refused{gocql.ErrCodeReadFailure}, 1, true, gocql.Rethrow, 0},
	} {
		asked := 0
		p := &retryAllowed{may: func() bool {
			asked++
			return test.may
		}}
		again := p.Attempt(attempted{times: test.times})
		if got := p.GetRetryType(test.err); got != test.want || asked != test.asked || again != (test.times < 2) {
			t.Errorf("%s: %d, asked %d times, again %v; want %d, asked %d times", test.name, got, asked, again, test.want, test.asked)
		}
	}
}

func TestBoundedQueries(t *testing.T) {
	if err := (Options{Hosts: []string{"h"}, SpeculateAfter: -time.Second}).Validate(); err == nil {
		t.Error("a time below zero is taken")
	}
}
