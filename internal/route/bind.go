package route

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"forebay/backend"
)

// MaxIn is the most rows that one gathered query should ask for: Select.MaxRows of a query with In. Measured on Cassandra 5 with rows of
// 3 KB, IN over 64 rows already reads 37 times as many rows a second as single reads; longer lists gain little and hold a coordinator.
const MaxIn = 128

// query is a route's query and what to do with its rows. It is never changed once made.
type query struct {
	sel    *backend.Select
	where  []getter // in the order of sel.Where
	in     getter   // nil without sel.In
	types  []backend.Column
	encode encoder
	sum    int             // where in the row the checksum is, and 1; 0: there is none
	fields []int           // of a hash: the result column of each
	chunks *backend.Select // of an object
	ahead  *ahead          // nil: it does not read ahead
}

// Bind checks every route against the source's schema and makes its query. It reports every problem at once, each naming its route and
// what to change. A route without problems is bound even if others have some; one that is bound already is left as it is, so Bind
// can be called again, at any time, when the source was down: then the error wraps [backend.ErrSourceDown] or
// [backend.ErrSourceTimeout], and the routes after the one that met it were not looked at. Bind is not to be called twice at once.
func (t *Table) Bind(ctx context.Context, src backend.Source) error {
	var errs []error
	tables := map[string]*backend.Table{}
	for _, r := range t.routes {
		if r.Bound() {
			continue
		}
		q, problems := r.plan(ctx, src, tables)
		for _, p := range problems {
			errs = append(errs, fmt.Errorf("%s: %w", label(r.index, r.Name), p))
			if errors.Is(p, backend.ErrSourceDown) || errors.Is(p, backend.ErrSourceTimeout) || ctx.Err() != nil {
				return errors.Join(errs...) // the other routes would wait for the same source
			}
		}
		if len(problems) == 0 {
			r.bound.Store(q)
		}
	}
	return errors.Join(errs...)
}

// plan makes the route's query.
func (r *Route) plan(ctx context.Context, src backend.Source, tables map[string]*backend.Table) (*query, []error) {
	q := &query{}
	if r.spec.CQL != "" {
		return q, r.planCQL(ctx, src, q)
	}
	tbl := tables[r.tableName()]
	if tbl == nil {
		var err error
		if tbl, err = src.Table(ctx, r.tableName()); err != nil {
			return nil, []error{fmt.Errorf("table %s: %w", r.tableName(), err)}
		}
		tables[r.tableName()] = tbl
	}
	problems := append(r.checkWhere(tbl), r.checkColumns(tbl)...)
	if len(problems) > 0 {
		return nil, problems
	}
	q.sel = &backend.Select{Table: tbl, Columns: r.columns(), MaxRows: 1}
	last := len(tbl.Clustering) - 1
	for i, col := range slices.Concat(tbl.Partition, tbl.Clustering) {
		e := r.expr(col.Name)
		get, err := newGetter(e, &r.key, col)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s %s %q: %w", r.clause(), col.Name, e.src, err))
			continue
		}
		// A column that is the same for every key would gather nothing.
		if last >= 0 && i == len(tbl.Partition)+last && !e.constant() {
			q.sel.In, q.in, q.sel.MaxRows = col.Name, get, MaxIn
			continue
		}
		q.sel.Where = append(q.sel.Where, col.Name)
		q.where = append(q.where, get)
	}
	types := make([]backend.Column, len(q.sel.Columns))
	for i, name := range q.sel.Columns {
		types[i], _ = tbl.Column(name)
	}
	if r.IsObject() {
		problems = append(problems, r.planObject(ctx, src, q, types)...)
	} else {
		problems = append(problems, r.planValue(q, types)...)
	}
	if r.spec.ReadAhead > 0 {
		problems = append(problems, r.planAhead(tbl, q)...)
	}
	if len(problems) > 0 {
		return nil, problems
	}
	if err := r.prepare(ctx, src, q); err != nil {
		return nil, []error{err}
	}
	return q, nil
}

// prepare has the source check the query, and holds it to the columns that were asked for.
func (r *Route) prepare(ctx context.Context, src backend.Source, q *query) error {
	cols, err := src.Prepare(ctx, q.sel)
	if err != nil {
		return fmt.Errorf("prepare query: %w", err)
	}
	if len(cols) != len(q.sel.Columns) {
		return fmt.Errorf("prepare query: the source gives %d columns for %s", len(cols), strings.Join(q.sel.Columns, ", "))
	}
	return nil
}

// planCQL makes the query of a cql route: its columns are only known once it is prepared.
func (r *Route) planCQL(ctx context.Context, src backend.Source, q *query) []error {
	q.sel = &backend.Select{CQL: r.spec.CQL, MaxRows: 1}
	for i := range r.binds {
		q.sel.Where = append(q.sel.Where, r.binds[i].column)
		q.where = append(q.where, markerGetter(&r.binds[i].expr, &r.key))
	}
	cols, err := src.Prepare(ctx, q.sel)
	if err != nil {
		return []error{fmt.Errorf("cql: prepare query: %w", err)}
	}
	return r.planValue(q, cols)
}

// expr returns the where-expression of a column, or nil.
func (r *Route) expr(column string) *expr {
	for i := range r.binds {
		if r.binds[i].column == column {
			return &r.binds[i].expr
		}
	}
	return nil
}

// checkWhere holds where to the table's primary key: the whole of it, since a value is one row.
func (r *Route) checkWhere(tbl *backend.Table) (problems []error) {
	bad := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	for _, b := range r.binds {
		switch {
		case hasColumn(tbl.Partition, b.column), hasColumn(tbl.Clustering, b.column):
		case hasColumn(tbl.Regular, b.column):
			bad("where %s: is neither a partition nor a clustering column of %s; only the primary key (%s) names a row",
				b.column, r.tableName(), keyOf(tbl))
		default:
			bad("where %s: %s has no such column%s", b.column, r.tableName(), suggest(b.column, tbl))
		}
	}
	var missing []string
	for _, c := range tbl.Partition {
		if r.expr(c.Name) == nil {
			missing = append(missing, c.Name)
		}
	}
	if len(missing) > 0 {
		bad("where: lacks %s of the partition key of %s; without the whole of it the query would be a scan of every node, so add it",
			strings.Join(missing, ", "), r.tableName())
	}
	free := ""
	for _, c := range tbl.Clustering {
		switch bound := r.expr(c.Name) != nil; {
		case bound && free != "":
			bad("where %s: is a clustering column that comes after %s, which is not bound; bind %s too", c.Name, free, free)
		case !bound && free == "":
			free = c.Name
		}
	}
	if free != "" {
		bad("where: lacks the clustering column %s of %s, so many rows would answer and a value is one row; bind the whole primary key (%s)",
			free, r.tableName(), keyOf(tbl))
	}
	return problems
}

// columns returns the result columns that the value is made of, each once.
func (r *Route) columns() []string {
	if r.IsHash() {
		return r.spec.Hash
	}
	if r.IsObject() {
		var names []string
		for _, c := range objectHeader() {
			names = append(names, c.Name)
		}
		return names
	}
	if r.spec.Encode == nil {
		if sum := r.checksum(); sum != "" {
			return []string{r.spec.Value, sum}
		}
		return []string{r.spec.Value}
	}
	var names []string
	for _, f := range r.spec.Encode.Fields {
		if !slices.Contains(names, f.Column) {
			names = append(names, f.Column)
		}
	}
	return names
}

// checkColumns checks that the columns of the value exist.
func (r *Route) checkColumns(tbl *backend.Table) (problems []error) {
	for _, name := range r.columns() {
		if _, ok := tbl.Column(name); !ok {
			what := "value"
			switch {
			case r.IsObject():
				what = "object"
			case r.IsHash():
				what = "hash"
			case r.spec.Encode != nil:
				what = "encode " + r.spec.Encode.Format
			case name == r.checksum():
				what = "validate: checksum"
			}
			problems = append(problems, fmt.Errorf("%s: %s has no column %s%s", what, r.tableName(), name, suggest(name, tbl)))
		}
	}
	return problems
}

func hasColumn(cols []backend.Column, name string) bool {
	return slices.ContainsFunc(cols, func(c backend.Column) bool { return c.Name == name })
}

// suggest names the column that was probably meant.
func suggest(name string, tbl *backend.Table) string {
	var names []string
	for _, c := range slices.Concat(tbl.Partition, tbl.Clustering, tbl.Regular) {
		names = append(names, c.Name)
	}
	if near := nearest(name, names); near != "" {
		return fmt.Sprintf("; did you mean %s?", near)
	}
	return "; it has " + strings.Join(names, ", ")
}

// keyOf writes a primary key as CREATE TABLE does.
func keyOf(tbl *backend.Table) string {
	var part, all []string
	for _, c := range tbl.Partition {
		part = append(part, c.Name)
	}
	p := strings.Join(part, ", ")
	if len(part) > 1 {
		p = "(" + p + ")"
	}
	all = append(all, p)
	for _, c := range tbl.Clustering {
		all = append(all, c.Name)
	}
	return strings.Join(all, ", ")
}
