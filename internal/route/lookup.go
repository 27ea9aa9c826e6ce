package route

import (
	"encoding/binary"
	"math"
	"time"

	"forebay/backend"
)

// Lookup is what to ask the source for one key. It holds no part of the key.
type Lookup struct {
	Route *Route
	// Select is the route's query, the same pointer for every key; nil if the route is not yet bound.
	Select *backend.Select
	// Group is equal for lookups that one query can answer: the same Select and Where, each with an In of its own. Two lookups of one group
	// may have equal In values (where {idx % 10} binds it, say). It is "" only while the route
	// is not bound.
	Group string
	Where []any // the values of Select.Where, in its order
	In    any   // the value of Select.In; nil where that is ""
	// Absent is true if no row can have this key, so that the source need not be asked and would refuse the values: a number beyond
	// the column's range, text that is not UTF-8.
	Absent bool
}

// Lookup returns what to ask the source for the key, which m matched with this route.
func (r *Route) Lookup(m *Match, key []byte) Lookup {
	l := Lookup{Route: r}
	q := r.bound.Load()
	if q == nil {
		return l
	}
	l.Select = q.sel
	group := binary.AppendUvarint(make([]byte, 0, 64), uint64(r.index))
	if len(q.where) > 0 {
		l.Where = make([]any, len(q.where))
	}
	for i, get := range q.where {
		v, ok := get(m, key)
		l.Absent = l.Absent || !ok
		l.Where[i] = v
		group = appendValue(group, v)
	}
	if q.in != nil {
		v, ok := q.in(m, key)
		l.Absent = l.Absent || !ok
		l.In = v
	}
	l.Group = string(group)
	return l
}

// appendValue writes a bound value so that no two rows of values of one query are written alike.
func appendValue(b []byte, v any) []byte {
	switch v := v.(type) {
	case int64:
		return binary.BigEndian.AppendUint64(b, uint64(v))
	case string:
		return append(binary.AppendUvarint(b, uint64(len(v))), v...)
	case []byte:
		return append(binary.AppendUvarint(b, uint64(len(v))), v...)
	case bool:
		if v {
			return append(b, 1)
		}
		return append(b, 0)
	case float64:
		return binary.BigEndian.AppendUint64(b, math.Float64bits(v))
	case time.Time:
		return binary.BigEndian.AppendUint64(b, uint64(v.UnixMilli()))
	}
	return b
}
