package route

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"forebay/internal/check"
)

// Route is one compiled route. Its exported fields are never changed after [Compile]. It is safe for concurrent use.
type Route struct {
	Name string
	DB   int           // the database whose keys it serves
	TTL  time.Duration // the time a filled value lives, before jitter
	// AbsentTTL is how long it is remembered that the source has no row; 0 does not remember it.
	AbsentTTL time.Duration
	Jitter    float64 // 0 to 0.5: the part of TTL by which it is shortened at random
	// Rules are what the route demands of its values, as far as that can be told without their rows (see Check); nil: nothing.
	Rules *check.Rules

	index int // its place in the file
	spec  Spec
	key   pattern
	binds []bind
	// bound is nil until the route was checked against the source: a source may be down at start.
	bound atomic.Pointer[query]
}

// Prefix returns the literal bytes that every key of the route begins with; "" if there are none.
func (r *Route) Prefix() string { return r.key.prefix }

// Pattern returns the key pattern as the configuration file says it.
func (r *Route) Pattern() string { return r.spec.Key }

// Spec returns what the route was compiled from. Its slices are shared: they must not be changed.
func (r *Route) Spec() Spec { return r.spec }

// Bound tells whether [Table.Bind] has checked the route against the source.
func (r *Route) Bound() bool { return r.bound.Load() != nil }

// Match is what [Table.Match] found. It can be reused for any number of keys; the zero Match is ready.
type Match struct {
	Route *Route // nil if no route matched
	spans [MaxParts]span
}

// Table is the routes of a configuration, in file order. It is safe for concurrent use.
type Table struct {
	routes []*Route
	dbs    []database
}

type database struct {
	db   int
	root *node
}

// Compile checks the specifications and makes a table of them. It reports every problem at once, each naming its route; for a key
// pattern also the column in it. The specs must not be changed afterwards.
func Compile(specs []Spec) (*Table, error) {
	t := &Table{}
	var errs []error
	names, shapes := map[string]bool{}, map[string]string{}
	for i, s := range specs {
		r, problems := compileRoute(i, s)
		if s.Name != "" && names[s.Name] {
			problems = append(problems, errors.New("a route before it has the same name"))
		}
		names[s.Name] = true
		if len(problems) == 0 {
			id := fmt.Sprintf("%d %s", s.DB, r.key.shape())
			if first, taken := shapes[id]; taken {
				problems = append(problems, fmt.Errorf(
					"key: matches the same keys as route %q, which comes first, so it would never be used; remove one", first))
			} else {
				shapes[id] = s.Name
			}
		}
		for _, p := range problems {
			errs = append(errs, fmt.Errorf("%s: %w", label(i, s.Name), p))
		}
		t.add(r)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	for _, d := range t.dbs {
		d.root.inherit(nil)
	}
	return t, nil
}

// label names a route in messages.
func label(i int, name string) string {
	if name == "" {
		return fmt.Sprintf("route %d (no name)", i+1)
	}
	return fmt.Sprintf("route %q", name)
}

func (t *Table) add(r *Route) {
	t.routes = append(t.routes, r)
	for _, d := range t.dbs {
		if d.db == r.DB {
			d.root.add(r.key.prefix, r)
			return
		}
	}
	root := &node{}
	root.add(r.key.prefix, r)
	t.dbs = append(t.dbs, database{r.DB, root})
}

// Routes returns the routes in file order. The slice is shared: it must not be changed.
func (t *Table) Routes() []*Route { return t.routes }

// Match finds the route that serves the key in database db and where the key's parts are. It does not allocate and does not
// keep the key. If no route matches, m.Route is nil and the result false.
func (t *Table) Match(db int, key []byte, m *Match) bool {
	for i := range t.dbs {
		if t.dbs[i].db != db {
			continue
		}
		for _, r := range t.dbs[i].root.find(key) {
			if r.key.match(key, &m.spans) {
				m.Route = r
				return true
			}
		}
		break
	}
	m.Route = nil
	return false
}

// bytes returns the bytes of the i-th part, aliasing the key.
func (m *Match) bytes(i int, key []byte) []byte {
	s := m.spans[i]
	return key[s.from:s.to]
}
