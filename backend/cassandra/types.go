package cassandra

import (
	"fmt"
	"strings"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"forebay/backend"
)

// typeOf maps Cassandra's name of a type to what a route must know of it.
func typeOf(native string) backend.Type {
	native = unfreeze(native)
	if t := scalarType(native); t != backend.Other {
		return t
	}
	open, inner, ok := strings.Cut(native, "<")
	if !ok {
		return backend.Other
	}
	inner = strings.TrimSuffix(inner, ">")
	switch open {
	case "vector":
		inner, _, _ = strings.Cut(inner, ",")
	case "list", "set":
	default:
		return backend.Other
	}
	if scalarType(unfreeze(inner)) == backend.Other {
		return backend.Other
	}
	return backend.List
}

func unfreeze(native string) string {
	if inner, ok := strings.CutPrefix(native, "frozen<"); ok {
		return strings.TrimSuffix(inner, ">")
	}
	return native
}

func scalarType(native string) backend.Type {
	switch native {
	case "ascii", "text", "varchar":
		return backend.Text
	case "tinyint", "smallint", "int", "bigint", "counter", "varint":
		return backend.Int
	case "float", "double":
		return backend.Float
	case "boolean":
		return backend.Bool
	case "blob":
		return backend.Blob
	case "uuid", "timeuuid":
		return backend.UUID
	case "timestamp":
		return backend.Timestamp
	default:
		return backend.Other
	}
}

// nativeName is Cassandra's name of a type that the driver describes. A text column is called varchar on the wire.
func nativeName(info gocql.TypeInfo) string {
	switch t := info.(type) {
	case gocql.CollectionType:
		switch t.Type() {
		case gocql.TypeMap:
			return fmt.Sprintf("map<%s, %s>", nativeName(t.Key), nativeName(t.Elem))
		case gocql.TypeSet:
			return fmt.Sprintf("set<%s>", nativeName(t.Elem))
		default:
			return fmt.Sprintf("list<%s>", nativeName(t.Elem))
		}
	case gocql.VectorType:
		return fmt.Sprintf("vector<%s, %d>", nativeName(t.SubType), t.Dimensions)
	}
	return wireName(info.Type())
}

func wireName(t gocql.Type) string {
	for _, known := range [...]struct {
		wire gocql.Type
		name string
	}{
		{gocql.TypeVarchar, "text"},
		{gocql.TypeText, "text"},
		{gocql.TypeAscii, "ascii"},
		{gocql.TypeTinyInt, "tinyint"},
		{gocql.TypeSmallInt, "smallint"},
		{gocql.TypeInt, "int"},
		{gocql.TypeBigInt, "bigint"},
		{gocql.TypeCounter, "counter"},
		{gocql.TypeVarint, "varint"},
		{gocql.TypeFloat, "float"},
		{gocql.TypeDouble, "double"},
		{gocql.TypeDecimal, "decimal"},
		{gocql.TypeBoolean, "boolean"},
		{gocql.TypeBlob, "blob"},
		{gocql.TypeUUID, "uuid"},
		{gocql.TypeTimeUUID, "timeuuid"},
		{gocql.TypeTimestamp, "timestamp"},
		{gocql.TypeDate, "date"},
		{gocql.TypeTime, "time"},
		{gocql.TypeDuration, "duration"},
		{gocql.TypeInet, "inet"},
		{gocql.TypeTuple, "tuple"},
		{gocql.TypeUDT, "user-defined type"},
	} {
		if known.wire == t {
			return known.name
		}
	}
	return "custom type"
}
