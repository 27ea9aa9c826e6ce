package dataset

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"path/filepath"
	"strings"
)

// jpegTail is how far before its end a JPEG is looked through for its end marker: cameras append things.
const jpegTail = 64 << 10

// checkImage compares an image's content with the format that its name tells, and finds one that is cut off. Other files are not
// judged: any bytes may be a sample.
func checkImage(r io.ReaderAt, path string, size int64) error {
	broken := func(offset int64, format string, args ...any) error {
		return &FormatError{Path: path, Offset: offset, Reason: fmt.Sprintf(format, args...)}
	}
	head, err := readAt(r, 0, min(size, 16))
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	begins := func(want string) error {
		if !bytes.HasPrefix(head, []byte(want)) {
			return broken(0, "the name says %s, the content does not: it begins with %q", filepath.Ext(path), head)
		}
		return nil
	}
	switch strings.ToLower(filepath.Ext(path)) {
	case ".png":
		if err := begins("\x89PNG\r\n\x1a\n"); err != nil {
			return err
		}
		tail, err := readAt(r, max(size-12, 0), min(size, 12))
		if err == nil && !bytes.HasPrefix(tail, []byte("\x00\x00\x00\x00IEND")) {
			err = broken(size, "the PNG is cut off: it does not end with IEND")
		}
		return err
	case ".jpg", ".jpeg":
		if err := begins("\xff\xd8\xff"); err != nil {
			return err
		}
		tail, err := readAt(r, max(size-jpegTail, 0), min(size, jpegTail))
		if err == nil && !bytes.Contains(tail, []byte("\xff\xd9")) {
			err = broken(size, "the JPEG is cut off: it has no end marker (ff d9)")
		}
		return err
	case ".gif":
		return begins("GIF8")
	case ".bmp":
		return begins("BM")
	case ".webp":
		if err := begins("RIFF"); err != nil || len(head) < 12 {
			return err
		}
		if says := int64(binary.LittleEndian.Uint32(head[4:])) + 8; says > size {
			return broken(4, "the WebP is cut off: it says that it has %d bytes, there are %d", says, size)
		}
	}
	return nil
}

func readAt(r io.ReaderAt, offset, n int64) ([]byte, error) {
	b := make([]byte, n)
	_, err := io.ReadFull(io.NewSectionReader(r, offset, n), b)
	return b, err
}
