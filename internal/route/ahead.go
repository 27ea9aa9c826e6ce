package route

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"

	"forebay/backend"
)

// ahead is the query of a partition's rows: the route's columns and, as the last or among them, the one that tells rows apart.
type ahead struct {
	whole, from *backend.Select // all rows; those from a value of In on
	in          int             // where in the row In is
	part        int             // the part of the key that In is, alone
}

// planAhead makes the query of the whole partition, and refuses a route of which the keys cannot be made from rows: it must be certain which key a row is for.
func (r *Route) planAhead(tbl *backend.Table, q *query) (problems []error) {
	bad := func(format string, args ...any) {
		problems = append(problems, fmt.Errorf("read_ahead: "+format, args...))
	}
	if q.in == nil {
		bad("the rows of a partition of %s are not told apart by the key; bind its last clustering column to a part, or leave read_ahead out", r.tableName())
		return problems
	}
	in, _ := r.expr(q.sel.In).single()
	if _, one := r.expr(q.sel.In).single(); !one || in.op != 0 {
		bad("%s is bound by %q, from which no key can be made back; bind the part alone, or leave read_ahead out", q.sel.In, r.expr(q.sel.In).src)
		return problems
	}
	col, _ := tbl.Column(q.sel.In)
	if col.Type == backend.Timestamp || col.Type == backend.Bool {
		bad("%s is %s, from which no key can be made back; leave read_ahead out", col.Name, typeName(col))
	}
	for i := range r.key.parts {
		alone := i == in.part || slices.ContainsFunc(r.binds, func(b bind) bool {
			t, one := b.expr.single()
			return one && t.part == i && t.op == 0
		})
		if !alone {
			bad("part %s of the key is bound to no column alone, so keys of one partition differ in more than %s; leave read_ahead out", r.key.parts[i].name, col.Name)
		}
	}
	a := &ahead{part: in.part, in: slices.Index(q.sel.Columns, q.sel.In)}
	columns := q.sel.Columns
	if a.in < 0 {
		a.in = len(columns)
		columns = append(slices.Clip(columns), q.sel.In)
	}
	a.whole = &backend.Select{Table: tbl, Columns: columns, Where: q.sel.Where} // no MaxRows: pages are as large as a driver thinks fit, for few of them cost least
	from := *a.whole
	from.From = q.sel.In
	a.from = &from
	q.ahead = a
	return problems
}

// Neighbours tells which keys the rows of one partition are for. It is safe for concurrent use.
type Neighbours struct {
	table         *Table
	route         *Route
	ahead         *ahead
	columns       int
	group         string
	before, after []byte // of the key, around the part that differs
	// Select and From are the queries of the partition's rows, bound with the Lookup's Where; From is bound with a value of In after those, and gives the
	// rows from it on. A row is for Row.
	Select, From *backend.Select
}

// Neighbours returns what makes the keys of the partition that l, the lookup of key, lies in; nil if its route does not read ahead, or is not bound. The key is copied.
func (t *Table) Neighbours(l *Lookup, key []byte) *Neighbours {
	r := l.Route
	q := r.bound.Load()
	if q == nil || q.ahead == nil {
		return nil
	}
	var m Match
	if !t.Match(r.DB, key, &m) || m.Route != r {
		return nil
	}
	s := m.spans[q.ahead.part]
	return &Neighbours{
		table: t, route: r, ahead: q.ahead, columns: len(q.types), group: l.Group,
		before: slices.Clone(key[:s.from]), after: slices.Clone(key[s.to:]),
		Select: q.ahead.whole, From: q.ahead.from,
	}
}

// Row splits a row that Select or From gave into the one that [Route.Value] takes and the value of In, nil for none.
func (n *Neighbours) Row(row backend.Row) (values backend.Row, in any) {
	if len(row) <= n.ahead.in {
		return nil, nil
	}
	return row[:min(n.columns, len(row))], row[n.ahead.in]
}

// Key returns the key of the row with this value of In. ok is false if it has none that this route would find it by: the part's
// grammar cannot spell it, an earlier route has the key, or where puts it into another partition.
func (n *Neighbours) Key(in any) (key []byte, ok bool) {
	key = append(make([]byte, 0, len(n.before)+len(n.after)+24), n.before...)
	switch v := in.(type) {
	case int64:
		key = strconv.AppendInt(key, v, 10)
	case string:
		key = append(key, v...)
	case []byte:
		key = hex.AppendEncode(key, v)
	default:
		return nil, false
	}
	key = append(key, n.after...)
	var m Match
	if !n.table.Match(n.route.DB, key, &m) || m.Route != n.route {
		return nil, false
	}
	l := n.route.Lookup(&m, key)
	if l.Absent || l.Group != n.group {
		return nil, false
	}
	switch v := in.(type) {
	case []byte:
		again, ok := l.In.([]byte)
		return key, ok && string(again) == string(v)
	default:
		return key, l.In == in
	}
}

// ReadsAhead tells whether any route reads ahead.
func (t *Table) ReadsAhead() bool {
	return slices.ContainsFunc(t.routes, func(r *Route) bool { return r.spec.ReadAhead > 0 })
}

// ReadsAhead tells whether a miss is to load the partition that it lies in, and the most bytes of values.
func (r *Route) ReadsAhead() (most int64, ok bool) { return r.spec.ReadAhead, r.spec.ReadAhead > 0 }
