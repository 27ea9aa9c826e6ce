package dataset

import (
	"encoding/binary"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"strconv"
)

// idxTypes are the element types of the IDX format (yann.lecun.com/exdb/mnist), all big-endian, in NumPy's spelling.
func idxType(code byte) string {
	switch code {
	case 0x08:
		return "|u1"
	case 0x09:
		return "|i1"
	case 0x0b:
		return ">i2"
	case 0x0c:
		return ">i4"
	case 0x0d:
		return ">f4"
	case 0x0e:
		return ">f8"
	default:
		return ""
	}
}

// isIDX tells whether these first bytes are those of an IDX file: two zero bytes, which no other format here begins with.
func isIDX(start []byte) bool { return len(start) >= 4 && start[0] == 0 && start[1] == 0 }

// readIDX reads an IDX header from r, which holds total bytes in all, and checks that the data it promises are what is left. The error
// says at what offset.
func readIDX(r io.Reader, total int64) (a Array, offset int64, err error) {
	var start [4]byte
	if _, err := io.ReadFull(r, start[:]); err != nil {
		return a, 0, err
	}
	a.DType = idxType(start[2])
	if a.DType == "" {
		return a, 2, fmt.Errorf("IDX has no type 0x%02x", start[2])
	}
	a.itemBytes = itemBytes(a.DType)
	dims := int(start[3])
	if dims == 0 || dims > maxDims {
		return a, 3, fmt.Errorf("an IDX file has 1 to %d dimensions, not %d", maxDims, dims)
	}
	a.header = int64(4 + 4*dims)
	sizes := make([]byte, 4*dims)
	if n, err := io.ReadFull(r, sizes); err != nil {
		return a, int64(4 + n), fmt.Errorf("the header is cut off: it has %d dimensions: %w", dims, err)
	}
	for d := range dims {
		a.Shape = append(a.Shape, int(binary.BigEndian.Uint32(sizes[4*d:])))
	}
	return a, a.header, a.checkSize(total - a.header)
}

// idxName is how MNIST's files are called: the number of dimensions is in the name.
var idxName = regexp.MustCompile(`idx([1-9])-`)

// mislabelled compares an IDX file's name with its header: labels called images would be loaded as such.
func mislabelled(path string, a *Array) error {
	found := idxName.FindStringSubmatch(filepath.Base(path))
	if found == nil {
		return nil
	}
	if want, err := strconv.Atoi(found[1]); err == nil && want != len(a.Shape) {
		return fmt.Errorf("the file is called idx%d, its header has %d dimensions: %v", want, len(a.Shape), a.Shape)
	}
	return nil
}
