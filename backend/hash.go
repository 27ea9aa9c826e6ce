package backend

import (
	"bytes"
	"strconv"
)

// A hash travels as one value: its fields one after the other, name and value each as a bulk of RESP ("$3\r\nage\r\n$2\r\n42\r\n"),
// which is the body of HGETALL's reply. It has at least one field: Redis has no empty hashes.

// AppendField appends one field of a hash.
func AppendField(b, name, value []byte) []byte {
	return appendBulk(appendBulk(b, name), value)
}

func appendBulk(b, v []byte) []byte {
	b = strconv.AppendInt(append(b, '$'), int64(len(v)), 10)
	return append(append(append(b, "\r\n"...), v...), "\r\n"...)
}

// EachField calls f for each field of a hash. The slices alias it.
func EachField(hash []byte, f func(name, value []byte)) {
	for len(hash) > 0 {
		name, rest := nextBulk(hash)
		value, rest := nextBulk(rest)
		f(name, value)
		hash = rest
	}
}

// nextBulk splits a bulk off; nothing is left of what is none.
func nextBulk(b []byte) (v, rest []byte) {
	end := bytes.IndexByte(b, '\n')
	if end < 2 {
		return nil, nil
	}
	n, err := strconv.Atoi(string(b[1 : end-1]))
	if err != nil || n < 0 || len(b)-end-1 < n+2 {
		return nil, nil
	}
	return b[end+1 : end+1+n], b[end+1+n+2:]
}
