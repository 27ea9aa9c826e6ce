package proxy

import (
	"bytes"
	"fmt"

	"github.com/tidwall/redcon"

	"forebay/backend"
	"forebay/internal/cache"
)

// isHash tells whether the operation reads a hash.
func (op readOp) isHash() bool { return op >= opHGet }

// absentHash tells whether the reply of a hash read means, or may mean, that there is no such key: Redis has no empty hashes, but a hash
// may lack the field.
func (op readOp) absentHash(b []byte) bool {
	switch op {
	case opHGet:
		return null(b)
	case opHMGet:
		all := true
		eachElement(b, func(_ int, e []byte) { all = all && null(e) })
		return all
	case opHGetAll, opHKeys, opHVals:
		return elements(b) == 0
	default: // HEXISTS, HLEN, HSTRLEN
		return len(b) == 4 && b[1] == '0'
	}
}

// sizeHash is the number of bytes of the values (for HKEYS, of the names) that a hash read's reply holds.
func (op readOp) sizeHash(b []byte) (n int64) {
	switch op {
	case opHGet, opHStrLen:
		return opGet.size(b)
	case opHMGet, opHGetAll, opHKeys, opHVals:
		eachElement(b, func(i int, e []byte) {
			if !null(e) && (op != opHGetAll || i%2 == 1) {
				n += opGet.size(e)
			}
		})
	}
	return n
}

// appendHash appends the reply that a hash read gets for what was loaded; fields are those that it asks for.
func (s *session) appendHash(b []byte, op readOp, fields [][]byte, res *cache.Result) []byte {
	hash := res.Value
	switch op {
	case opHGet:
		return s.appendField(b, hash, fields[0])
	case opHMGet:
		b = redcon.AppendArray(b, len(fields))
		for _, f := range fields {
			b = s.appendField(b, hash, f)
		}
		return b
	case opHExists:
		_, ok := field(hash, fields[0])
		if ok {
			return append(b, ":1\r\n"...)
		}
		return append(b, ":0\r\n"...)
	case opHStrLen:
		v, _ := field(hash, fields[0])
		return redcon.AppendInt(b, int64(len(v)))
	}
	n := 0
	backend.EachField(hash, func(_, _ []byte) { n++ })
	switch op {
	case opHLen:
		return redcon.AppendInt(b, int64(n))
	case opHGetAll:
		if s.target.Proto == 3 {
			return append(fmt.Appendf(b, "%%%d\r\n", n), hash...)
		}
		return append(redcon.AppendArray(b, 2*n), hash...)
	}
	b = redcon.AppendArray(b, n)
	backend.EachField(hash, func(name, value []byte) {
		if op == opHVals {
			name = value
		}
		b = redcon.AppendBulk(b, name)
	})
	return b
}

func (s *session) appendField(b, hash, name []byte) []byte {
	v, ok := field(hash, name)
	if !ok {
		return append(b, s.null()...)
	}
	return redcon.AppendBulk(b, v)
}

// field finds a field of a hash.
func field(hash, want []byte) (v []byte, ok bool) {
	backend.EachField(hash, func(name, value []byte) {
		if !ok && bytes.Equal(name, want) {
			v, ok = value, true
		}
	})
	return v, ok
}
