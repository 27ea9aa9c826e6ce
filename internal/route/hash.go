package route

import (
	"encoding/json"
	"fmt"

	"forebay/backend"
)

// IsHash tells whether the route's values are Redis hashes: then Fields makes them, and Value is not to be used.
func (r *Route) IsHash() bool { return len(r.spec.Hash) > 0 }

// planHash makes the query's list of fields: for each, where in the row its column is.
func (r *Route) planHash(q *query) (problems []error) {
	for _, name := range r.spec.Hash {
		i, err := resultColumn(q.types, name)
		if err != nil {
			problems = append(problems, fmt.Errorf("hash: %w", err))
			continue
		}
		if col := q.types[i]; col.Type == backend.Other {
			problems = append(problems, fmt.Errorf("hash %s: is %s, which has no form as bytes; leave it out", name, typeName(col)))
			continue
		}
		q.fields = append(q.fields, i)
	}
	return problems
}

// Fields makes the hash of a row that the route's query gave, in the order of the configuration: a column's bytes as stored, its text
// form if it is no blob, a JSON array if it is a list. A null column has no field; a row of nulls only has none at all, and Redis
// has no empty hashes: it is absent. Errors are as those of Value.
func (r *Route) Fields(row backend.Row) ([]backend.Field, error) {
	q := r.bound.Load()
	if q == nil {
		return nil, fmt.Errorf("encode row of route %q: the route is not bound: %w", r.Name, backend.ErrSourceDown)
	}
	if len(row) != len(q.types) {
		return nil, fmt.Errorf("encode row of route %q: %w: it has %d columns, not %d", r.Name, backend.ErrSourceInvalid, len(row), len(q.types))
	}
	fields := make([]backend.Field, 0, len(q.fields))
	for n, i := range q.fields {
		if row[i] == nil {
			continue
		}
		v, err := fieldValue(row[i], q.types[i])
		if err != nil {
			return nil, fmt.Errorf("encode row of route %q: %w: %w", r.Name, backend.ErrSourceInvalid, err)
		}
		fields = append(fields, backend.Field{Name: r.spec.Hash[n], Value: v})
	}
	return fields, nil
}

func fieldValue(v any, col backend.Column) ([]byte, error) {
	if col.Type != backend.List {
		return columnValue(v, col)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil, &columnError{col.Name, err}
	}
	return b, nil
}
