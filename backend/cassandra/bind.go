package cassandra

import (
	"fmt"
	"math"
	"time"
	"unicode/utf8"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"forebay/backend"
)

// maxKeyBytes is the longest text or blob that can be part of a primary key.
const maxKeyBytes = math.MaxUint16

// bound is a value ready for a marker, and what it is compared by: the value that a row of it is read back with.
type bound struct {
	value any
	key   any
}

// fit turns a value of a backend.Type into one for a marker of Cassandra's type. ok is false if no row can have it, which
// Cassandra itself would answer with an error: 300 for a tinyint, a text that is no UTF-8, a random UUID for a timeuuid. Whoever asks for
// such a key is to be told that it is absent. The error is for a value of the wrong kind.
func fit(info gocql.TypeInfo, v any) (b bound, ok bool, err error) {
	switch v := v.(type) {
	case int64:
		return fitInt(info, v)
	case string:
		return fitString(info, v)
	case float64:
		switch info.Type() {
		case gocql.TypeDouble:
			return bound{v, v}, true, nil
		case gocql.TypeFloat:
			return bound{float32(v), v}, float64(float32(v)) == v, nil
		}
	case bool:
		if info.Type() == gocql.TypeBoolean {
			return bound{v, v}, true, nil
		}
	case []byte:
		if info.Type() == gocql.TypeBlob {
			return bound{v, string(v)}, len(v) <= maxKeyBytes, nil
		}
	case time.Time:
		if info.Type() == gocql.TypeTimestamp {
			return bound{v.UnixMilli(), v.UnixMilli()}, true, nil
		}
	}
	return bound{}, false, mismatch(info, v)
}

func mismatch(info gocql.TypeInfo, v any) error {
	return fmt.Errorf("%w: a value of Go type %T cannot be bound to %s", backend.ErrSourceInvalid, v, nativeName(info))
}

func fitInt(info gocql.TypeInfo, v int64) (bound, bool, error) {
	switch info.Type() {
	case gocql.TypeTinyInt:
		return bound{int8(v), v}, int64(int8(v)) == v, nil
	case gocql.TypeSmallInt:
		return bound{int16(v), v}, int64(int16(v)) == v, nil
	case gocql.TypeInt:
		return bound{int32(v), v}, int64(int32(v)) == v, nil
	case gocql.TypeBigInt, gocql.TypeCounter, gocql.TypeVarint:
		return bound{v, v}, true, nil
	default:
		return bound{}, false, mismatch(info, v)
	}
}

func fitString(info gocql.TypeInfo, v string) (bound, bool, error) {
	switch info.Type() {
	case gocql.TypeVarchar, gocql.TypeText:
		return bound{v, v}, len(v) <= maxKeyBytes && utf8.ValidString(v), nil
	case gocql.TypeAscii:
		ascii := true
		for i := range len(v) {
			ascii = ascii && v[i] < utf8.RuneSelf
		}
		return bound{v, v}, len(v) <= maxKeyBytes && ascii, nil
	case gocql.TypeUUID, gocql.TypeTimeUUID:
		u, err := gocql.ParseUUID(v)
		if err != nil || info.Type() == gocql.TypeTimeUUID && u.Version() != 1 {
			return bound{}, false, nil
		}
		return bound{u, u.String()}, true, nil
	default:
		return bound{}, false, mismatch(info, v)
	}
}

// rowKey is what a decoded value is compared by with bound.key.
func rowKey(v any) any {
	switch v := v.(type) {
	case []byte:
		return string(v)
	case time.Time:
		return v.UnixMilli()
	default:
		return v
	}
}
