package dataset

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// File is an open NPY, NPZ or IDX file, all of which has been read and found whole.
type File struct {
	path    string
	file    *os.File
	size    int64
	arrays  []Array
	entries map[string]*zip.File // nil but for an NPZ
	idx     bool
}

// OpenFile opens and checks a file. A broken one is a *FormatError. The caller closes the File.
func OpenFile(path string) (*File, error) {
	file, size, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	f := &File{path: path, file: file, size: size}
	if err := f.check(); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return f, nil
}

func openRegular(path string) (*os.File, int64, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, 0, fmt.Errorf("open dataset: %w", err)
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", path)
	}
	if err != nil {
		return nil, 0, errors.Join(fmt.Errorf("open dataset: %w", err), file.Close())
	}
	return file, info.Size(), nil
}

// Close closes the file.
func (f *File) Close() error { return f.file.Close() }

// Arrays describes the arrays in the order of the file.
func (f *File) Arrays() []Array { return slices.Clone(f.arrays) }

func (f *File) check() error {
	start := make([]byte, 4)
	if _, err := f.file.ReadAt(start, 0); err != nil {
		return &FormatError{Path: f.path, Reason: fmt.Sprintf("%d bytes are neither NPY, NPZ nor IDX", f.size)}
	}
	if string(start[:2]) == "PK" {
		return f.checkZip()
	}
	total := f.size
	if isGzip(start) { // its own length fields may lie: it is unpacked to its end
		var err error
		if total, err = unpackedSize(f.file, f.path, f.size); err != nil {
			return err
		}
	}
	return f.checkArray(total)
}

// checkArray checks a file of one array, which has total bytes once it is unpacked.
func (f *File) checkArray(total int64) error {
	s, err := newStream(f.file, f.size)
	if err != nil {
		return &FormatError{Path: f.path, Reason: gzipReason(err), Err: err}
	}
	defer s.Close()
	start, err := s.Peek(int(min(total, int64(len(magic)))))
	if err != nil {
		return &FormatError{Path: f.path, Reason: gzipReason(err), Err: err}
	}
	read, what := readHeader, "the NPY header is wrong"
	switch {
	case isIDX(start):
		f.idx = true
		read, what = readIDX, "the IDX header is wrong"
	case string(start) != magic:
		return &FormatError{Path: f.path, Reason: `it is neither NPY (which begins with \x93NUMPY), NPZ (PK) nor IDX (two zero bytes)`}
	}
	a, offset, err := read(s, total)
	if err == nil && f.idx {
		offset, err = 3, mislabelled(f.path, &a)
	}
	if err != nil {
		return &FormatError{Path: f.path, Offset: offset, Reason: what, Err: err}
	}
	a.Name = strings.TrimSuffix(filepath.Base(f.path), filepath.Ext(f.path))
	f.arrays = []Array{a}
	return nil
}

// checkZip reads every entry to its end, where its length and checksum are compared with what the archive says.
func (f *File) checkZip() error {
	r, err := zip.NewReader(f.file, f.size)
	if err != nil {
		return &FormatError{Path: f.path, Offset: f.size, Reason: "the zip directory cannot be read", Err: err}
	}
	f.entries = map[string]*zip.File{}
	for _, e := range r.File {
		name, ok := strings.CutSuffix(e.Name, ".npy")
		if !ok {
			continue
		}
		if f.entries[name] != nil {
			return &FormatError{Path: f.path, Array: name, Reason: "the archive has this array twice"}
		}
		a, err := f.checkEntry(name, e)
		if err != nil {
			return err
		}
		f.entries[name] = e
		f.arrays = append(f.arrays, a)
	}
	if len(f.arrays) == 0 {
		return &FormatError{Path: f.path, Reason: "the archive has no arrays (.npy entries)"}
	}
	return nil
}

func (f *File) checkEntry(name string, e *zip.File) (Array, error) {
	broken := func(offset int64, reason string, err error) (Array, error) {
		return Array{}, &FormatError{Path: f.path, Array: name, Offset: offset, Reason: reason, Err: err}
	}
	body, err := e.Open()
	if err != nil {
		return broken(0, "the zip entry cannot be opened", err)
	}
	defer body.Close()
	counted := &counter{r: body}
	a, offset, err := readHeader(counted, int64(e.UncompressedSize64))
	if err != nil {
		return broken(offset, "the NPY header is wrong", err)
	}
	if _, err := io.Copy(io.Discard, counted); err != nil {
		return broken(counted.n, "the zip entry is broken", err)
	}
	a.Name = name
	return a, nil
}

// open returns a reader of the array's data.
func (f *File) open(a *Array) (io.ReadCloser, error) {
	var body io.ReadCloser
	var err error
	if f.entries == nil {
		body, err = newStream(f.file, f.size)
	} else {
		body, err = f.entries[a.Name].Open()
	}
	if err != nil {
		return nil, &FormatError{Path: f.path, Array: a.Name, Reason: "the file cannot be read again", Err: err}
	}
	if _, err := io.CopyN(io.Discard, body, a.header); err != nil {
		err = errors.Join(err, body.Close())
		return nil, &FormatError{Path: f.path, Array: a.Name, Reason: "the file changed while it was read", Err: err}
	}
	return body, nil
}

// counter counts what is read.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}
