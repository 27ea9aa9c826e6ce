package numpy

import (
	"fmt"
	"strconv"
	"strings"
)

// DType is the type of an array's elements. The zero DType is not valid; [ParseDType] makes them.
type DType struct {
	kind byte // NumPy's letter: b, i, u, f or c
	size int  // bytes of one element
	big  bool // big-endian; never set for a size of 1
}

// ParseDType understands NumPy's names ("uint8", "float32") and codes ("u1", "<f4", ">i2"). What names no byte order is little-endian.
func ParseDType(s string) (DType, error) {
	switch s {
	case "bool":
		return DType{kind: 'b', size: 1}, nil
	case "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
		"float16", "float32", "float64", "complex64", "complex128":
		bits, _ := strconv.Atoi(strings.TrimLeft(s, "abcdefghijklmnopqrstuvwxyz"))
		return DType{kind: s[0], size: bits / 8}, nil
	}
	code, order := s, byte('<')
	if s != "" && strings.IndexByte("<>|", s[0]) >= 0 {
		code, order = s[1:], s[0]
	}
	switch code {
	case "b1", "i1", "u1":
		return DType{kind: code[0], size: 1}, nil
	case "i2", "i4", "i8", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16":
		if order != '|' { // which says that there is no order
			size, _ := strconv.Atoi(code[1:])
			return DType{kind: code[0], size: size, big: order == '>'}, nil
		}
	}
	return DType{}, fmt.Errorf("unknown type %q; allowed are bool, int8 to int64, uint8 to uint64, float16 to float64, "+
		"complex64 and complex128, or codes with a byte order such as <f4 and >i2", s)
}

// Size returns the bytes of one element.
func (d DType) Size() int { return d.size }

// Kind returns NumPy's letter for the kind of number: b(ool), i(nt), u(nsigned), f(loat) or c(omplex).
func (d DType) Kind() byte { return d.kind }

// String returns the type as NumPy's array protocol spells it: "<f4", "|u1".
func (d DType) String() string {
	order := "<"
	switch {
	case d.size == 1:
		order = "|"
	case d.big:
		order = ">"
	}
	return order + string(d.kind) + strconv.Itoa(d.size)
}
