package cassandra

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"forebay/backend"
)

// Sizes of pages. A page is held in memory on both sides, and a heap of Cassandra's is easily spent on blobs.
const (
	pageBytes   = 4 << 20
	unknownRows = 256  // while neither the Select nor experience tells the size of a row
	maxPageRows = 5000 // Cassandra's own default
)

// statement is a prepared Select.
type statement struct {
	text    string
	doing   string           // for errors: "load ml.samples"
	order   []int            // marker i takes where[order[i]]
	binds   []gocql.TypeInfo // of every marker; the last one is the IN list's, if there is one
	columns []backend.Column // as Row has them
	pick    []int            // result column i is Row[pick[i]], or is not in Row if −1
	inAt    int              // result column of In, −1 without
	cql     bool
	// rowBytes is the largest average row size of any page so far, or 0.
	rowBytes atomic.Int64
}

// compose builds the statement's text and finds which value each marker takes.
func compose(q *backend.Select) (*statement, error) {
	s := &statement{inAt: -1, cql: q.CQL != ""}
	if s.cql {
		s.doing = "load by cql " + shorten(q.CQL)
		return s, s.composeCQL(q)
	}
	if q.Table == nil || len(q.Columns) == 0 || len(q.Where) == 0 {
		return nil, fmt.Errorf("build query: %w: a table, its columns and its key are needed", backend.ErrSourceInvalid)
	}
	s.doing = "load " + q.Table.Keyspace + "." + q.Table.Name
	columns := q.Columns
	if q.In != "" {
		s.inAt = len(columns)
		columns = append(slices.Clip(columns), q.In)
	}
	var b strings.Builder
	b.WriteString("SELECT ")
	for i, name := range columns {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(quote(name))
	}
	fmt.Fprintf(&b, " FROM %s.%s WHERE ", quote(q.Table.Keyspace), quote(q.Table.Name))
	for i, name := range q.Where {
		if i > 0 {
			b.WriteString(" AND ")
		}
		b.WriteString(quote(name) + " = ?")
		s.order = append(s.order, i)
	}
	if q.In != "" {
		b.WriteString(" AND " + quote(q.In) + " IN ?")
	}
	if q.From != "" {
		b.WriteString(" AND " + quote(q.From) + " >= ?")
		s.order = append(s.order, len(q.Where))
	}
	s.text = b.String()
	return s, nil
}

func (s *statement) composeCQL(q *backend.Select) error {
	text, names, err := positional(q.CQL)
	if err != nil {
		return fmt.Errorf("%w: %w", backend.ErrSourceInvalid, err)
	}
	if q.In != "" {
		return fmt.Errorf("build query: %w: a cql query cannot gather rows by %q", backend.ErrSourceInvalid, q.In)
	}
	for _, name := range names {
		at := slices.Index(q.Where, name)
		if at < 0 {
			return fmt.Errorf("build query: %w: the marker :%s has no value", backend.ErrSourceInvalid, name)
		}
		s.order = append(s.order, at)
	}
	for _, name := range q.Where {
		if !slices.Contains(names, name) {
			return fmt.Errorf("build query: %w: the cql text has no marker :%s", backend.ErrSourceInvalid, name)
		}
	}
	s.text = text
	return nil
}

// resolve takes over what Cassandra says of the prepared statement.
func (s *statement) resolve(q *backend.Select, meta gocql.StatementMetadata) error {
	for _, c := range meta.BindColumns {
		s.binds = append(s.binds, c.TypeInfo)
	}
	want := len(s.order)
	if s.inAt >= 0 {
		want++
	}
	if len(s.binds) != want {
		return fmt.Errorf("%w: %d markers, not %d", backend.ErrSourceInvalid, len(s.binds), want)
	}
	s.pick = make([]int, len(meta.ResultColumns))
	s.columns = make([]backend.Column, len(meta.ResultColumns))
	if s.cql && len(q.Columns) > 0 {
		s.columns = make([]backend.Column, len(q.Columns))
	} else if s.inAt >= 0 {
		s.columns = s.columns[:s.inAt]
	}
	for i, c := range meta.ResultColumns {
		s.pick[i] = i
		if s.cql && len(q.Columns) > 0 {
			s.pick[i] = slices.Index(q.Columns, c.Name)
		}
		if i == s.inAt {
			s.pick[i] = -1
		}
		if s.pick[i] < 0 && c.TypeInfo.Type() != gocql.TypeTuple {
			continue
		}
		native := nativeName(c.TypeInfo)
		col := backend.Column{Name: c.Name, Type: typeOf(native), Native: native}
		if col.Type == backend.Other {
			return fmt.Errorf("%w: column %q is a %s, which cannot be read: leave it out", backend.ErrSourceInvalid, c.Name, native)
		}
		s.columns[s.pick[i]] = col
	}
	for i, c := range s.columns {
		if c.Name == "" {
			return fmt.Errorf("%w: the query has no column %q", backend.ErrSourceInvalid, q.Columns[i])
		}
	}
	return nil
}

// statement returns the Select's statement, preparing it at its first use. Two callers may both do that: the driver
// sends one request for them, and either result serves.
func (s *Source) statement(ctx context.Context, sess *session, q *backend.Select) (*statement, error) {
	if st, ok := s.statements.Load(q); ok {
		return st.(*statement), nil
	}
	st, err := compose(q)
	if err != nil {
		return nil, err
	}
	meta, err := guard(ctx, s, func() (gocql.StatementMetadata, error) {
		return sess.StatementMetadata(ctx, st.text, "")
	})
	if err != nil {
		return nil, fail("prepare "+shorten(st.text), err)
	}
	if err := st.resolve(q, meta); err != nil {
		return nil, fmt.Errorf("prepare %s: %w", shorten(st.text), err)
	}
	kept, _ := s.statements.LoadOrStore(q, st)
	return kept.(*statement), nil
}

// pageSize is how many rows to ask for at once where want are expected (0: unknown). It is one more than
// expected, since a page that is exactly full makes Cassandra say that there is more, and that costs a second read.
func (s *statement) pageSize(q *backend.Select, want int) int {
	limit := unknownRows
	if size := max(int64(q.RowBytes), s.rowBytes.Load()); size > 0 {
		limit = int(min(max(pageBytes/size, 1), maxPageRows))
	}
	if want <= 0 {
		return limit
	}
	return max(min(want+1, limit), 2)
}

// learn remembers the size of rows from a page of them.
func (s *statement) learn(rows, bytes int) {
	if rows == 0 {
		return
	}
	size := int64(bytes/rows + 1)
	for {
		known := s.rowBytes.Load()
		if known >= size || s.rowBytes.CompareAndSwap(known, size) {
			return
		}
	}
}

func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func shorten(text string) string {
	const most = 120
	text = strings.Join(strings.Fields(text), " ")
	if len(text) <= most {
		return text
	}
	return text[:most] + "…"
}
