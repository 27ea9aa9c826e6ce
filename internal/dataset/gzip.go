package dataset

import (
	"bufio"
	"compress/gzip"
	"errors"
	"io"
	"os"
)

// readBuffer is how much of a file is read at once.
const readBuffer = 64 << 10

// stream reads a file from its start, unpacked if it is in gzip.
type stream struct {
	*bufio.Reader
	gz *gzip.Reader // nil: plain
}

// isGzip tells whether these first bytes are those of a gzip file.
func isGzip(start []byte) bool { return len(start) >= 2 && start[0] == 0x1f && start[1] == 0x8b }

func newStream(f *os.File, size int64) (*stream, error) {
	s := &stream{Reader: bufio.NewReaderSize(io.NewSectionReader(f, 0, size), readBuffer)}
	start, err := s.Peek(2)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if !isGzip(start) {
		return s, nil
	}
	if s.gz, err = gzip.NewReader(s.Reader); err != nil {
		return nil, err
	}
	s.Reader = bufio.NewReaderSize(s.gz, readBuffer)
	return s, nil
}

// Close frees the unpacker; the file is its owner's.
func (s *stream) Close() error {
	if s.gz == nil {
		return nil
	}
	return s.gz.Close()
}

// gzipReason says what is wrong with a gzip stream.
func gzipReason(err error) string {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return "the gzip stream is cut off (the offset is that of the unpacked bytes)"
	}
	return "the gzip stream is broken (the offset is that of the unpacked bytes)"
}

// unpackedSize reads a file to its end and returns how many bytes it unpacks to. Its error is a *FormatError.
func unpackedSize(f *os.File, path string, size int64) (int64, error) {
	s, err := newStream(f, size)
	if err != nil {
		return 0, &FormatError{Path: path, Reason: gzipReason(err), Err: err}
	}
	defer s.Close()
	n, err := io.Copy(io.Discard, s)
	if err != nil {
		return n, &FormatError{Path: path, Offset: n, Reason: gzipReason(err), Err: err}
	}
	return n, nil
}
