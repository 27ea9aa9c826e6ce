package embedded_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"io"
	"reflect"
	"strings"
	"testing"

	"forebay/backend"
	"forebay/backend/embedded"
	"forebay/examples/digits"
)

// firstTrain is what scikit-learn's load_digits().images[0] holds, a zero.
const firstTrain = "0000050d0901000000000d0f0a0f050000030f02000b080000040c0000080800000508000009080000040b00010c070000020e050a0c00000000060d0a000000"

func openDigits(t *testing.T) (*embedded.Digits, *backend.Table) {
	t.Helper()
	d, err := embedded.NewDigits()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	table, err := d.Table(t.Context(), "samples")
	if err != nil {
		t.Fatal(err)
	}
	return d, table
}

func TestDigitsTable(t *testing.T) {
	d, table := openDigits(t)
	names := func(cols []backend.Column) (out []string) {
		for _, c := range cols {
			out = append(out, c.Name+" "+c.Type.String())
		}
		return out
	}
	got := [][]string{names(table.Partition), names(table.Clustering), names(table.Regular)}
	want := [][]string{
		{"dataset text", "split text", "shard int"},
		{"idx int"},
		{"data blob", "label int", "crc32c int"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("columns are %v, want %v", got, want)
	}
	if qualified, err := d.Table(t.Context(), "digits.samples"); err != nil || qualified != table {
		t.Errorf("digits.samples: %v, %v", qualified, err)
	}
	if _, err := d.Table(t.Context(), "nothing"); !errors.Is(err, backend.ErrNoTable) {
		t.Errorf("unknown table: %v, want ErrNoTable", err)
	}
}

func TestDigitsLoad(t *testing.T) {
	d, table := openDigits(t)
	partition := []string{"dataset", "split", "shard"}
	at := func(split string, shard int64) []any { return []any{"digits", split, shard} }
	tests := map[string]struct {
		where []string
		in    string
		bound []any
		list  []any
		want  map[int]int64 // index of the row in the list: its idx
		rows  int
	}{
		"a row":                         {append(partition[:3:3], "idx"), "", append(at("train", 0), int64(7)), nil, map[int]int64{0: 7}, 1},
		"a row of the second shard":     {append(partition[:3:3], "idx"), "", append(at("train", 1), int64(1436)), nil, map[int]int64{0: 1436}, 1},
		"a row in the wrong shard":      {append(partition[:3:3], "idx"), "", append(at("train", 0), int64(1024)), nil, nil, 0},
		"a row past the end":            {append(partition[:3:3], "idx"), "", append(at("train", 1), int64(1437)), nil, nil, 0},
		"a negative row":                {append(partition[:3:3], "idx"), "", append(at("train", 0), int64(-1)), nil, nil, 0},
		"a negative shard":              {append(partition[:3:3], "idx"), "", append(at("train", -1), int64(0)), nil, nil, 0},
		"a shard that would overflow":   {append(partition[:3:3], "idx"), "", append(at("train", 1<<60), int64(0)), nil, nil, 0},
		"an unknown split":              {append(partition[:3:3], "idx"), "", append(at("valid", 0), int64(0)), nil, nil, 0},
		"another data set":              {append(partition[:3:3], "idx"), "", []any{"mnist", "train", int64(0), int64(0)}, nil, nil, 0},
		"columns in another order":      {[]string{"idx", "shard", "split", "dataset"}, "", []any{int64(3), int64(0), "test", "digits"}, nil, map[int]int64{0: 3}, 1},
		"a list":                        {partition, "idx", at("train", 0), []any{int64(9), int64(2000), int64(4)}, map[int]int64{0: 9, 2: 4}, 2},
		"a list that names a row twice": {partition, "idx", at("test", 0), []any{int64(1), int64(1)}, map[int]int64{0: 1, 1: 1}, 2},
		"an empty list":                 {partition, "idx", at("test", 0), nil, nil, 0},
		"a partition":                   {partition, "", at("train", 1), nil, nil, 413},
		"the partition of a split":      {partition, "", at("test", 0), nil, nil, 360},
		"a partition past the end":      {partition, "", at("test", 1), nil, nil, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			q := &backend.Select{Table: table, Columns: []string{"idx", "data", "crc32c"}, Where: tt.where, In: tt.in}
			if _, err := d.Prepare(t.Context(), q); err != nil {
				t.Fatal(err)
			}
			rows := 0
			got := map[int]int64{}
			err := d.Load(t.Context(), q, tt.bound, tt.list, func(i int, row backend.Row) error {
				rows++
				got[i] = row[0].(int64)
				if crc := crc32.Checksum(row[1].([]byte), crc32.MakeTable(crc32.Castagnoli)); int64(crc) != row[2].(int64) {
					t.Errorf("row %v: checksum %v, want %v", row[0], row[2], crc)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if rows != tt.rows {
				t.Errorf("%d rows, want %d", rows, tt.rows)
			}
			if tt.want != nil && !reflect.DeepEqual(got, tt.want) {
				t.Errorf("rows %v, want %v", got, tt.want)
			}
		})
	}
}

func TestDigitsRowIsThatOfTheDataSetAndTheCallersOwn(t *testing.T) {
	d, table := openDigits(t)
	q := &backend.Select{
		Table: table, Columns: []string{"label", "data", "dataset", "split", "shard", "idx"},
		Where: []string{"dataset", "split", "shard", "idx"},
	}
	cols, err := d.Prepare(t.Context(), q)
	if err != nil || len(cols) != 6 || cols[0].Type != backend.Int || cols[1].Type != backend.Blob {
		t.Fatalf("columns are %v, %v", cols, err)
	}
	for range 2 {
		err = d.Load(t.Context(), q, []any{"digits", "train", int64(0), int64(0)}, nil, func(_ int, row backend.Row) error {
			data := row[1].([]byte)
			if got := hex.EncodeToString(data); got != firstTrain {
				t.Errorf("pixels are %s, want %s", got, firstTrain)
			}
			if row[0] != int64(0) || row[2] != "digits" || row[3] != "train" || row[4] != int64(0) || row[5] != int64(0) {
				t.Errorf("row is %v", row)
			}
			clear(data) // must not reach the source's own copy
			data[0] = 255
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestDigitsRefusesASelectItCannotRun(t *testing.T) {
	d, table := openDigits(t)
	key := []string{"dataset", "split", "shard"}
	tests := map[string]struct {
		q    backend.Select
		want []string
	}{
		"cql":              {backend.Select{CQL: "SELECT data FROM samples"}, []string{"cannot run cql", "table, where and value"}},
		"no table":         {backend.Select{Columns: []string{"data"}, Where: key}, []string{"the tables samples, objects and chunks"}},
		"another keyspace": {backend.Select{Table: &backend.Table{Keyspace: "ml", Name: "samples"}, Columns: []string{"data"}, Where: key}, []string{"the tables samples"}},
		"unknown column":   {backend.Select{Table: table, Columns: []string{"pixels"}, Where: key}, []string{`no column "pixels"`, "label"}},
		"no column":        {backend.Select{Table: table, Where: key}, []string{"no column is asked for"}},
		"half a key":       {backend.Select{Table: table, Columns: []string{"data"}, Where: key[:1]}, []string{`lacks "split"`, `lacks "shard"`}},
		"a scan":           {backend.Select{Table: table, Columns: []string{"data"}}, []string{`lacks "dataset"`}},
		"not a key column": {backend.Select{Table: table, Columns: []string{"data"}, Where: append(key[:3:3], "label")}, []string{`"label" is not part of the primary key`}},
		"given twice":      {backend.Select{Table: table, Columns: []string{"data"}, Where: append(key[:3:3], "idx"), In: "idx"}, []string{`"idx" is given twice`}},
		"in over the partition": {
			backend.Select{Table: table, Columns: []string{"data"}, Where: key[:2], In: "shard"},
			[]string{`lacks "shard"`},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := d.Prepare(t.Context(), &tt.q)
			if !errors.Is(err, backend.ErrSourceInvalid) {
				t.Fatalf("prepare: %v, want ErrSourceInvalid", err)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q lacks %q", err, want)
				}
			}
			err = d.Load(t.Context(), &tt.q, nil, nil, func(int, backend.Row) error { return nil })
			if !errors.Is(err, backend.ErrSourceInvalid) {
				t.Errorf("load: %v, want ErrSourceInvalid", err)
			}
		})
	}
}

func TestDigitsLoadErrors(t *testing.T) {
	d, table := openDigits(t)
	q := &backend.Select{Table: table, Columns: []string{"data"}, Where: []string{"dataset", "split", "shard"}, In: "idx"}
	where := []any{"digits", "train", int64(0)}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	stop := errors.New("stop")
	closed, _ := openDigits(t)
	closed.Close()
	tests := map[string]struct {
		d     *embedded.Digits
		ctx   context.Context
		where []any
		in    []any
		want  error
	}{
		"an int for a text":    {d, t.Context(), []any{int64(1), "train", int64(0)}, []any{int64(0)}, backend.ErrSourceInvalid},
		"a text in the list":   {d, t.Context(), where, []any{"0"}, backend.ErrSourceInvalid},
		"too few values":       {d, t.Context(), where[:2], []any{int64(0)}, backend.ErrSourceInvalid},
		"the callback's error": {d, t.Context(), where, []any{int64(0)}, stop},
		"a cancelled caller":   {d, ended, where, []any{int64(0)}, backend.ErrSourceTimeout},
		"after close":          {closed, t.Context(), where, []any{int64(0)}, backend.ErrSourceDown},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := tt.d.Load(tt.ctx, q, tt.where, tt.in, func(int, backend.Row) error { return stop })
			if !errors.Is(err, tt.want) {
				t.Errorf("error is %v, want %v", err, tt.want)
			}
		})
	}
	if err := closed.Ping(t.Context()); !errors.Is(err, backend.ErrSourceDown) {
		t.Errorf("ping after close: %v", err)
	}
	if err := d.Ping(t.Context()); err != nil {
		t.Errorf("ping: %v", err)
	}
}

// unzipSplit returns the raw elements of a split's images and labels: the end of each member, after the header.
func unzipSplit(t *testing.T, name string) (images, labels []byte) {
	t.Helper()
	npz, err := digits.NPZ(name)
	if err != nil {
		t.Fatal(err)
	}
	archive, err := zip.NewReader(bytes.NewReader(npz), int64(len(npz)))
	if err != nil {
		t.Fatal(err)
	}
	samples := map[string]int{"train": 1437, "test": 360}[name]
	last := func(member string, bytes int) []byte {
		f, err := archive.Open(member)
		if err != nil {
			t.Fatal(err)
		}
		all, err := io.ReadAll(f)
		if err != nil {
			t.Fatal(err)
		}
		return all[len(all)-samples*bytes:]
	}
	return last("images.npy", 64), last("labels.npy", 8)
}
