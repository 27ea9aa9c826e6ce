package dataset

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"unicode"
)

// Bounds of files of records.
const (
	// MaxRecordBytes is the longest line of JSON, or record of CSV.
	MaxRecordBytes = 16 << 20
	// MaxColumns is how many columns a file may have.
	MaxColumns = 1000
)

// Record is one record of a file.
type Record struct {
	Index  int
	Line   int
	Offset int64 // of its first byte, once the file is unpacked
	// Values are in the order of Columns. Of CSV each is a string, or nil for an empty field; of JSON a nil, bool, json.Number, string, []any,
	// map[string]any, or Absent where the object lacks the key. Borrowed until the callback returns.
	Values []any
}

// Absent is the value of a key that a JSON object does not have.
type Absent struct{}

// RecordColumn is a column that was found in a file, with the CQL type that would hold all its values.
type RecordColumn struct {
	Name, Type string
}

// Records are one or more files of CSV or JSON lines with the same columns, checked to their ends.
type Records struct {
	files   []*recordFile
	columns []RecordColumn
	n       int
}

type recordFile struct {
	path  string
	file  *os.File
	size  int64
	json  bool
	comma rune
	n     int
}

// OpenRecords opens the files, reads each to its end and learns the columns: a CSV's from its header, those of JSON lines from the
// objects' keys, in the order in which they come up. A broken file is a *FormatError. The caller closes the Records.
func OpenRecords(ctx context.Context, paths ...string) (*Records, error) {
	r := &Records{}
	err := r.open(ctx, paths)
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// Close closes the files.
func (r *Records) Close() error {
	var errs []error
	for _, f := range r.files {
		errs = append(errs, f.file.Close())
	}
	return errors.Join(errs...)
}

// Len is the number of records.
func (r *Records) Len() int { return r.n }

// Columns are those found in the files.
func (r *Records) Columns() []RecordColumn { return slices.Clone(r.columns) }

// Each calls yield for every record in order. An error of yield is returned with the file and the line before it.
func (r *Records) Each(ctx context.Context, yield func(Record) error) error {
	index := 0
	for _, f := range r.files {
		err := f.each(ctx, r.names(), func(rec Record) error {
			rec.Index = index
			index++
			return yield(rec)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *Records) names() []string {
	names := make([]string, len(r.columns))
	for i, c := range r.columns {
		names[i] = c.Name
	}
	return names
}

func (r *Records) open(ctx context.Context, paths []string) error {
	learned := newColumns()
	for _, path := range paths {
		file, size, err := openRegular(path)
		if err != nil {
			return err
		}
		f := &recordFile{path: path, file: file, size: size}
		r.files = append(r.files, f)
		if err := f.recognise(); err != nil {
			return err
		}
		if f.json != r.files[0].json {
			return fmt.Errorf("read %s: %s and %s do not go together", path, r.files[0].format(), f.format())
		}
		if f.n, err = f.scan(ctx, learned); err != nil {
			return err
		}
		r.n += f.n
	}
	r.columns = learned.columns()
	switch {
	case len(paths) == 0:
		return errors.New("open dataset: no file is named")
	case r.n == 0:
		return &FormatError{Path: paths[0], Reason: "there are no records in it"}
	}
	return nil
}

func (f *recordFile) format() string {
	if f.json {
		return "JSON lines"
	}
	return "CSV"
}

// recognise tells the formats apart: a file whose first letter is { is JSON lines, any other text CSV.
func (f *recordFile) recognise() error {
	s, err := newStream(f.file, f.size)
	if err != nil {
		return &FormatError{Path: f.path, Reason: gzipReason(err), Err: err}
	}
	defer s.Close()
	start, err := s.Peek(4096)
	if err != nil && !errors.Is(err, io.EOF) {
		return &FormatError{Path: f.path, Reason: gzipReason(err), Err: err}
	}
	start = bytes.TrimPrefix(start, []byte(byteOrderMark))
	if at := bytes.IndexByte(start, 0); at >= 0 {
		return &FormatError{Path: f.path, Offset: int64(at), Reason: "it is neither CSV nor JSON lines: a text has no zero bytes"}
	}
	start = bytes.TrimLeftFunc(start, unicode.IsSpace)
	switch {
	case len(start) == 0:
		return &FormatError{Path: f.path, Reason: "the file is empty"}
	case start[0] == '[':
		return &FormatError{Path: f.path, Reason: "it is a JSON array: write one object a line (jq -c '.[]')"}
	case start[0] == '{':
		f.json = true
		return nil
	}
	header, _, _ := bytes.Cut(start, []byte("\n"))
	f.comma = ','
	for _, c := range "\t;" {
		if !bytes.ContainsRune(header, ',') && bytes.ContainsRune(header, c) {
			f.comma = c
		}
	}
	return nil
}

// byteOrderMark is what spreadsheets begin a file with.
const byteOrderMark = "\xef\xbb\xbf"

// each reads the file's records with their values in the order of names.
func (f *recordFile) each(ctx context.Context, names []string, yield func(Record) error) error {
	values := make([]any, len(names))
	at := map[string]int{}
	for i, name := range names {
		at[name] = i
	}
	n := 0
	err := f.read(ctx, func(line int, offset int64, fields []field) error {
		for i := range values {
			values[i] = Absent{}
		}
		for _, field := range fields {
			i, ok := at[field.name]
			if !ok {
				return f.changed(offset)
			}
			values[i] = field.value
		}
		n++
		if err := yield(Record{Line: line, Offset: offset, Values: values}); err != nil {
			return fmt.Errorf("read %s: line %d, at byte %d: %w", f.path, line, offset, err)
		}
		return nil
	})
	if err == nil && n != f.n {
		return f.changed(f.size)
	}
	return err
}

func (f *recordFile) changed(offset int64) error {
	return &FormatError{Path: f.path, Offset: offset, Reason: "the file changed while it was read"}
}

// scan reads the file once to learn its columns.
func (f *recordFile) scan(ctx context.Context, learned *columns) (n int, err error) {
	err = f.read(ctx, func(line int, offset int64, fields []field) error {
		n++
		for _, field := range fields {
			if err := learned.add(field, f.json); err != nil {
				return &FormatError{Path: f.path, Offset: offset, Reason: fmt.Sprintf("line %d: %v", line, err)}
			}
		}
		return nil
	})
	return n, err
}

// field is one value of a record.
type field struct {
	name  string
	value any
}

// read calls yield for each record. fields are borrowed.
func (f *recordFile) read(ctx context.Context, yield func(line int, offset int64, fields []field) error) error {
	s, err := newStream(f.file, f.size)
	if err != nil {
		return &FormatError{Path: f.path, Reason: gzipReason(err), Err: err}
	}
	defer s.Close()
	bounded := func(line int, offset int64, fields []field) error {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("read %s: %w", f.path, err)
		}
		return yield(line, offset, fields)
	}
	if f.json {
		return f.readJSON(s, bounded)
	}
	return f.readCSV(s, bounded)
}
