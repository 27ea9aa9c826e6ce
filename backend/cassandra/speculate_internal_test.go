package cassandra

import (
	"testing"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// inOrder picks hosts in their order.
type inOrder struct {
	gocql.HostSelectionPolicy
	hosts []string
}

// picked is a host by its name.
type picked struct {
	gocql.SelectedHost
	name string
}

func (p inOrder) Pick(gocql.ExecutableStatement) gocql.NextHost {
	left := p.hosts
	return func() gocql.SelectedHost {
		if len(left) == 0 {
			return nil
		}
		h := picked{name: left[0]}
		left = left[1:]
		return h
	}
}

// askedOf is a statement of a query.
type askedOf struct {
	gocql.ExecutableStatement
	of *gocql.Query
}

func (s askedOf) Statement() gocql.Statement { return s.of }

func TestSecondChoice(t *testing.T) {
	for _, test := range []struct {
		name, want string
		hosts      []string
		marked     bool
	}{
		{"the first query goes to the first replica", "a", []string{"a", "b"}, false},
		{"the second to the second", "b", []string{"a", "b"}, true},
		{"or nowhere", "", []string{"a"}, true},
	} {
		p := &secondChoice{HostSelectionPolicy: inOrder{hosts: test.hosts}}
		q := &gocql.Query{}
		if test.marked {
			p.mark(q)
		}
		got := ""
		if h, ok := p.Pick(askedOf{of: q})().(picked); ok {
			got = h.name
		}
		if got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
		p.unmark(q)
		if h, ok := p.Pick(askedOf{of: q})().(picked); !ok || h.name != "a" {
			t.Errorf("%s: afterwards it is %q", test.name, h.name)
		}
	}
}
