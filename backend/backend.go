// Package backend holds the contracts between Forebay and the servers behind it:
// a [Source] of rows (Cassandra, or the bundled digits) and a [Store] of cached values (Redis).
//
// Drivers live below it, one package per client library, and are held to the same conformance
// suite (package backendtest). Nothing here imports a driver.
package backend

import (
	"context"
	"errors"
)

// Causes a driver's error wraps, so that one function can turn any of them into a reply.
var (
	// ErrSourceDown means no host of the source could be asked; nothing is known about the row.
	ErrSourceDown = errors.New("source down")
	// ErrSourceTimeout means the source did not answer within the caller's deadline or its own.
	ErrSourceTimeout = errors.New("source timeout")
	// ErrSourceInvalid means the source answered with a row that cannot be turned into a value.
	ErrSourceInvalid = errors.New("source invalid")
	// ErrNotAsked means that a query was not sent, to spare the source: it was refused, or waited for its turn until its time was over. It comes with
	// ErrSourceDown or ErrSourceTimeout.
	ErrNotAsked = errors.New("not asked")
	// ErrStoreDown means Redis could not be asked.
	ErrStoreDown = errors.New("redis down")
	// ErrNoTable means the table or keyspace does not exist.
	ErrNoTable = errors.New("no such table")
)

// Type is a column's type, reduced to what a route must know to bind and encode it.
type Type uint8

// The types a route can bind or read. Anything else is Other: readable never, bindable never.
const (
	Other     Type = iota
	Text           // ascii, text, varchar: Go string
	Int            // tinyint to bigint, counter, varint that fits: Go int64
	Float          // float, double: Go float64
	Bool           // Go bool
	Blob           // Go []byte
	UUID           // uuid, timeuuid: Go string in canonical lower-case form
	Timestamp      // Go time.Time, UTC, milliseconds
	List           // list, set, vector of the types above: Go []any
)

// String returns the type's name as error messages show it.
func (t Type) String() string {
	switch t {
	case Text:
		return "text"
	case Int:
		return "int"
	case Float:
		return "float"
	case Bool:
		return "boolean"
	case Blob:
		return "blob"
	case UUID:
		return "uuid"
	case Timestamp:
		return "timestamp"
	case List:
		return "list"
	default:
		return "other"
	}
}

// Column is one column of a table. Native is the source's own name of the type ("bigint").
type Column struct {
	Name   string
	Type   Type
	Native string
}

// Table describes one table. Partition and Clustering are in key order.
type Table struct {
	Keyspace, Name string
	Partition      []Column
	Clustering     []Column
	Regular        []Column // regular and static columns
}

// Column returns the named column, whatever its kind.
func (t *Table) Column(name string) (Column, bool) {
	for _, cols := range [][]Column{t.Partition, t.Clustering, t.Regular} {
		for _, c := range cols {
			if c.Name == name {
				return c, true
			}
		}
	}
	return Column{}, false
}

// Select is one shape of query, made once per route and used for every load of it.
// A driver may keep what it prepares for a Select keyed by the pointer: a Select is never changed after its
// first use.
//
// There are two forms. With CQL empty, the driver builds the query: Columns from Table where every Where
// column equals its bound value and, if In is not empty, the In column is one of a list. With CQL set, the text is
// used as it stands; its :name markers are bound by Where's names, and In is empty.
type Select struct {
	Table   *Table   // nil for CQL
	Columns []string // result columns in the order of Row; for CQL empty: the query's own, and Row is in that order
	Where   []string // equality columns (the whole partition key, then leading clustering columns), or marker names
	In      string   // the one column that varies inside a partition; "" for a single row
	From    string   // instead of In: a clustering column; only rows of which it is at least the value after those of Where
	CQL     string
	// MaxRows is the most rows that a query of this shape is expected to give, and RowBytes a row's expected size (0: unknown).
	// Drivers size pages by them.
	MaxRows, RowBytes int
}

// Row is the values of one row, in the order of the Select's columns: nil for null, else the Go type that [Type] names.
// Slices in it are owned by whoever receives the row.
type Row []any

// Source gives rows. It is safe for concurrent use. It is never written to.
type Source interface {
	// Table describes a table ("table" in the source's own keyspace, or "keyspace.table").
	// Unknown: an error that wraps ErrNoTable.
	Table(ctx context.Context, name string) (*Table, error)
	// Prepare checks the select against the source and returns its result columns.
	// Errors tell an operator what to change.
	Prepare(ctx context.Context, q *Select) ([]Column, error)
	// Load runs the query once. where has a value for each of q.Where, then one for q.From unless that is ""; in has a value for each row wanted, or is nil where q.In
	// is "". each is called from this goroutine for every row found, with the row's index in in (0 without In);
	// an error of each ends the load and is returned as it is.
	// A row that does not exist is simply not reported. The error wraps ErrSourceDown, ErrSourceTimeout or ErrSourceInvalid;
	// after an error, rows already reported are valid but others may be missing.
	Load(ctx context.Context, q *Select, where, in []any, each func(i int, row Row) error) error
	// Ping tells whether the source answers now.
	Ping(ctx context.Context) error
	// Close ends every goroutine and connection.
	Close()
}

// Store is the cache as Forebay's own user sees it. It is safe for concurrent use.
type Store interface {
	// Get returns the present string values of keys in database db, in their order: nil where absent. A key of another type is an error
	// in errs at its index. The slices are the caller's. err wraps ErrStoreDown if Redis could not be asked.
	Get(ctx context.Context, db int, keys [][]byte) (values [][]byte, errs []error, err error)
	// GetHashes is Get for hashes, each as AppendField makes it, in no order.
	GetHashes(ctx context.Context, db int, keys [][]byte) (values [][]byte, errs []error, err error)
	// Exists tells of each key whether it is there, whatever its type, in one round trip.
	Exists(ctx context.Context, db int, keys [][]byte) ([]bool, error)
	// Up tells, without asking, whether Redis answered lately.
	Up() bool
	Leaser
	Discarder
}
