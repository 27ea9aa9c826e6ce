package route

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"forebay/backend"
)

// encoder makes a row's value. Its error is a *columnError.
type encoder func(row backend.Row) ([]byte, error)

// columnError says which column cannot be encoded and why.
type columnError struct {
	column string
	err    error
}

func (e *columnError) Error() string { return "column " + e.column + ": " + e.err.Error() }

func (e *columnError) Unwrap() error { return e.err }

var errNull = errors.New("is null")

// Value makes the value of a row that the route's query gave: the column's bytes as stored, its text form if it is no blob, or what
// encode says. The value may share memory with the row's slices. The error wraps [backend.ErrSourceInvalid] and names the column and
// the reason; of the row's content it shows at most a number.
func (r *Route) Value(row backend.Row) ([]byte, error) {
	q := r.bound.Load()
	if q == nil {
		return nil, fmt.Errorf("encode row of route %q: the route is not bound: %w", r.Name, backend.ErrSourceDown)
	}
	if len(row) != len(q.types) {
		return nil, fmt.Errorf("encode row of route %q: %w: it has %d columns, not %d", r.Name, backend.ErrSourceInvalid, len(row), len(q.types))
	}
	v, err := q.encode(row)
	if err != nil {
		return nil, fmt.Errorf("encode row of route %q: %w: %w", r.Name, backend.ErrSourceInvalid, err)
	}
	return v, nil
}

// planValue makes the query's encoder for result columns of the given types.
func (r *Route) planValue(q *query, types []backend.Column) (problems []error) {
	q.types = types
	if r.IsHash() {
		return r.planHash(q)
	}
	if r.spec.Encode != nil {
		return r.planEncode(q)
	}
	i, err := resultColumn(types, r.spec.Value)
	if err != nil {
		return []error{fmt.Errorf("value: %w", err)}
	}
	col := types[i]
	if col.Type == backend.Other || col.Type == backend.List {
		return []error{fmt.Errorf("value %s: is %s, which has no form as bytes; use encode, or another column", col.Name, typeName(col))}
	}
	q.encode = func(row backend.Row) ([]byte, error) { return columnValue(row[i], col) }
	return r.planChecksum(q, col)
}

// resultColumn finds a column of the result. "" is its only one.
func resultColumn(types []backend.Column, name string) (int, error) {
	var names []string
	for i, c := range types {
		if c.Name == name {
			return i, nil
		}
		names = append(names, c.Name)
	}
	if name == "" {
		if len(types) == 1 {
			return 0, nil
		}
		return 0, fmt.Errorf("missing; the query gives the columns %q, so name the one that is the value", names)
	}
	if near := nearest(name, names); near != "" {
		return 0, fmt.Errorf("the query gives no column %s; did you mean %s?", name, near)
	}
	return 0, fmt.Errorf("the query gives no column %s; it gives %q", name, names)
}

// columnValue is a column's bytes as stored, or its text form.
func columnValue(v any, col backend.Column) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return nil, &columnError{col.Name, errNull}
	case []byte:
		return v, nil
	case float64:
		bits := 64
		if col.Native == "float" {
			bits = 32 // else 0.1 would read 0.10000000149011612
		}
		return strconv.AppendFloat(nil, v, 'g', -1, bits), nil
	default:
		b, err := appendText(nil, v)
		if err != nil {
			return nil, &columnError{col.Name, err}
		}
		return b, nil
	}
}

// appendText writes the text form of a scalar that is neither bytes nor a float.
func appendText(b []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case string:
		return append(b, v...), nil
	case int64:
		return strconv.AppendInt(b, v, 10), nil
	case bool:
		return strconv.AppendBool(b, v), nil
	case time.Time:
		return v.UTC().AppendFormat(b, time.RFC3339Nano), nil
	default:
		return b, fmt.Errorf("has the unexpected type %T", v)
	}
}
