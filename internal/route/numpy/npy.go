package numpy

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
)

// AppendNPY appends an array as a .npy file, format 1.0: C order, the header padded so that the data begin at a multiple of 64 bytes.
// data must be as long as the type and shape say (see [DType.Resolve]); its bytes are written as they are.
func AppendNPY(b []byte, d DType, shape []int, data []byte) []byte {
	const magic = "\x93NUMPY\x01\x00"
	b = slices.Grow(b, 128+len(data))
	start := len(b)
	b = append(b, magic...)
	b = append(b, 0, 0) // the header's length
	header := len(b)
	b = append(b, "{'descr': '"...)
	b = append(b, d.String()...)
	b = append(b, "', 'fortran_order': False, 'shape': "...)
	b = appendTuple(b, shape)
	b = append(b, ", }"...)
	for (len(b)-start+1)%64 != 0 {
		b = append(b, ' ')
	}
	b = append(b, '\n')
	binary.LittleEndian.PutUint16(b[header-2:], uint16(len(b)-header))
	return append(b, data...)
}

// appendTuple writes a shape as Python does: (), (3,), (3, 4).
func appendTuple(b []byte, shape []int) []byte {
	b = append(b, '(')
	for i, n := range shape {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = strconv.AppendInt(b, int64(n), 10)
	}
	if len(shape) == 1 {
		b = append(b, ',')
	}
	return append(b, ')')
}

// Resolve returns the shape of an array of the type in length bytes. nil is one dimension; one dimension of -1 is worked out.
// The result may be the shape given.
func (d DType) Resolve(shape []int, length int) ([]int, error) {
	if shape == nil {
		shape = []int{-1}
	}
	size, open := d.size, -1
	for i, n := range shape {
		if n == -1 {
			open = i
			continue
		}
		size *= n
	}
	switch {
	case open < 0 && size == length:
		return shape, nil
	case open < 0:
		return nil, fmt.Errorf("length %d does not fit dtype %s and shape %s, which are %d bytes", length, d, appendTuple(nil, shape), size)
	case size == 0 || length%size != 0:
		return nil, fmt.Errorf("length %d does not fit dtype %s and shape %s: it is no multiple of %d bytes", length, d, appendTuple(nil, shape), size)
	}
	out := slices.Clone(shape)
	out[open] = length / size
	return out, nil
}
