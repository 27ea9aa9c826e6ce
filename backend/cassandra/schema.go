package cassandra

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"forebay/backend"
)

// Table describes a table by Cassandra's own schema tables, so what it says is as of now. name is "table" in Options.Keyspace or
// "keyspace.table", spelled as stored: CREATE TABLE Samples makes "samples".
func (s *Source) Table(ctx context.Context, name string) (*backend.Table, error) {
	keyspace, table := s.options.Keyspace, name
	if before, after, ok := strings.Cut(name, "."); ok {
		keyspace, table = before, after
	}
	doing := "describe table " + name
	if keyspace == "" {
		return nil, fmt.Errorf("%s: %w: no keyspace is configured, write keyspace.%s", doing, backend.ErrNoTable, table)
	}
	sess, err := s.live()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	t, err := guard(ctx, s, func() (*backend.Table, error) { return describe(ctx, sess, keyspace, table) })
	if err != nil {
		return nil, fail(doing, err)
	}
	if len(t.Partition) > 0 {
		return t, nil
	}
	others, err := guard(ctx, s, func() ([]string, error) { return tables(ctx, sess, keyspace) })
	if err != nil {
		return nil, fail(doing, err)
	}
	if len(others) == 0 {
		return nil, fmt.Errorf("%s: %w: the keyspace %s is missing or empty", doing, backend.ErrNoTable, keyspace)
	}
	return nil, fmt.Errorf("%s: %w: the keyspace %s has %s", doing, backend.ErrNoTable, keyspace, strings.Join(others, ", "))
}

func describe(ctx context.Context, sess *session, keyspace, table string) (*backend.Table, error) {
	type keyColumn struct {
		backend.Column
		position int
	}
	var partition, clustering []keyColumn
	t := &backend.Table{Keyspace: keyspace, Name: table}
	iter := sess.Query(`SELECT column_name, kind, position, type FROM system_schema.columns
		WHERE keyspace_name = ? AND table_name = ?`, keyspace, table).Consistency(gocql.One).IterContext(ctx)
	var name, kind, native string
	var position int
	for iter.Scan(&name, &kind, &position, &native) {
		c := backend.Column{Name: name, Type: typeOf(native), Native: native}
		switch kind {
		case "partition_key":
			partition = append(partition, keyColumn{c, position})
		case "clustering":
			clustering = append(clustering, keyColumn{c, position})
		default:
			t.Regular = append(t.Regular, c)
		}
	}
	if err := iter.Close(); err != nil {
		return nil, err
	}
	for _, part := range []struct {
		from []keyColumn
		to   *[]backend.Column
	}{{partition, &t.Partition}, {clustering, &t.Clustering}} {
		slices.SortFunc(part.from, func(a, b keyColumn) int { return cmp.Compare(a.position, b.position) })
		for _, c := range part.from {
			*part.to = append(*part.to, c.Column)
		}
	}
	return t, nil
}

// tables lists the first few tables of a keyspace, for an error message.
func tables(ctx context.Context, sess *session, keyspace string) (names []string, err error) {
	iter := sess.Query(`SELECT table_name FROM system_schema.tables WHERE keyspace_name = ? LIMIT 10`, keyspace).
		Consistency(gocql.One).IterContext(ctx)
	for name := ""; iter.Scan(&name); {
		names = append(names, name)
	}
	return names, iter.Close()
}
