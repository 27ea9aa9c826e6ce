package route

import (
	"encoding/json"
	"fmt"

	"forebay/backend"
)

// IsHash tells whether the route's values are Redis hashes, in the form that [backend.AppendField] makes.
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
	q.encode = func(row backend.Row) ([]byte, error) { return r.hash(q, row) }
	return problems
}

// hash makes the hash of a row that the route's query gave, as [backend.AppendField] does, in the order of the configuration: a column's
// bytes as stored, its text form if it is no blob, a JSON array if it is a list. A null column has no field; a row of nulls only
// is nil, as Redis has no empty hashes: it is absent. Errors are as those of Value.
func (r *Route) hash(q *query, row backend.Row) (hash []byte, err error) {
	for n, i := range q.fields {
		if row[i] == nil {
			continue
		}
		v, err := fieldValue(row[i], q.types[i])
		if err != nil {
			return nil, err
		}
		hash = backend.AppendField(hash, []byte(r.spec.Hash[n]), v)
	}
	return hash, nil
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
