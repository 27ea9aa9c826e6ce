package numpy

import (
	"encoding/binary"
	"fmt"
	"math"
)

// AppendBool appends one element. A number's element is 0 or 1.
func (d DType) AppendBool(b []byte, v bool) ([]byte, error) {
	n := int64(0)
	if v {
		n = 1
	}
	return d.AppendInt(b, n)
}

// AppendInt appends one element. It is an error if the type cannot hold v; floats round, as NumPy does.
func (d DType) AppendInt(b []byte, v int64) ([]byte, error) {
	fits := true
	switch d.kind {
	case 'b':
		fits = v == 0 || v == 1
	case 'i':
		fits = d.size == 8 || v == v<<(64-8*d.size)>>(64-8*d.size)
	case 'u':
		fits = v >= 0 && (d.size == 8 || v>>(8*d.size) == 0)
	case 'f', 'c':
		return d.AppendFloat(b, float64(v))
	}
	if !fits {
		return b, fmt.Errorf("%d does not fit dtype %s", v, d)
	}
	return d.appendBits(b, d.size, uint64(v)), nil
}

// AppendFloat appends one element of a float or complex type, rounded to it. A finite v beyond the type's range and a type that is neither
// float nor complex are errors.
func (d DType) AppendFloat(b []byte, v float64) ([]byte, error) {
	size := d.size
	switch d.kind {
	case 'f':
	case 'c':
		size /= 2
	default:
		return b, fmt.Errorf("%v is a float and dtype %s is not", v, d)
	}
	var bits uint64
	over := false
	switch size {
	case 2:
		h := float16(v)
		bits, over = uint64(h), h&0x7fff == 0x7c00
	case 4:
		f := float32(v)
		bits, over = uint64(math.Float32bits(f)), math.IsInf(float64(f), 0)
	default:
		bits = math.Float64bits(v)
	}
	if over && !math.IsInf(v, 0) {
		return b, fmt.Errorf("%v does not fit dtype %s", v, d)
	}
	b = d.appendBits(b, size, bits)
	if d.kind == 'c' {
		b = d.appendBits(b, size, 0)
	}
	return b, nil
}

func (d DType) appendBits(b []byte, size int, v uint64) []byte {
	var buf [8]byte
	if d.big {
		binary.BigEndian.PutUint64(buf[:], v)
		return append(b, buf[8-size:]...)
	}
	binary.LittleEndian.PutUint64(buf[:], v)
	return append(b, buf[:size]...)
}

// float16 rounds to the nearest IEEE 754 binary16, ties to even.
func float16(v float64) uint16 {
	var sign uint16
	if math.Signbit(v) {
		sign = 0x8000
	}
	v = math.Abs(v)
	switch {
	case math.IsNaN(v):
		return sign | 0x7e00
	case v >= 65520: // half way between the largest, 65504, and what would be next
		return sign | 0x7c00
	case v < 0x1p-14: // subnormal; rounding up to 2^10 gives the smallest normal
		return sign | uint16(math.RoundToEven(v*0x1p24))
	}
	frac, exp := math.Frexp(v) // frac in [0.5, 1)
	mant := uint16(math.RoundToEven(frac * 0x1p11))
	return sign | (uint16(exp+14)<<10 + mant - 1<<10) // a carry out of mant raises the exponent
}
