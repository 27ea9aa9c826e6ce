package embedded_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"testing"

	"forebay/backend"
	"forebay/backend/embedded"
	"forebay/examples/digits"
	"forebay/internal/route"
)

// file is one of an NPZ's.
func file(t *testing.T, split, name string) []byte {
	t.Helper()
	npz, err := digits.NPZ(split)
	if err != nil {
		t.Fatal(err)
	}
	archive, err := zip.NewReader(bytes.NewReader(npz), int64(len(npz)))
	if err != nil {
		t.Fatal(err)
	}
	f, err := archive.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The arrays are objects: header, chunk and checksum agree, and are the files of the archives.
func TestDefaultRoutesGiveWholeArrays(t *testing.T) {
	d, _ := openDigits(t)
	table, err := route.Compile(embedded.DefaultRoutes())
	if err == nil {
		err = table.Bind(t.Context(), d)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, split := range []string{"train", "test"} {
		for _, array := range []string{"images", "labels"} {
			key := []byte("digits:" + split + ":" + array)
			var m route.Match
			if !table.Match(0, key, &m) || !m.Route.IsObject() {
				t.Fatalf("%s has no route to an object", key)
			}
			l := m.Route.Lookup(&m, key)
			var o backend.Object
			err := d.Load(t.Context(), l.Select, l.Where, nil, func(_ int, row backend.Row) (err error) {
				o, _, err = m.Route.Object(row)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			assembly, got := o.Assembly(), []byte(nil)
			for _, r := range o.Ranges() {
				sel, where := l.ChunkQuery(r.Version)
				err = d.Load(t.Context(), sel, where, []any{int64(0), int64(1)}, func(i int, row backend.Row) error {
					got = append(got, row[0].([]byte)...)
					return assembly.Add(int64(i), row[0].([]byte))
				})
			}
			if err = errors.Join(err, assembly.End()); err != nil || !bytes.Equal(got, file(t, split, array+".npy")) {
				t.Errorf("%s: %d bytes, %v", key, len(got), err)
			}
		}
	}
	for _, key := range []string{"digits:valid:images", "digits:train:pixels"} {
		var m route.Match
		if table.Match(0, []byte(key), &m) {
			t.Errorf("%s has a route", key)
		}
	}
}

func TestQueriesForArrays(t *testing.T) {
	d, _ := openDigits(t)
	objects, err := d.Table(t.Context(), "objects")
	if err != nil {
		t.Fatal(err)
	}
	chunks, err := d.Table(t.Context(), "digits.chunks")
	if err != nil {
		t.Fatal(err)
	}
	header := backend.Select{Table: objects, Columns: []string{"dataset", "name", "bytes"}, Where: []string{"dataset", "name"}}
	chunk := backend.Select{Table: chunks, Columns: []string{"name", "version", "chunk"}, Where: []string{"dataset", "name", "version", "chunk"}}
	for name, tt := range map[string]struct {
		query backend.Select
		where []any
		rows  int
		bad   bool
	}{
		"a row":             {header, []any{"digits", "train-images"}, 1, false},
		"another dataset":   {header, []any{"mnist", "train-images"}, 0, false},
		"another name":      {header, []any{"digits", "images"}, 0, false},
		"a number":          {header, []any{"digits", int64(1)}, 0, true},
		"too few values":    {header, []any{"digits"}, 0, true},
		"the chunk":         {chunk, []any{"digits", "train-images", "1", int64(0)}, 1, false},
		"the next chunk":    {chunk, []any{"digits", "train-images", "1", int64(1)}, 0, false},
		"another version":   {chunk, []any{"digits", "train-images", "2", int64(0)}, 0, false},
		"a chunk of text":   {chunk, []any{"digits", "train-images", "1", "0"}, 0, true},
		"no such column":    {backend.Select{Table: objects, Columns: []string{"data"}, Where: header.Where}, []any{"digits", "x"}, 0, true},
		"half the key":      {backend.Select{Table: chunks, Columns: []string{"data"}, Where: header.Where}, []any{"digits", "x"}, 0, true},
		"a list of columns": {backend.Select{Table: chunks, Where: chunk.Where}, []any{"digits", "train-images", "1", int64(0)}, 0, true},
	} {
		rows := 0
		err := d.Load(t.Context(), &tt.query, tt.where, nil, func(int, backend.Row) error { rows++; return nil })
		if rows != tt.rows || tt.bad != errors.Is(err, backend.ErrSourceInvalid) || !tt.bad && err != nil {
			t.Errorf("%s: %d rows, %v", name, rows, err)
		}
	}
}
