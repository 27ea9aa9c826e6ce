package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Content is one run of bytes to be stored as an object.
type Content struct {
	path string
	size int64
	open func() (io.ReadCloser, error)
	file io.Closer
}

// OpenContent gives the file's own bytes, or with raw those of its array of samples in C order, without any header. A file that its name or
// its first bytes show to be NPY, NPZ, IDX or an image is checked as such first; raw needs one with an array. The caller closes the Content.
func OpenContent(path string, raw bool, o Options) (*Content, error) {
	if raw {
		return openArray(path, o)
	}
	file, size, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	if err := checkContent(file, path, size); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &Content{path: path, size: size, file: file, open: func() (io.ReadCloser, error) {
		return io.NopCloser(io.NewSectionReader(file, 0, size)), nil
	}}, nil
}

// checkContent finds a file that is not what it says it is. Two zero bytes are no IDX unless the name says so: any bytes can be an object.
func checkContent(file *os.File, path string, size int64) error {
	if size == 0 {
		return &FormatError{Path: path, Reason: "the file is empty"}
	}
	start, err := readAt(file, 0, min(size, int64(len(magic))))
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	name := strings.ToLower(filepath.Base(path))
	plain := strings.TrimSuffix(name, ".gz")
	switch {
	case string(start) == magic, strings.HasSuffix(plain, ".npy"), strings.HasSuffix(plain, ".npz"), idxName.MatchString(plain):
		f, err := OpenFile(path)
		if err != nil {
			return err
		}
		return f.Close()
	case strings.HasSuffix(name, ".gz"):
		if !isGzip(start) {
			return &FormatError{Path: path, Reason: fmt.Sprintf("the name says gzip, the content does not: it begins with %q", start)}
		}
		_, err := unpackedSize(file, path, size)
		return err
	}
	return checkImage(file, path, size)
}

func openArray(path string, o Options) (*Content, error) {
	f, err := OpenFile(path)
	if err != nil {
		return nil, err
	}
	a, err := f.images(o.Images)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	n, size := a.samples()
	if n == 0 || size == 0 {
		err := &FormatError{Path: path, Array: a.Name, Offset: a.header, Reason: fmt.Sprintf("an array of shape %v has no bytes", a.Shape)}
		return nil, errors.Join(err, f.Close())
	}
	open := func() (io.ReadCloser, error) { return f.open(a) }
	if a.FortranOrder && len(a.Shape) > 1 {
		open = func() (io.ReadCloser, error) { return f.pipe(a), nil }
	}
	return &Content{path: path, size: int64(n) * int64(size), open: open, file: f}, nil
}

// pipe reads an array through each, which puts it into C order. Closing the reader ends the goroutine.
func (f *File) pipe(a *Array) io.ReadCloser {
	r, w := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.CloseWithError(f.each(a, func(_ int, data []byte) error {
			_, err := w.Write(data)
			return err
		}))
	}()
	return &piped{r, done}
}

type piped struct {
	*io.PipeReader
	done chan struct{}
}

func (p *piped) Close() error {
	err := p.PipeReader.Close()
	<-p.done
	return err
}

// Bytes is the size of all.
func (c *Content) Bytes() int64 { return c.size }

// Close closes the file.
func (c *Content) Close() error { return c.file.Close() }

// Each calls yield for each piece of chunkBytes in order, the last one may be shorter. data is borrowed until yield returns.
func (c *Content) Each(ctx context.Context, chunkBytes int, yield func(chunk int64, data []byte) error) error {
	r, err := c.open()
	if err != nil {
		return err
	}
	defer r.Close()
	buf := make([]byte, min(int64(chunkBytes), c.size))
	for done := int64(0); done < c.size; done += int64(len(buf)) {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("read %s: %w", c.path, err)
		}
		buf = buf[:min(int64(len(buf)), c.size-done)]
		if n, err := io.ReadFull(r, buf); err != nil {
			return &FormatError{Path: c.path, Offset: done + int64(n), Reason: "the file changed while it was read", Err: err}
		}
		if err := yield(done/int64(chunkBytes), buf); err != nil {
			return err
		}
	}
	return nil
}
