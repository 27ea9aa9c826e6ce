package route

import (
	"context"
	"fmt"
	"strings"

	"forebay/backend"
)

// The tables of objects, in the source's own keyspace. See [backend.Object].
const (
	objectTable = "objects"
	chunkTable  = "chunks"
	// chunkBytes is the size of a chunk as a loader makes it unless it is told otherwise; drivers size their pages by it.
	chunkBytes = 256 << 10
)

// ObjectSpec names one large value in chunk rows. Both are expressions over the key's parts, as in Where.
type ObjectSpec struct {
	Dataset, Name string
}

// IsObject tells whether the route's values are objects: what its query gives is a header, for Object.
func (r *Route) IsObject() bool { return r.spec.Object != nil }

// objectHeader is the columns of an object's row, in the order in which Object takes them.
func objectHeader() []backend.Column {
	return []backend.Column{
		{Name: "version", Type: backend.Text},
		{Name: "chunks", Type: backend.Int},
		{Name: "bytes", Type: backend.Int},
		{Name: "crc32c", Type: backend.Int},
	}
}

// checkObject checks the object's specification and makes a where of it.
func (r *Route) checkObject() (where []Bind, problems []error) {
	s := &r.spec
	if s.Table != "" || len(s.Where) > 0 || s.CQL != "" || s.Value != "" || s.Encode != nil || len(s.Hash) > 0 {
		problems = append(problems, fmt.Errorf("object: stands in for table, where, cql, value, encode and hash; give one or the other"))
	}
	return []Bind{{"dataset", s.Object.Dataset}, {"name", s.Object.Name}}, problems
}

// planObject holds the header's and the chunks' columns to their types, and makes the query for chunks.
func (r *Route) planObject(ctx context.Context, src backend.Source, q *query, types []backend.Column) (problems []error) {
	q.types = types
	for i, want := range objectHeader() {
		if types[i].Type != want.Type {
			problems = append(problems, fmt.Errorf("object: column %s of %s is %s, not %s", want.Name, objectTable, typeName(types[i]), want.Type))
		}
	}
	tbl, err := src.Table(ctx, chunkTable)
	if err != nil {
		return append(problems, fmt.Errorf("object: table %s: %w", chunkTable, err))
	}
	text, number := backend.Column{Type: backend.Text}, backend.Column{Type: backend.Int}
	if got, want := keyOf(q.sel.Table), "(dataset, name)"; got != want {
		return append(problems, fmt.Errorf("object: the primary key of %s is (%s), not (%s)", objectTable, got, want))
	}
	key := []backend.Column{named(text, "dataset"), named(text, "name"), named(text, "version"), named(number, "chunk")}
	if got, want := keyOf(tbl), "(dataset, name, version), chunk"; got != want {
		return append(problems, fmt.Errorf("object: the primary key of %s is (%s), not (%s)", chunkTable, got, want))
	}
	for _, want := range append(key, backend.Column{Name: "data", Type: backend.Blob}) {
		switch have, ok := tbl.Column(want.Name); {
		case !ok:
			problems = append(problems, fmt.Errorf("object: %s has no column %s", chunkTable, want.Name))
		case have.Type != want.Type:
			problems = append(problems, fmt.Errorf("object: column %s of %s is %s, not %s", want.Name, chunkTable, typeName(have), want.Type))
		}
	}
	if len(problems) > 0 {
		return problems
	}
	q.chunks = &backend.Select{
		Table: tbl, Columns: []string{"data"}, Where: []string{"dataset", "name", "version"}, In: "chunk",
		MaxRows: MaxIn, RowBytes: chunkBytes,
	}
	if cols, err := src.Prepare(ctx, q.chunks); err != nil {
		return []error{fmt.Errorf("object: prepare query for chunks: %w", err)}
	} else if len(cols) != 1 {
		return []error{fmt.Errorf("object: prepare query for chunks: the source gives %d columns for data", len(cols))}
	}
	return nil
}

func named(c backend.Column, name string) backend.Column {
	c.Name = name
	return c
}

// Object makes an object's row of what the route's query gave. found is false if the row names no version: none was ever whole. The
// error wraps [backend.ErrSourceInvalid].
func (r *Route) Object(row backend.Row) (o backend.Object, found bool, err error) {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("read object of route %q: %w: %s", r.Name, backend.ErrSourceInvalid, fmt.Sprintf(format, args...))
	}
	header := objectHeader()
	if len(row) != len(header) {
		return o, false, bad("its row has %d columns, not %d", len(row), len(header))
	}
	o.Version, _ = row[0].(string)
	if o.Version == "" {
		return backend.Object{}, false, nil
	}
	for i, to := range []*int64{&o.Chunks, &o.Bytes, &o.CRC32C} {
		var ok bool
		if *to, ok = row[i+1].(int64); !ok || *to < 0 {
			return o, false, bad("its column %s is %v", header[i+1].Name, row[i+1])
		}
	}
	if o.Chunks > o.Bytes { // also keeps what is made for each chunk within the object's size
		return o, false, bad("it has %d chunks of %d bytes in all", o.Chunks, o.Bytes)
	}
	return o, true, nil
}

// ChunkQuery is how to ask for chunks of the object that l is the lookup of: the same Select for every object of the route, and the values of its
// Where for one partition (see [backend.ChunkPartition]). The values of its In are the numbers of chunks, as int64; its rows hold the data.
func (l *Lookup) ChunkQuery(partition string) (sel *backend.Select, where []any) {
	q := l.Route.bound.Load()
	if q == nil {
		return nil, nil
	}
	return q.chunks, []any{l.Where[0], l.Where[1], partition}
}

// tableName is the table that the route's query reads.
func (r *Route) tableName() string {
	if r.IsObject() {
		return objectTable
	}
	return r.spec.Table
}

// explainObject writes what follows the query for the header.
func (r *Route) explainObject(b *strings.Builder) {
	fmt.Fprintf(b, "then   SELECT data FROM %s WHERE dataset = … AND name = … AND version = … AND chunk IN (…), in order, a few at a time\n", chunkTable)
}
