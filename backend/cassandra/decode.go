package cassandra

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"math/bits"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"forebay/backend"
)

// cell receives one value of a row from the driver.
type cell struct {
	value any
	size  int
	// alias lets a blob share the frame it came in, which saves the copy of a large value. Only for a page of one row: else one
	// row kept would keep its whole page in memory.
	alias bool
}

// UnmarshalCQL decodes data, which is nil for null and else part of the frame.
func (c *cell) UnmarshalCQL(info gocql.TypeInfo, data []byte) (err error) {
	c.size = len(data)
	c.value, err = decode(info, data, c.alias)
	if err != nil {
		return fmt.Errorf("%w: %w", backend.ErrSourceInvalid, err)
	}
	return nil
}

// decode gives the Go value that backend.Type names. An empty cell of a fixed-size type, which old clients could write,
// is null.
func decode(info gocql.TypeInfo, data []byte, alias bool) (any, error) {
	if data == nil {
		return nil, nil
	}
	switch t := info.(type) {
	case gocql.CollectionType:
		if t.Type() == gocql.TypeMap {
			break
		}
		return decodeList(t.Elem, data)
	case gocql.VectorType:
		return decodeVector(t, data)
	}
	switch info.Type() {
	case gocql.TypeVarchar, gocql.TypeAscii, gocql.TypeText:
		return string(data), nil
	case gocql.TypeBlob:
		if alias {
			return data[:len(data):len(data)], nil
		}
		return append(make([]byte, 0, len(data)), data...), nil
	}
	if len(data) == 0 {
		return nil, nil
	}
	if want := fixedSize(info.Type()); want != 0 && len(data) != want {
		return nil, fmt.Errorf("decode %s: %d bytes, not %d", wireName(info.Type()), len(data), want)
	}
	return decodeFixed(info.Type(), data)
}

func decodeFixed(t gocql.Type, data []byte) (any, error) {
	switch t {
	case gocql.TypeTinyInt:
		return int64(int8(data[0])), nil
	case gocql.TypeSmallInt:
		return int64(int16(binary.BigEndian.Uint16(data))), nil
	case gocql.TypeInt:
		return int64(int32(binary.BigEndian.Uint32(data))), nil
	case gocql.TypeBigInt, gocql.TypeCounter:
		return int64(binary.BigEndian.Uint64(data)), nil
	case gocql.TypeVarint:
		return decodeVarint(data)
	case gocql.TypeFloat:
		return float64(math.Float32frombits(binary.BigEndian.Uint32(data))), nil
	case gocql.TypeDouble:
		return math.Float64frombits(binary.BigEndian.Uint64(data)), nil
	case gocql.TypeBoolean:
		return data[0] != 0, nil
	case gocql.TypeUUID, gocql.TypeTimeUUID:
		return gocql.UUID(data).String(), nil
	case gocql.TypeTimestamp:
		return time.UnixMilli(int64(binary.BigEndian.Uint64(data))).UTC(), nil
	default:
		return nil, fmt.Errorf("decode %s: this type cannot be read", wireName(t))
	}
}

func fixedSize(t gocql.Type) int {
	switch t {
	case gocql.TypeTinyInt, gocql.TypeBoolean:
		return 1
	case gocql.TypeSmallInt:
		return 2
	case gocql.TypeInt, gocql.TypeFloat:
		return 4
	case gocql.TypeBigInt, gocql.TypeCounter, gocql.TypeDouble, gocql.TypeTimestamp:
		return 8
	case gocql.TypeUUID, gocql.TypeTimeUUID:
		return 16
	default:
		return 0
	}
}

// decodeVarint reads a big-endian two's complement number.
func decodeVarint(data []byte) (any, error) {
	if len(data) <= 8 {
		v := int64(int8(data[0]))
		for _, b := range data[1:] {
			v = v<<8 | int64(b)
		}
		return v, nil
	}
	n := new(big.Int).SetBytes(data)
	if data[0]&0x80 != 0 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(len(data))*8))
	}
	if !n.IsInt64() {
		return nil, fmt.Errorf("decode varint: %d bytes do not fit 64 bits", len(data))
	}
	return n.Int64(), nil
}

// decodeList reads a list or set: a count, then each element after its length, a negative one for null.
func decodeList(elem gocql.TypeInfo, data []byte) (any, error) {
	if len(data) < 4 {
		return nil, fmt.Errorf("decode list: %d bytes", len(data))
	}
	n := int(int32(binary.BigEndian.Uint32(data)))
	data = data[4:]
	if n < 0 || n > len(data)/4 {
		return nil, fmt.Errorf("decode list: %d elements in %d bytes", n, len(data))
	}
	list := make([]any, 0, n)
	for i := range n {
		if len(data) < 4 {
			return nil, fmt.Errorf("decode list: element %d is cut off", i)
		}
		size := int(int32(binary.BigEndian.Uint32(data)))
		data = data[4:]
		if size > len(data) {
			return nil, fmt.Errorf("decode list: element %d is cut off", i)
		}
		var part []byte
		if size >= 0 {
			part, data = data[:size:size], data[size:]
		}
		v, err := decode(elem, part, false)
		if err != nil {
			return nil, fmt.Errorf("decode list: element %d: %w", i, err)
		}
		list = append(list, v)
	}
	return list, nil
}

// decodeVector reads a vector: its elements one after the other, those of variable length after theirs.
func decodeVector(t gocql.VectorType, data []byte) (any, error) {
	size := fixedSize(t.SubType.Type())
	switch t.SubType.Type() {
	case gocql.TypeTinyInt, gocql.TypeSmallInt, gocql.TypeCounter:
		size = 0 // Cassandra writes the length of these, though it never varies
	}
	if size > 0 && len(data) != size*t.Dimensions || t.Dimensions > len(data) {
		return nil, fmt.Errorf("decode vector: %d bytes for %d elements", len(data), t.Dimensions)
	}
	list := make([]any, 0, t.Dimensions)
	for i := range t.Dimensions {
		n := size
		if size == 0 {
			length, used := uvint(data)
			if used == 0 || length > uint64(len(data)-used) {
				return nil, fmt.Errorf("decode vector: element %d is cut off", i)
			}
			data, n = data[used:], int(length)
		}
		v, err := decode(t.SubType, data[:n:n], false)
		if err != nil {
			return nil, fmt.Errorf("decode vector: element %d: %w", i, err)
		}
		data, list = data[n:], append(list, v)
	}
	return list, nil
}

// uvint reads Cassandra's unsigned variable-length integer: the leading ones of the first byte count the bytes that follow. used is 0 if p is
// too short.
func uvint(p []byte) (v uint64, used int) {
	if len(p) == 0 {
		return 0, 0
	}
	extra := bits.LeadingZeros8(^p[0])
	if len(p) < 1+extra {
		return 0, 0
	}
	v = uint64(p[0])
	if extra < 8 {
		v &= 0xff >> extra
	} else {
		v = 0
	}
	for _, b := range p[1 : 1+extra] {
		v = v<<8 | uint64(b)
	}
	return v, 1 + extra
}
