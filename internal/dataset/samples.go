package dataset

import (
	"fmt"
	"io"
)

// MaxFortranBytes is the largest array in Fortran order that is read: its samples lie across all of it, so it is held in memory.
const MaxFortranBytes = 4 << 30

// each calls yield with the bytes of each of the array's samples, in C order and borrowed.
func (f *File) each(a *Array, yield func(i int, data []byte) error) (err error) {
	r, err := f.open(a)
	if err != nil {
		return err
	}
	defer r.Close()
	n, size := a.samples()
	next := func(_ int, buf []byte) error {
		_, err := io.ReadFull(r, buf)
		return err
	}
	if a.FortranOrder && len(a.Shape) > 1 {
		if next, err = transposed(r, a); err != nil {
			return &FormatError{Path: f.path, Array: a.Name, Offset: a.header, Reason: "an array in Fortran order cannot be read", Err: err}
		}
	}
	buf := make([]byte, size)
	for i := range n {
		if err := next(i, buf); err != nil {
			return &FormatError{
				Path: f.path, Array: a.Name, Offset: a.header + int64(i)*int64(size), Reason: "the file changed while it was read", Err: err,
			}
		}
		if err := yield(i, buf); err != nil {
			return err
		}
	}
	return nil
}

// transposed reads an array in Fortran order whole and returns how to gather one sample of it.
func transposed(r io.Reader, a *Array) (func(i int, buf []byte) error, error) {
	n, size := a.samples()
	if int64(n)*int64(size) > MaxFortranBytes {
		return nil, fmt.Errorf("it has %d bytes, at most %d are held in memory: save it with numpy.ascontiguousarray", n*size, MaxFortranBytes)
	}
	all := make([]byte, n*size)
	if _, err := io.ReadFull(r, all); err != nil {
		return nil, err
	}
	inner := a.Shape[1:]
	stride := make([]int, len(inner)) // of each dimension in Fortran order, in elements
	step := n
	for d, dim := range inner {
		stride[d] = step
		step *= dim
	}
	at := make([]int, len(inner))
	return func(i int, buf []byte) error {
		clear(at)
		from := i
		for to := 0; to < len(buf); to += a.itemBytes {
			copy(buf[to:to+a.itemBytes], all[from*a.itemBytes:])
			for d := len(inner) - 1; d >= 0; d-- { // the last dimension runs fastest in C order
				at[d]++
				from += stride[d]
				if at[d] < inner[d] {
					break
				}
				from -= stride[d] * inner[d]
				at[d] = 0
			}
		}
		return nil
	}, nil
}
