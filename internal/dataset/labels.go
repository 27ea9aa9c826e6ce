package dataset

import (
	"encoding/binary"
	"fmt"
	"math"
)

// labels reads an integer array of shape (n,) or (n, 1).
func (f *File) labels(a *Array) ([]int64, error) {
	wrong := func(reason string) error {
		return &FormatError{Path: f.path, Array: a.Name, Offset: a.header, Reason: reason}
	}
	if a.itemBytes == 0 {
		return nil, wrong(refusal(a.DType))
	}
	if len(a.Shape) == 0 || len(a.Shape) > 2 || len(a.Shape) == 2 && a.Shape[1] != 1 {
		return nil, wrong(fmt.Sprintf("labels have the shape (n,), not %v", a.Shape))
	}
	kind := a.DType[1]
	if kind != 'i' && kind != 'u' && kind != 'b' {
		return nil, wrong("labels are integers, not " + a.DType)
	}
	var labels []int64
	err := f.each(a, func(i int, data []byte) error {
		v, ok := integer(data, kind != 'i', a.DType[0] == '>')
		if !ok {
			return wrong(fmt.Sprintf("label %d does not fit 64 bits with a sign", i))
		}
		labels = append(labels, v)
		return nil
	})
	return labels, err
}

func integer(data []byte, unsigned, big bool) (v int64, ok bool) {
	var order binary.ByteOrder = binary.LittleEndian
	if big {
		order = binary.BigEndian
	}
	var u uint64
	switch len(data) {
	case 1:
		u, v = uint64(data[0]), int64(int8(data[0]))
	case 2:
		u = uint64(order.Uint16(data))
		v = int64(int16(u))
	case 4:
		u = uint64(order.Uint32(data))
		v = int64(int32(u))
	case 8:
		u = order.Uint64(data)
		v = int64(u)
	}
	if unsigned {
		return int64(u), u <= math.MaxInt64
	}
	return v, true
}
