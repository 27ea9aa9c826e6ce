package route

import "time"

// Spec is one route as the configuration file says it, with defaults already applied.
type Spec struct {
	Name  string
	Key   string // the key pattern, "mnist:{split:train|test}:{idx:int}"
	DB    int    // the database whose keys it serves
	Table string // "table" or "keyspace.table"; "" with CQL
	Where []Bind // in file order; with CQL: values of its :name markers, a marker without one is the part of that name
	CQL   string // instead of Table: the whole query
	Value string // the column that is the value; "" with Encode (and with a CQL query of one column)
	// Encode makes the value of several columns, or of one with a shape. nil: the column's bytes as stored.
	Encode *Encode
	// Hash makes the value a Redis hash: its columns, each a field of the column's name. Instead of Value and Encode.
	Hash []string
	// Object makes the value one large value in chunk rows. Instead of all of the above but Name, Key and DB.
	Object *ObjectSpec
	// Validate is what its values must be; nil: anything.
	Validate *Validate
	// ReadAhead is the most bytes of the partition that a miss lies in to load with it; 0: none.
	ReadAhead int64
	// TTL is the time a filled value lives in Redis, above zero; Jitter is the part of it (0 to 0.5) by which it is shortened at random.
	TTL    time.Duration
	Jitter float64
	// Sliding makes reads extend the TTL.
	Sliding bool
	// RefreshAhead is how long before its TTL is over a value that is read is loaded anew; StaleWhileRevalidate for how long after that it is served while it is being loaded
	// anew; StaleIfError for how long after its TTL it is served if it cannot be. 0: not. None of them with Sliding or Object.
	RefreshAhead, StaleWhileRevalidate, StaleIfError time.Duration
	// AbsentTTL is how long it is remembered that the source has no row, in milliseconds; 0 does not remember it.
	AbsentTTL time.Duration
}

// Bind gives a query's column or marker its value: an expression over the key's parts
// ("mnist", "{split}", "{idx / 1024}").
type Bind struct {
	Column string
	Expr   string
}

// Validate is what a route demands of its values. The zero Validate demands nothing.
type Validate struct {
	MinBytes, MaxBytes int64  // of a value; MaxBytes 0 is no bound
	Format             string // "any" or "" for the same, "pickle" or "npy"
	Pickle             string // what becomes of pickles that the policy does not admit: "off" or "" for the same, "log", "reject"
	Checksum           string // the column with the CRC32C of the value's bytes as stored; "" for none
}

// Encode says how a row becomes a value.
type Encode struct {
	Format string // "raw", "npy" or "pickle"
	// Fields: one without a name for raw and npy, and for pickle of a bare value; one a dict entry, in order, for pickle of a dict.
	Fields []Field
}

// Field is one array or scalar of an encoded value.
type Field struct {
	Name   string // the dict key; "" for a bare value
	Column string
	DType  string // NumPy's name ("uint8", "<f4"); "" for a scalar of the column's own type
	Shape  []int  // one -1 is worked out from the length; nil with a DType: one dimension
}
