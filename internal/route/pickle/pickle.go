// Package pickle writes Python pickles, protocol 5: the few types that a training sample is made of.
//
// A pickle is [AppendStart], one value, [AppendStop]. The only global it ever names is numpy.ndarray, so it loads on every NumPy since 1.16 (what
// NumPy 2 writes itself names numpy._core, which NumPy 1 lacks) and passes a policy that allows public names only. Nothing is
// memoized: no value is written twice, and readers are spared a dictionary.
//
// Every function appends to a slice and returns it, as the built-in append does, and keeps none of its arguments.
package pickle

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"forebay/internal/route/numpy"
)

// Opcodes, as Python's pickletools names them.
const (
	opMark            = '('
	opStop            = '.'
	opBinFloat        = 'G'
	opBinInt          = 'J'
	opBinInt1         = 'K'
	opBinInt2         = 'M'
	opNone            = 'N'
	opReduce          = 'R'
	opBinBytes        = 'B'
	opShortBinBytes   = 'C'
	opBinUnicode      = 'X'
	opAppends         = 'e'
	opTuple           = 't'
	opSetItems        = 'u'
	opEmptyTuple      = ')'
	opEmptyList       = ']'
	opEmptyDict       = '}'
	opProto           = 0x80
	opTuple1          = 0x85 // and 0x86, 0x87 for two and three
	opTrue            = 0x88
	opFalse           = 0x89
	opLong1           = 0x8a
	opShortBinUnicode = 0x8c
	opBinUnicode8     = 0x8d
	opBinBytes8       = 0x8e
	opStackGlobal     = 0x93
	opByteArray8      = 0x96
)

// AppendStart begins a pickle.
func AppendStart(b []byte) []byte { return append(b, opProto, 5) }

// AppendStop ends a pickle.
func AppendStop(b []byte) []byte { return append(b, opStop) }

// AppendDictStart begins a dict; each entry is [AppendString] and a value; [AppendDictEnd] ends it.
func AppendDictStart(b []byte) []byte { return append(b, opEmptyDict, opMark) }

// AppendDictEnd ends a dict.
func AppendDictEnd(b []byte) []byte { return append(b, opSetItems) }

// AppendListStart begins a list; its values follow; [AppendListEnd] ends it.
func AppendListStart(b []byte) []byte { return append(b, opEmptyList, opMark) }

// AppendListEnd ends a list.
func AppendListEnd(b []byte) []byte { return append(b, opAppends) }

// AppendNone appends None.
func AppendNone(b []byte) []byte { return append(b, opNone) }

// AppendBool appends True or False.
func AppendBool(b []byte, v bool) []byte {
	if v {
		return append(b, opTrue)
	}
	return append(b, opFalse)
}

// AppendInt appends an int in its shortest form.
func AppendInt(b []byte, v int64) []byte {
	switch {
	case v >= 0 && v <= math.MaxUint8:
		return append(b, opBinInt1, byte(v))
	case v >= 0 && v <= math.MaxUint16:
		return binary.LittleEndian.AppendUint16(append(b, opBinInt2), uint16(v))
	case v >= math.MinInt32 && v <= math.MaxInt32:
		return binary.LittleEndian.AppendUint32(append(b, opBinInt), uint32(v))
	}
	var le [8]byte
	binary.LittleEndian.PutUint64(le[:], uint64(v))
	n := 8
	for int8(le[n-1]) == int8(le[n-2])>>7 { // a byte that only repeats the sign; v needs five at least
		n--
	}
	return append(append(b, opLong1, byte(n)), le[:n]...)
}

// AppendFloat appends a float.
func AppendFloat(b []byte, v float64) []byte {
	return binary.BigEndian.AppendUint64(append(b, opBinFloat), math.Float64bits(v))
}

// AppendString appends a str. s must be UTF-8.
func AppendString(b []byte, s string) []byte {
	return append(appendLength(b, len(s), opShortBinUnicode, opBinUnicode, opBinUnicode8), s...)
}

// AppendBytes appends a bytes.
func AppendBytes(b, v []byte) []byte {
	return append(appendLength(b, len(v), opShortBinBytes, opBinBytes, opBinBytes8), v...)
}

func appendLength(b []byte, n int, short, medium, long byte) []byte {
	switch {
	case n <= math.MaxUint8:
		return append(b, short, byte(n))
	case n <= math.MaxUint32:
		return binary.LittleEndian.AppendUint32(append(b, medium), uint32(n))
	default:
		return binary.LittleEndian.AppendUint64(append(b, long), uint64(n))
	}
}

// AppendArray appends a writable NumPy array. data must be as long as the type and shape say (see [numpy.DType.Resolve]); its bytes are
// written as they are.
//
// It is numpy.ndarray(shape, dtype, bytearray): with bytes in the bytearray's place the array would be read-only.
func AppendArray(b []byte, d numpy.DType, shape []int, data []byte) []byte {
	b = slices.Grow(b, 64+9*len(shape)+len(data))
	b = AppendString(b, "numpy")
	b = AppendString(b, "ndarray")
	b = append(b, opStackGlobal)
	if len(shape) > 3 {
		b = append(b, opMark)
	}
	for _, n := range shape {
		b = AppendInt(b, int64(n))
	}
	switch n := len(shape); {
	case n == 0:
		b = append(b, opEmptyTuple)
	case n <= 3:
		b = append(b, opTuple1+byte(n)-1)
	default:
		b = append(b, opTuple)
	}
	b = AppendString(b, d.String())
	b = binary.LittleEndian.AppendUint64(append(b, opByteArray8), uint64(len(data)))
	b = append(b, data...)
	return append(b, opTuple1+2, opReduce)
}

// AppendValue appends a Go value: nil, bool, int64, float64, string, []byte, or a []any of these.
func AppendValue(b []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return AppendNone(b), nil
	case bool:
		return AppendBool(b, v), nil
	case int64:
		return AppendInt(b, v), nil
	case float64:
		return AppendFloat(b, v), nil
	case string:
		return AppendString(b, v), nil
	case []byte:
		return AppendBytes(b, v), nil
	case []any:
		b = AppendListStart(b)
		for _, e := range v {
			var err error
			if b, err = AppendValue(b, e); err != nil {
				return b, err
			}
		}
		return AppendListEnd(b), nil
	default:
		return b, fmt.Errorf("cannot pickle a %T", v)
	}
}
