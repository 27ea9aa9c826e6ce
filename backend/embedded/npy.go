package embedded

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
)

// readNPY returns the elements of the named array of an NPZ archive, in C order. It reads what the bundled files hold and no
// more: format 1.0, whose data type is descr, in C order.
func readNPY(archive *zip.Reader, name, descr string) ([]byte, error) {
	raw, err := readFile(archive, name+".npy")
	if err != nil {
		return nil, err
	}
	const magic = "\x93NUMPY\x01\x00"
	if len(raw) < len(magic)+2 || string(raw[:len(magic)]) != magic {
		return nil, fmt.Errorf("read array %q: not NPY format 1.0", name)
	}
	raw = raw[len(magic):]
	size := int(binary.LittleEndian.Uint16(raw)) + 2
	if len(raw) < size {
		return nil, fmt.Errorf("read array %q: header cut short", name)
	}
	header := string(raw[2:size])
	for _, want := range []string{"'descr': '" + descr + "'", "'fortran_order': False"} {
		if !strings.Contains(header, want) {
			return nil, fmt.Errorf("read array %q: header %q lacks %s", name, strings.TrimSpace(header), want)
		}
	}
	return raw[size:], nil
}

// readMember returns a file of an NPZ.
func readMember(npz []byte, name string) ([]byte, error) {
	archive, err := zip.NewReader(bytes.NewReader(npz), int64(len(npz)))
	if err != nil {
		return nil, fmt.Errorf("open archive: %w", err)
	}
	return readFile(archive, name)
}

func readFile(archive *zip.Reader, name string) ([]byte, error) {
	f, err := archive.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open array %q: %w", name, err)
	}
	defer func() { _ = f.Close() }() // opened for reading: nothing to lose
	raw, err := io.ReadAll(f)
	if err != nil {
		return nil, fmt.Errorf("read array %q: %w", name, err)
	}
	return raw, nil
}

// readSplit returns the images of an NPZ, imageBytes each, and a label for each of them.
func readSplit(npz []byte, imageBytes int) (images []byte, labels []int64, err error) {
	archive, err := zip.NewReader(bytes.NewReader(npz), int64(len(npz)))
	if err != nil {
		return nil, nil, fmt.Errorf("open archive: %w", err)
	}
	images, err = readNPY(archive, "images", "|u1")
	if err != nil {
		return nil, nil, err
	}
	raw, err := readNPY(archive, "labels", "<i8")
	if err != nil {
		return nil, nil, err
	}
	labels = make([]int64, len(raw)/8)
	for i := range labels {
		labels[i] = int64(binary.LittleEndian.Uint64(raw[8*i:])) //nolint:gosec // two's complement, as NumPy wrote it
	}
	if len(images) != imageBytes*len(labels) {
		return nil, nil, fmt.Errorf("match arrays: %d bytes of images for %d labels", len(images), len(labels))
	}
	return images, labels, nil
}
