package dataset

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

const (
	magic = "\x93NUMPY"
	// maxHeader is the longest header that is read. NumPy's own limit for what it parses is 10,000 characters.
	maxHeader = 64 << 10
	maxDims   = 64 // NumPy's own
)

// Array describes one array of a file.
type Array struct {
	// Name is the array's name in an NPZ, the file's name without extension for an NPY.
	Name string
	// DType is NumPy's spelling with the byte order as stored: "|u1", "<f4", ">i2".
	DType string
	Shape []int
	// FortranOrder tells how the file holds it. Samples are in C order all the same.
	FortranOrder bool

	itemBytes int   // 0: a type whose samples cannot be read
	header    int64 // where the data begin
}

// samples is the number of samples and the bytes of each.
func (a *Array) samples() (n, size int) {
	size = a.itemBytes
	for _, d := range a.Shape[1:] {
		size *= d
	}
	return a.Shape[0], size
}

// readHeader reads an NPY header from r, which holds total bytes in all, and checks that the data it promises are what is left. The error
// says at what offset.
func readHeader(r io.Reader, total int64) (a Array, offset int64, err error) {
	var start [12]byte
	if total < 10 {
		return a, total, fmt.Errorf("%d bytes are no NPY file", total)
	}
	if _, err := io.ReadFull(r, start[:8]); err != nil {
		return a, 0, err
	}
	if string(start[:6]) != magic {
		return a, 0, errors.New("this is no NPY file: it does not begin with \\x93NUMPY")
	}
	lengthBytes := int64(2)
	switch start[6] {
	case 1:
	case 2, 3:
		lengthBytes = 4
	default:
		return a, 6, fmt.Errorf("format version %d.%d is not known", start[6], start[7])
	}
	if _, err := io.ReadFull(r, start[8:8+lengthBytes]); err != nil {
		return a, 8, fmt.Errorf("the header is cut off: %w", err)
	}
	length := int64(binary.LittleEndian.Uint16(start[8:]))
	if lengthBytes == 4 {
		length = int64(binary.LittleEndian.Uint32(start[8:]))
	}
	a.header = 8 + lengthBytes + length
	if length > maxHeader || a.header > total {
		return a, 8, fmt.Errorf("the header says it has %d bytes, the file has %d", length, total)
	}
	text := make([]byte, length)
	if _, err := io.ReadFull(r, text); err != nil {
		return a, 8 + lengthBytes, fmt.Errorf("the header is cut off: %w", err)
	}
	if err := a.parse(string(bytes.TrimRight(text, " \n\x00"))); err != nil {
		return a, 8 + lengthBytes, err
	}
	return a, a.header, a.checkSize(total - a.header)
}

// checkSize compares the header's promise with the bytes there are. A type of unknown size is not compared, and not read.
func (a *Array) checkSize(have int64) error {
	if a.itemBytes == 0 {
		return nil
	}
	want := int64(a.itemBytes)
	for _, d := range a.Shape {
		if d != 0 && want > math.MaxInt64/int64(d) {
			return fmt.Errorf("the shape %v is larger than any file", a.Shape)
		}
		want *= int64(d)
	}
	if want != have {
		return fmt.Errorf("%s of shape %v takes %d bytes, there are %d", a.DType, a.Shape, want, have)
	}
	return nil
}

// parse reads the header's text: a Python dict of descr, fortran_order and shape.
func (a *Array) parse(text string) error {
	p := literal{rest: text}
	var seen []string
	p.expect("{")
	for p.err == nil && !p.take("}") {
		key := p.quoted()
		p.expect(":")
		switch key {
		case "descr":
			if strings.HasPrefix(p.peek(), "[") {
				a.DType = "structured"
				p.brackets()
			} else {
				a.DType = p.quoted()
			}
		case "fortran_order":
			a.FortranOrder = p.boolean()
		case "shape":
			a.Shape = p.tuple()
		default:
			p.fail("the header has an unknown entry " + strconv.Quote(key))
		}
		if slices.Contains(seen, key) {
			p.fail("the header has the entry " + strconv.Quote(key) + " twice")
		}
		seen = append(seen, key)
		if !p.take(",") && !strings.HasPrefix(p.peek(), "}") {
			p.fail("the header's entries are not separated by commas")
		}
	}
	if p.err == nil && (a.DType == "" || a.Shape == nil || len(seen) != 3 || p.peek() != "") {
		p.fail("the header is not a dict of descr, fortran_order and shape")
	}
	if p.err == nil {
		a.itemBytes = itemBytes(a.DType)
	}
	return p.err
}

// itemBytes is the size of an element of a numeric type, 0 for every other type.
func itemBytes(dtype string) int {
	if len(dtype) < 3 || !strings.ContainsRune("<>|", rune(dtype[0])) {
		return 0
	}
	n, err := strconv.Atoi(dtype[2:])
	if err != nil {
		return 0
	}
	sizes, ok := map[byte]string{'b': "1", 'i': "1 2 4 8", 'u': "1 2 4 8", 'f': "2 4 8", 'c': "8 16"}[dtype[1]]
	if !ok || !strings.Contains(" "+sizes+" ", " "+strconv.Itoa(n)+" ") || n > 1 && dtype[0] == '|' {
		return 0
	}
	return n
}

// refusal says why an array of this type is not read.
func refusal(dtype string) string {
	switch {
	case strings.HasSuffix(dtype, "O"):
		return "an object array holds pickled Python objects, which are not read: save it with a numeric dtype"
	case dtype == "structured":
		return "a structured array is not read: save its fields as arrays of their own"
	default:
		return "arrays of dtype " + dtype + " are not read: save it with a numeric dtype"
	}
}
