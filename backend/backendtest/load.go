package backendtest

import (
	"cmp"
	"context"
	"errors"
	"reflect"
	"slices"
	"sync"
	"testing"

	"forebay/backend"
)

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func (f Fixture) load(t *testing.T, q *backend.Select, where, in []any) []result {
	t.Helper()
	got, err := load(f.context(t), f.Source, q, where, in)
	if err != nil {
		t.Fatalf("load: %v", err)
	}
	slices.SortStableFunc(got, func(a, b result) int { return cmp.Compare(a.I, b.I) })
	return got
}

func loadsOne(t *testing.T, f Fixture) {
	q := f.one(t)
	for _, r := range f.Rows {
		equal(t, r.String(), f.load(t, q, append(r.key(), r.Idx), nil), []result{{0, r.row()}})
	}
}

func absentOne(t *testing.T, f Fixture) {
	r := f.Rows[0]
	for name, where := range map[string][]any{
		"idx":     append(r.key(), int64(AbsentIdx)),
		"shard":   {r.Dataset, r.Split, int64(AbsentIdx), r.Idx},
		"dataset": {"no such dataset", r.Split, r.Shard, r.Idx},
	} {
		equal(t, "absent "+name, len(f.load(t, f.one(t), where, nil)), 0)
	}
}

func loadsMany(t *testing.T, f Fixture) {
	rows := f.partition()
	slices.Reverse(rows) // the order asked for is not the order stored
	var in []any
	var want []result
	for i, r := range rows {
		in = append(in, r.Idx)
		want = append(want, result{i, r.row()})
	}
	equal(t, "rows", f.load(t, f.many(t), rows[0].key(), in), want)
}

func absentAmongMany(t *testing.T, f Fixture) {
	rows := f.partition()
	in := []any{int64(AbsentIdx), rows[1].Idx, int64(AbsentIdx + 1), rows[0].Idx}
	equal(t, "rows", f.load(t, f.many(t), rows[0].key(), in), []result{{1, rows[1].row()}, {3, rows[0].row()}})
	equal(t, "all absent", len(f.load(t, f.many(t), rows[0].key(), []any{int64(AbsentIdx)})), 0)
}

func duplicates(t *testing.T, f Fixture) {
	r := f.partition()[2]
	got := f.load(t, f.many(t), r.key(), []any{r.Idx, int64(AbsentIdx), r.Idx})
	equal(t, "rows", got, []result{{0, r.row()}, {2, r.row()}})
	if len(got) == 2 && len(r.Data) > 0 {
		got[0].Row[0].([]byte)[0]++
		equal(t, "the other copy", got[1].Row[0], any(r.Data))
	}
}

func none(t *testing.T, f Fixture) {
	equal(t, "rows", len(f.load(t, f.many(t), f.Rows[0].key(), []any{})), 0)
}

func partition(t *testing.T, f Fixture) {
	q := &backend.Select{Table: f.table(t), Columns: []string{"idx", "data"}, Where: partitionKey(), RowBytes: 80}
	found := map[int64][]byte{}
	for _, r := range f.load(t, q, f.Rows[0].key(), nil) {
		equal(t, "index", r.I, 0)
		found[r.Row[0].(int64)] = r.Row[1].([]byte)
	}
	for _, r := range f.partition() {
		equal(t, r.String(), found[r.Idx], r.Data)
	}
}

func partitionFrom(t *testing.T, f Fixture) {
	q := &backend.Select{Table: f.table(t), Columns: []string{"idx"}, Where: partitionKey(), From: "idx"}
	least := f.partition()[1].Idx
	want := map[int64]bool{}
	for _, r := range f.partition() {
		want[r.Idx] = r.Idx >= least
	}
	found := map[int64]bool{}
	for _, r := range f.load(t, q, append(f.Rows[0].key(), least), nil) {
		idx := r.Row[0].(int64)
		found[idx] = true
		if idx < least {
			t.Errorf("row %d, which comes before %d", idx, least)
		}
	}
	for idx, is := range want {
		if found[idx] != is {
			t.Errorf("row %d: found %t, want %t", idx, found[idx], is)
		}
	}
}

func impossible(t *testing.T, f Fixture) {
	r := f.Rows[0]
	for name, where := range map[string][]any{
		"idx":       append(r.key(), int64(1)<<62),
		"negative":  append(r.key(), int64(-1)<<62),
		"not UTF-8": {"\xff\xfe", r.Split, r.Shard, r.Idx},
	} {
		equal(t, name, len(f.load(t, f.one(t), where, nil)), 0)
	}
	got := f.load(t, f.many(t), r.key(), []any{int64(1) << 62, r.Idx})
	equal(t, "among others", got, []result{{1, r.row()}})
}

func owned(t *testing.T, f Fixture) {
	rows := f.partition()
	var in []any
	for _, r := range rows {
		in = append(in, r.Idx)
	}
	for _, got := range f.load(t, f.many(t), rows[0].key(), in) {
		data := got.Row[0].([]byte)
		for i := range data {
			data[i] ^= 0xff
		}
		_ = append(data, 0xee, 0xee, 0xee, 0xee)
	}
	again := f.load(t, f.many(t), rows[0].key(), in)
	equal(t, "rows", len(again), len(rows))
	for _, got := range again {
		equal(t, rows[got.I].String(), got.Row, rows[got.I].row())
	}
}

func ordered(t *testing.T, f Fixture) {
	r := f.partition()[1]
	q := &backend.Select{
		Table: f.table(t), Columns: []string{"crc32c", "idx", "split", "data"}, Where: partitionKey(), In: "idx", MaxRows: 64,
	}
	equal(t, "row", f.load(t, q, r.key(), []any{r.Idx}), []result{{0, backend.Row{r.CRC32C, r.Idx, r.Split, r.Data}}})
}

func stops(t *testing.T, f Fixture) {
	rows := f.partition()
	wrong := errors.New("the receiver has enough")
	calls := 0
	err := f.Source.Load(f.context(t), f.many(t), rows[0].key(), []any{rows[0].Idx, rows[1].Idx}, func(int, backend.Row) error {
		calls++
		return wrong
	})
	if !errors.Is(err, wrong) || calls != 1 {
		t.Errorf("load gives %v after %d calls, want the receiver's error after one", err, calls)
	}
}

func cancelled(t *testing.T, f Fixture) {
	ctx, cancel := context.WithCancel(f.context(t))
	q := f.one(t)
	cancel()
	got, err := load(ctx, f.Source, q, append(f.Rows[0].key(), f.Rows[0].Idx), nil)
	if !errors.Is(err, backend.ErrSourceTimeout) || len(got) != 0 {
		t.Errorf("load gives %d rows and %v, want ErrSourceTimeout", len(got), err)
	}
}

func concurrent(t *testing.T, f Fixture) {
	q, ctx := f.one(t), f.context(t)
	var wg sync.WaitGroup
	for _, r := range f.Rows {
		for range 4 {
			wg.Go(func() {
				got, err := load(ctx, f.Source, q, append(r.key(), r.Idx), nil)
				if err != nil || !reflect.DeepEqual(got, []result{{0, r.row()}}) {
					t.Errorf("%s: got %v and %v", r, got, err)
				}
			})
		}
	}
	wg.Wait()
}

func cql(t *testing.T, f Fixture) {
	r := f.partition()[1]
	table := f.table(t)
	q := &backend.Select{
		CQL: `SELECT data, label FROM ` + table.Keyspace + "." + table.Name +
			` WHERE dataset = :d AND split = :s AND shard = :shard AND idx = :i`,
		Where: []string{"i", "d", "s", "shard"}, MaxRows: 1,
	}
	if !f.CQL {
		if _, err := f.Source.Prepare(f.context(t), q); err == nil {
			t.Error("prepare takes cql, want an error")
		}
		return
	}
	where := []any{r.Idx, r.Dataset, r.Split, r.Shard}
	equal(t, "row", f.load(t, q, where, nil), []result{{0, backend.Row{r.Data, r.Label}}})

	named := *q
	named.Columns = []string{"label", "data"}
	equal(t, "named columns", f.load(t, &named, where, nil), []result{{0, backend.Row{r.Label, r.Data}}})

	for name, text := range map[string]string{
		"write":          "DELETE FROM " + table.Keyspace + "." + table.Name + " WHERE dataset = :d",
		"unnamed marker": "SELECT data FROM " + table.Name + " WHERE dataset = ?",
		"syntax error":   "SELECT FROM WHERE dataset = :d",
	} {
		bad := &backend.Select{CQL: text, Where: []string{"d"}}
		if _, err := f.Source.Prepare(f.context(t), bad); !errors.Is(err, backend.ErrSourceInvalid) {
			t.Errorf("prepare of a %s gives %v, want ErrSourceInvalid", name, err)
		}
	}
}
