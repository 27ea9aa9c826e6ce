package cassandra

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

func TestPositional(t *testing.T) {
	for name, test := range map[string]struct {
		cql, text string
		names     []string
		wrong     string
	}{
		"markers":          {"SELECT a FROM t WHERE b=:b AND c = :c_1", "SELECT a FROM t WHERE b=? AND c = ?", []string{"b", "c_1"}, ""},
		"a marker twice":   {"select a from t where b=:b and c=:b;", "select a from t where b=? and c=?;", []string{"b", "b"}, ""},
		"quoted":           {`SELECT ":x", 'it''s :y' FROM t WHERE b=:b`, `SELECT ":x", 'it''s :y' FROM t WHERE b=?`, []string{"b"}, ""},
		"dollars":          {"SELECT a FROM t WHERE b=$$ :x ' $$ AND c=:c", "SELECT a FROM t WHERE b=$$ :x ' $$ AND c=?", []string{"c"}, ""},
		"comments":         {"-- :x\nSELECT a /* :y */ FROM t // :z", "-- :x\nSELECT a /* :y */ FROM t // :z", nil, ""},
		"no marker":        {"SELECT a FROM t WHERE b=1", "SELECT a FROM t WHERE b=1", nil, ""},
		"question mark":    {"SELECT a FROM t WHERE b=?", "", nil, "name the markers"},
		"write":            {"INSERT INTO t (a) VALUES (:a)", "", nil, "only SELECT"},
		"hidden write":     {"/* SELECT */ DELETE FROM t WHERE a=:a", "", nil, "only SELECT"},
		"two statements":   {"SELECT a FROM t; TRUNCATE t", "", nil, "one statement"},
		"unclosed quote":   {"SELECT 'a", "", nil, "not closed"},
		"unclosed comment": {"SELECT a /* b", "", nil, "not closed"},
		"nothing":          {"", "", nil, "only SELECT"},
	} {
		t.Run(name, func(t *testing.T) {
			text, names, err := positional(test.cql)
			if test.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), test.wrong) {
					t.Errorf("gives %v, want %q", err, test.wrong)
				}
				return
			}
			if err != nil || text != test.text || !slices.Equal(names, test.names) {
				t.Errorf("gives %q %v %v, want %q %v", text, names, err, test.text, test.names)
			}
		})
	}
}

func FuzzPositional(f *testing.F) {
	f.Add("SELECT a FROM t WHERE b=:b AND c = ':x' -- :y")
	f.Add(`SELECT "a""b" FROM t WHERE b=:b /* :x */ $$ :y $$`)
	f.Fuzz(func(t *testing.T, cql string) {
		text, names, err := positional(cql)
		if err != nil {
			return
		}
		if strings.Count(text, "?") < len(names) {
			t.Errorf("%q has %d names, and fewer markers in %q", cql, len(names), text)
		}
		bytesOfNames := 0
		for _, n := range names {
			bytesOfNames += len(n)
		}
		if len(text)+bytesOfNames != len(cql) {
			t.Errorf("%q became %q with %v", cql, text, names)
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x01\x00\x00\x00\x04\x00\x00\x00\x07"))
	f.Add([]byte("\x01x\x02yz"))
	f.Add(bytes.Repeat([]byte{0xff}, 20))
	native := func(t gocql.Type) gocql.TypeInfo { return gocql.NewNativeType(4, t, "") }
	types := []gocql.TypeInfo{
		native(gocql.TypeInt), native(gocql.TypeVarint), native(gocql.TypeTinyInt), native(gocql.TypeTimestamp), native(gocql.TypeUUID),
		gocql.VectorType{SubType: native(gocql.TypeFloat), Dimensions: 3},
		gocql.VectorType{SubType: native(gocql.TypeText), Dimensions: 2},
		gocql.VectorType{SubType: native(gocql.TypeSmallInt), Dimensions: 1 << 30},
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, info := range types {
			_, _ = decode(info, data, false)
			_, _ = decodeList(info, data)
		}
	})
}

func TestVariableLengthIntegers(t *testing.T) {
	for _, test := range []struct {
		in   string
		v    uint64
		used int
	}{
		{"\x00", 0, 1},
		{"\x7f", 127, 1},
		{"\x80\x80", 128, 2},
		{"\xc1\x00\x00", 1 << 16, 3},
		{"\xff\x01\x02\x03\x04\x05\x06\x07\x08", 0x0102030405060708, 9},
		{"\xff\x01", 0, 0},
		{"", 0, 0},
	} {
		if v, used := uvint([]byte(test.in)); v != test.v || used != test.used {
			t.Errorf("%x gives %d in %d bytes, want %d in %d", test.in, v, used, test.v, test.used)
		}
	}
}
