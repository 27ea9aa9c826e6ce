package redis

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/cespare/xxhash/v2"

	"forebay/backend"
)

// A fillMark is what the index of fills holds of a value, so that it is known again: a kind, the value's size and a hash, 17 bytes. With
// its key and Redis's own overhead that is about 120 bytes a fill.
type fillMark string

const markSize = 17

// The kinds of marks, by how the value is compared.
const (
	markWhole = 's' // a string: xxhash64 of all of it
	markEnds  = 'l' // a string over markWholeMost: xxhash64 of its first and its last markEnd bytes
	markHash  = 'h' // a hash: xxhash64 of its fields by name, each with its lengths
)

const (
	markWholeMost = 1 << 20  // bytes of a string that is read whole to be compared
	markEnd       = 64 << 10 // bytes
)

func newMark(kind byte, size int, hash uint64) fillMark {
	var b [markSize]byte
	b[0] = kind
	binary.LittleEndian.PutUint64(b[1:], uint64(size))
	binary.LittleEndian.PutUint64(b[9:], hash)
	return fillMark(b[:])
}

// kind is 0 for what is no mark.
func (m fillMark) kind() byte {
	if len(m) != markSize {
		return 0
	}
	return m[0]
}

// size is the value's, in bytes.
func (m fillMark) size() int64 {
	if len(m) != markSize {
		return 0
	}
	return int64(binary.LittleEndian.Uint64([]byte(m[1:9])))
}

// markOf is the mark of what is stored for e.
func markOf(e *backend.Entry) fillMark {
	switch {
	case e.Hash:
		return markFields(fieldsOf(e.Value))
	case len(e.Value) > markWholeMost:
		return markOfEnds(len(e.Value), e.Value[:markEnd], e.Value[len(e.Value)-markEnd:])
	default:
		return newMark(markWhole, len(e.Value), xxhash.Sum64(e.Value))
	}
}

func markOfEnds(size int, head, tail []byte) fillMark {
	d := xxhash.New()
	_, _ = d.Write(head) // never fails
	_, _ = d.Write(tail)
	return newMark(markEnds, size, d.Sum64())
}

// field is one field of a hash.
type field struct{ name, value string }

// fieldsOf lists the fields of a hash as backend.AppendField makes it.
func fieldsOf(hash []byte) (fields []field) {
	backend.EachField(hash, func(name, value []byte) { fields = append(fields, field{string(name), string(value)}) })
	return fields
}

// markFields does not depend on the fields' order, which a large hash does not keep. It sorts fields.
func markFields(fields []field) fillMark {
	slices.SortFunc(fields, func(a, b field) int { return cmp.Compare(a.name, b.name) })
	d := xxhash.New()
	var b []byte
	size := 0
	for _, f := range fields {
		b = binary.AppendUvarint(b[:0], uint64(len(f.name)))
		b = append(b, f.name...)
		b = binary.AppendUvarint(b, uint64(len(f.value)))
		_, _ = d.Write(b)
		_, _ = d.WriteString(f.value)
		size += len(f.name) + len(f.value)
	}
	return newMark(markHash, size, d.Sum64())
}
