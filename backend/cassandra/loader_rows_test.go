package cassandra_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"forebay/backend"
	"forebay/backend/cassandra"
	"forebay/internal/testkit"
)

// given are rows of values.
type given struct {
	columns []string
	rows    [][]any
}

func (g given) Len() int          { return len(g.rows) }
func (g given) Columns() []string { return g.columns }

func (g given) Each(_ context.Context, yield func([]any) error) error {
	for i, r := range g.rows {
		if err := yield(r); err != nil {
			return fmt.Errorf("line %d: %w", i, err)
		}
	}
	return nil
}

const kindsTable = `CREATE TABLE kinds (p text, c int, ti tinyint, si smallint, bi bigint, vi varint, f float, d double, b boolean,
	bl blob, u uuid, tu timeuuid, ts timestamp, da date, a ascii, l list<int>, s set<text>, v vector<float, 2>, fl frozen<list<double>>,
	PRIMARY KEY (p, c))`

func TestRows(t *testing.T) {
	server := testkit.Cassandra(t)
	keyspace := testkit.Keyspace(t, server.Addr)
	session := testkit.Session(t, server.Addr, keyspace)
	exec(t, session, kindsTable)
	var last cassandra.Progress
	options := cassandra.LoaderOptions{
		Options:  cassandra.Options{Hosts: []string{server.Addr}, Keyspace: keyspace},
		NoTables: true, Resume: true,
		Progress: func(p cassandra.Progress) { last = p },
	}
	l := openLoader(t, options)
	number := func(s string) any { return json.Number(s) }
	rows := given{
		columns: []string{"c", "p", "ti", "si", "bi", "vi", "f", "d", "b", "bl", "u", "tu", "ts", "da", "a", "l", "s", "v", "fl"},
		rows: [][]any{
			{
				"1", "text", "-128", "32767", "9223372036854775807", "123456789012345678901234567890", "1.5", "0.1", "true", "0x00ff",
				"6ba7b810-9dad-11d1-80b4-00c04fd430c8", "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "2026-11-23T17:00:00.123Z", "2026-11-23", "ascii",
				"[3, 1, 2]", `["z", "a", "z"]`, "[0.5, 1]", "[]",
			},
			{
				number("2"), "json", number("1"), number("2"), number("3"), number("4"), number("1e3"), number("5"), false, "0x",
				nil, nil, number("1700000000123"), nil, "",
				[]any{number("1")},
				[]any{"b", "a"},
				[]any{number("1"), number("2")},
				[]any{number("0.25")},
			},
			{"3", "null", nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, "[]", "[]", nil, nil},
			{"4", "unset", cassandra.Unset{}, cassandra.Unset{}, cassandra.Unset{}, cassandra.Unset{}, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil},
		},
	}
	table := cassandra.RowTable{Name: keyspace + ".kinds"}
	for _, skipped := range []int{0, 4} {
		if err := l.LoadRows(t.Context(), table, rows); err != nil {
			t.Fatalf("load rows: %v", err)
		}
		if last.Done != 4 || last.Skipped != skipped {
			t.Errorf("progress %+v, want %d skipped", last, skipped)
		}
		if err := l.VerifyRows(t.Context(), table, rows); err != nil {
			t.Errorf("verify: %v", err)
		}
	}
	var text string
	if err := session.Query(`SELECT JSON vi, f, ts, da, l, s, v FROM kinds WHERE p='text' AND c=1`).Scan(&text); err != nil ||
		text != `{"vi": 123456789012345678901234567890, "f": 1.5, "ts": "2026-11-23 17:00:00.123Z", "da": "2026-11-23", "l": [3, 1, 2], "s": ["a", "z"], "v": [0.5, 1.0]}` {
		t.Errorf("stored is %s (%v)", text, err)
	}
	for _, test := range []struct{ cql, says string }{
		{`UPDATE kinds SET d = 0.2, a = 'x' WHERE p='text' AND c=1`, "row 0 differs in d, a; 1 of 4 rows differ"},
		{`UPDATE kinds SET bl = null WHERE p='json' AND c=2`, "row 1 differs in bl; 1 of 4"},
		{`UPDATE kinds SET l = [2, 1] WHERE p='null' AND c=3`, "row 2 differs in l; 1 of 4"},
		{`DELETE FROM kinds WHERE p='null' AND c=3`, "row 2 is missing; 1 of 4"},
	} {
		exec(t, session, test.cql)
		if err := l.VerifyRows(t.Context(), table, rows); !errors.Is(err, cassandra.ErrDamaged) || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: verify gives %v, want %q", test.cql, err, test.says)
		}
		if err := l.LoadRows(t.Context(), table, rows); err != nil || last.Skipped != 3 {
			t.Errorf("%s: loaded again: %v, %+v", test.cql, err, last)
		}
	}
	exec(t, session, `UPDATE kinds SET bi = 7 WHERE p='unset' AND c=4`)
	if err := l.VerifyRows(t.Context(), table, rows); err != nil {
		t.Errorf("a column of which a row says nothing is compared: %v", err)
	}
}

// Nothing is written of rows one of which does not fit.
func TestRowsAreChecked(t *testing.T) {
	server := testkit.Cassandra(t)
	keyspace := testkit.Keyspace(t, server.Addr)
	session := testkit.Session(t, server.Addr, keyspace)
	exec(t, session, kindsTable)
	exec(t, session, `CREATE TABLE counts (p text PRIMARY KEY, n counter)`)
	l := openLoader(t, cassandra.LoaderOptions{Options: cassandra.Options{Hosts: []string{server.Addr}, Keyspace: keyspace}, NoTables: true})
	for name, test := range map[string]struct {
		table  string
		column string
		value  any
		says   string
	}{
		"no table":           {"none", "d", "1", "the keyspace " + keyspace + " has counts, kinds"},
		"no keyspace":        {"nowhere.none", "d", "1", "missing or empty"},
		"no column":          {"kinds", "D", "1", `no column "D", but p text, c int`},
		"no key":             {"kinds", "", nil, `no column "c", which is part of the primary key`},
		"a counter":          {"counts", "n", "1", "counter, which cannot be written"},
		"int too large":      {"kinds", "ti", "128", `line 1: column ti: "128" does not fit tinyint`},
		"int is a text":      {"kinds", "bi", "x", `"x" is no bigint`},
		"int is a fraction":  {"kinds", "bi", json.Number("1.5"), `"1.5" is no bigint`},
		"int is a boolean":   {"kinds", "bi", true, "a JSON boolean is no bigint"},
		"float too large":    {"kinds", "f", "1e39", "does not fit float"},
		"boolean is a text":  {"kinds", "b", "yes", "is no boolean"},
		"blob is a text":     {"kinds", "bl", "zz", "0x and hexadecimal"},
		"uuid cut off":       {"kinds", "u", "6ba7b810-9dad", "is no uuid"},
		"random timeuuid":    {"kinds", "tu", "f47ac10b-58cc-4372-a567-0e02b2c3d479", "is no timeuuid"},
		"timestamp is a day": {"kinds", "ts", "2026-11-23", "2006-01-02T15:04:05Z"},
		"no date":            {"kinds", "da", "2026-02-30", "is no date"},
		"no ascii":           {"kinds", "a", "ä", "not ASCII"},
		"no UTF-8":           {"kinds", "s", []any{"\xff"}, "no UTF-8"},
		"a list cut off":     {"kinds", "l", "[1,", "JSON array"},
		"a list with more":   {"kinds", "l", "[1] 2", "JSON array"},
		"an element":         {"kinds", "l", "[1, 2.5]", `element 1: "2.5" is no int`},
		"a null element":     {"kinds", "l", "[null]", "null is no int"},
		"a short vector":     {"kinds", "v", "[1]", "a list of 1 is no vector<float, 2>"},
		"an object":          {"kinds", "d", map[string]any{}, "a JSON object is no double"},
		"too large":          {"kinds", "bl", "0x" + strings.Repeat("00", cassandra.MaxSampleBytes), "Cassandra takes at most"},
	} {
		rows := given{[]string{"p", "c", test.column}, [][]any{{"p", "1", nil}, {"p", "2", test.value}}}
		if test.table == "counts" {
			rows = given{[]string{"p", test.column}, [][]any{{"p", nil}}}
		}
		if test.column == "" {
			rows = given{[]string{"p"}, [][]any{{"p"}}}
		}
		err := l.LoadRows(t.Context(), cassandra.RowTable{Name: test.table}, rows)
		if err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v, want %q", name, err, test.says)
		}
	}
	for says, rows := range map[string]given{
		"line 2: its primary key is that of a row before it": {[]string{"p", "c"}, [][]any{{"p", "1"}, {"p", "2"}, {"p", "1"}}},
		"line 1: column c is part of the primary key":        {[]string{"p", "c"}, [][]any{{"p", "1"}, {"p", nil}}},
		"column p is part of the primary key":                {[]string{"p", "c"}, [][]any{{"", "1"}}},
	} {
		if err := l.LoadRows(t.Context(), cassandra.RowTable{Name: "kinds"}, rows); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %q", err, says)
		}
	}
	n := 0
	if err := session.Query(`SELECT count(*) FROM kinds`).Scan(&n); err != nil || n != 0 {
		t.Errorf("%d rows were written (%v)", n, err)
	}
}

func TestRowsCreateTheirTable(t *testing.T) {
	server := testkit.Cassandra(t)
	keyspace := testkit.Keyspace(t, server.Addr)
	l := openLoader(t, cassandra.LoaderOptions{Options: cassandra.Options{Hosts: []string{server.Addr}, Keyspace: keyspace}, NoTables: true})
	columns := []backend.Column{{Name: "Odd name", Native: "bigint"}, {Name: "b", Native: "text"}, {Name: "c", Native: "list<double>"}, {Name: "d", Native: "boolean"}}
	rows := given{[]string{"Odd name", "b", "c", "d"}, [][]any{{"1", "x", "[1, 2.5]", "true"}, {"2", "x", nil, nil}}}
	create := func(partition, clustering []string, rows given) error {
		return l.LoadRows(t.Context(), cassandra.RowTable{Name: "made", Create: true, Columns: columns, Partition: partition, Clustering: clustering}, rows)
	}
	if err := create([]string{"b"}, []string{"none"}, rows); err == nil || !strings.Contains(err.Error(), `no column "none"`) {
		t.Errorf("a key without a column: %v", err)
	}
	if err := create([]string{"c"}, nil, rows); err == nil || !strings.Contains(err.Error(), "cannot be part of a key") {
		t.Errorf("a key of a list: %v", err)
	}
	broken := given{rows.columns, [][]any{{"1", "x", "[1, 2.5]", "maybe"}}}
	if err := create([]string{"b"}, []string{"Odd name"}, broken); err == nil || !strings.Contains(err.Error(), "no boolean") {
		t.Errorf("a row that does not fit: %v", err)
	}
	src := open(t, server.Addr, keyspace)
	if _, err := src.Table(t.Context(), "made"); !errors.Is(err, backend.ErrNoTable) {
		t.Errorf("the table was made for rows that do not fit: %v", err)
	}
	for range 2 { // it is there the second time
		if err := create([]string{"b", "d"}, []string{"Odd name"}, given{rows.columns, rows.rows[:1]}); err != nil {
			t.Fatalf("create: %v", err)
		}
	}
	table, err := src.Table(t.Context(), "made")
	if err != nil || len(table.Partition) != 2 || table.Clustering[0].Name != "Odd name" {
		t.Errorf("made %+v, %v", table, err)
	}
}
