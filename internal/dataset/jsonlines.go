package dataset

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"
)

func (f *recordFile) readJSON(s *stream, yield func(line int, offset int64, fields []field) error) error {
	var long, data []byte
	var fields []field
	offset := int64(0)
	for line := 1; ; line++ {
		var err error
		data, long, err = readLine(s.Reader, long[:0])
		ended := errors.Is(err, io.EOF)
		if err != nil && !ended {
			reason := fmt.Sprintf("line %d cannot be read", line)
			if s.gz != nil && !errors.Is(err, errLong) {
				reason = gzipReason(err)
			}
			return &FormatError{Path: f.path, Offset: offset, Reason: reason, Err: err}
		}
		text := bytes.TrimPrefix(data, []byte(byteOrderMark))
		if len(bytes.TrimSpace(text)) > 0 {
			var at int64
			if fields, at, err = parseObject(text, fields[:0]); err != nil {
				return &FormatError{Path: f.path, Offset: offset + at, Reason: fmt.Sprintf("line %d is no JSON object", line), Err: err}
			}
			if err := yield(line, offset, fields); err != nil {
				return err
			}
		}
		offset += int64(len(data))
		if ended {
			return nil
		}
	}
}

// readLine reads a line with its end. The line is borrowed: it lies in r's buffer or, if it is longer, in long, which is given back.
func readLine(r *bufio.Reader, long []byte) (line, grown []byte, err error) {
	for {
		piece, err := r.ReadSlice('\n')
		if len(long) == 0 && !errors.Is(err, bufio.ErrBufferFull) {
			return piece, long, err
		}
		if len(long)+len(piece) > MaxRecordBytes {
			return nil, long, errLong
		}
		long = append(long, piece...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return long, long, err
		}
	}
}

// parseObject reads one object into fields. The error's offset is that in text.
func parseObject(text []byte, fields []field) (_ []field, offset int64, err error) {
	if !utf8.Valid(text) {
		return fields, 0, errors.New("it is no UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	fail := func(err error) ([]field, int64, error) {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = errors.New("it is cut off")
		}
		return fields, d.InputOffset(), err
	}
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return fail(cmpError(err, "it does not begin with {"))
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return fail(err)
		}
		name, _ := key.(string) // the decoder lets nothing else be a key
		var value any
		if err := d.Decode(&value); err != nil {
			return fail(err)
		}
		if name == "" || slices.ContainsFunc(fields, func(f field) bool { return f.name == name }) {
			return fail(fmt.Errorf("the key %q is empty or there twice", name))
		}
		fields = append(fields, field{name, value})
	}
	if _, err := d.Token(); err != nil {
		return fail(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fail(errors.New("something follows the object"))
	}
	return fields, 0, nil
}

// cmpError is err, or what is said instead if there is none.
func cmpError(err error, otherwise string) error {
	if err != nil {
		return err
	}
	return errors.New(otherwise)
}
