package dataset

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"
)

var errLong = fmt.Errorf("a record has more than %d bytes: is a quote not closed?", MaxRecordBytes)

// budget fails once more than left bytes were read: the csv package would gather a field with an open quote without end.
type budget struct {
	r    io.Reader
	left int
}

func (b *budget) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errLong
	}
	n, err := b.r.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

func (f *recordFile) readCSV(s *stream, yield func(line int, offset int64, fields []field) error) error {
	skipped := int64(0)
	if start, _ := s.Peek(len(byteOrderMark)); string(start) == byteOrderMark {
		n, _ := s.Discard(len(byteOrderMark)) // they are in the buffer
		skipped = int64(n)
	}
	limit := &budget{r: s}
	r := csv.NewReader(limit)
	r.Comma, r.ReuseRecord = f.comma, true
	next := func() (values []string, offset int64, err error) {
		limit.left = MaxRecordBytes
		offset = skipped + r.InputOffset()
		values, err = r.Read()
		return values, offset, err
	}
	header, offset, err := next()
	if err != nil {
		return f.csvError(err, offset, s)
	}
	fields, err := f.header(header)
	if err != nil {
		return err
	}
	for {
		values, offset, err := next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return f.csvError(err, offset, s)
		}
		line, _ := r.FieldPos(0)
		for i, v := range values {
			if !utf8.ValidString(v) {
				return &FormatError{Path: f.path, Offset: offset, Reason: fmt.Sprintf("line %d: column %s is no UTF-8", line, fields[i].name)}
			}
			fields[i].value = v
			if v == "" {
				fields[i].value = nil
			}
		}
		if err := yield(line, offset, fields); err != nil {
			return err
		}
	}
}

func (f *recordFile) header(names []string) ([]field, error) {
	fields := make([]field, len(names))
	if len(names) > MaxColumns {
		return nil, &FormatError{Path: f.path, Reason: fmt.Sprintf("the header has %d columns, more than %d", len(names), MaxColumns)}
	}
	for i, name := range names {
		switch {
		case name == "":
			return nil, &FormatError{Path: f.path, Reason: fmt.Sprintf("the header (line 1) has no name for column %d", i+1)}
		case !utf8.ValidString(name):
			return nil, &FormatError{Path: f.path, Reason: "the header (line 1) is no UTF-8"}
		case slices.Contains(names[:i], name):
			return nil, &FormatError{Path: f.path, Reason: fmt.Sprintf("the header (line 1) has the column %q twice", name)}
		}
		fields[i].name = name
	}
	return fields, nil
}

// csvError says where a record is broken. offset is where it begins.
func (f *recordFile) csvError(err error, offset int64, s *stream) error {
	var parse *csv.ParseError
	if errors.As(err, &parse) {
		return &FormatError{Path: f.path, Offset: offset, Reason: fmt.Sprintf("line %d, column %d", parse.Line, parse.Column), Err: parse.Err}
	}
	if s.gz != nil && !errors.Is(err, errLong) {
		return &FormatError{Path: f.path, Offset: offset, Reason: gzipReason(err), Err: err}
	}
	return &FormatError{Path: f.path, Offset: offset, Reason: "the record cannot be read", Err: err}
}
