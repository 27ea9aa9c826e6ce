package route_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"forebay/backend"
	"forebay/internal/check"
	"forebay/internal/route"
)

// checked is a route of one column of the table that has one of every type.
func checked(value string, v route.Validate) route.Spec {
	s := spec("checked", "c:{id:int}")
	s.Table, s.Where, s.Value, s.Validate = "values", where("id", "{id}"), value, &v
	return s
}

func TestChecksumIsReadWithTheRow(t *testing.T) {
	table := compile(t, checked("c_blob", route.Validate{MinBytes: 2, Checksum: "c_big"}))
	bound(t, table)
	l := lookup(t, table, "c:1")
	if got := strings.Join(l.Select.Columns, " "); got != "c_blob c_big" {
		t.Errorf("the query reads %s", got)
	}
	sum := int64(check.CRC32C([]byte("abc")))
	for name, tt := range map[string]struct {
		row  backend.Row
		want string
	}{
		"right":            {backend.Row{[]byte("abc"), sum}, ""},
		"wrong":            {backend.Row{[]byte("abc"), sum + 1}, "column c_big says"},
		"null":             {backend.Row{[]byte("abc"), nil}, "no checksum in column c_big"},
		"right, too short": {backend.Row{[]byte("a"), int64(check.CRC32C([]byte("a")))}, "shorter than"},
	} {
		value, err := l.Route.Value(tt.row)
		if err != nil {
			t.Fatal(err)
		}
		err = l.Route.Verify(tt.row, value)
		if (tt.want == "") != (err == nil) || err != nil && (!strings.Contains(err.Error(), tt.want) || !errors.Is(err, backend.ErrSourceInvalid)) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
	text, err := table.Explain(0, []byte("c:1"))
	if err != nil || !strings.Contains(text, "\nrules  at least 2 bytes, crc32c in column c_big\n") {
		t.Errorf("%v\n%s", err, text)
	}
}

func TestRulesOfARoute(t *testing.T) {
	for name, tt := range map[string]struct {
		spec  route.Spec
		value string
		want  string
	}{
		"none":              {checked("c_blob", route.Validate{}), "", ""},
		"a length":          {checked("c_text", route.Validate{MaxBytes: 2}), "abc", "longer than"},
		"a format":          {checked("c_blob", route.Validate{Format: "pickle"}), "abc", "no whole pickle"},
		"a policy":          {checked("c_blob", route.Validate{Pickle: "reject"}), "cos\nsystem\n.", "policy"},
		"only a checksum":   {checked("c_blob", route.Validate{Checksum: "c_int"}), "anything", ""},
		"words for nothing": {checked("c_blob", route.Validate{Format: "any", Pickle: "off"}), "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			table := compile(t, tt.spec)
			bound(t, table)
			r := table.Routes()[0]
			if (r.Rules == nil) != (tt.want == "") {
				t.Errorf("rules %+v: a route that demands nothing of a value alone must have none", r.Rules)
			}
			err := r.Check([]byte(tt.value))
			if (tt.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

// An object is judged by its beginning, whether it is at hand or not: else one and the same would be good here and bad there.
func TestObjectsAreJudgedByTheirBeginning(t *testing.T) {
	s := route.Spec{
		Name: "o", Key: "o:{n}", TTL: 1e9, Object: &route.ObjectSpec{Dataset: "d", Name: "{n}"},
		Validate: &route.Validate{MaxBytes: 1 << 20, Format: "pickle"},
	}
	r := compile(t, s).Routes()[0]
	value := make([]byte, route.HeadBytes+100)
	copy(value, "\x80\x04\x8e")
	value[3], value[4], value[5] = byte(len(value)-12), byte((len(value)-12)>>8), byte((len(value)-12)>>16) // BINBYTES8 up to a STOP that is not there
	if err := r.Rules.Check(value); err == nil {
		t.Fatal("a pickle without its end is admitted whole")
	}
	if err := r.Check(value); err != nil {
		t.Errorf("by its beginning: %v", err)
	}
	if err := r.CheckHead(value[:route.HeadBytes], 2<<20); err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("too long: %v", err)
	}
}

// Whatever cannot be held is one line that names the route, and the column where there is one.
func TestRulesThatCannotBeHeld(t *testing.T) {
	sum := func(value, column string) route.Spec { return checked(value, route.Validate{Checksum: column}) }
	object := route.Spec{Name: "checked", Key: "o:{n}", TTL: 1e9, Object: &route.ObjectSpec{Dataset: "d", Name: "{n}"}}
	with := func(s route.Spec, v route.Validate) route.Spec {
		s.Validate = &v
		return s
	}
	hash := checked("", route.Validate{MinBytes: 1})
	hash.Hash = []string{"c_text"}
	npy := checked("", route.Validate{})
	npy.Encode = &route.Encode{Format: "npy", Fields: []route.Field{{Column: "c_blob", DType: "u1"}}}
	cql := spec("checked", "c:{id:int}")
	cql.Table, cql.Where, cql.CQL, cql.Value = "", nil, "SELECT v FROM t WHERE id = :id", "v"
	for name, tt := range map[string]struct {
		spec route.Spec
		want string
	}{
		"a column that is not there": {sum("c_blob", "c_bug"), `route "checked": validate: checksum: values has no column c_bug; did you mean c_big?`},
		"a column of text":           {sum("c_blob", "c_text"), `route "checked": validate: checksum: column c_text is text, not an int or bigint`},
		"a value of text":            {sum("c_text", "c_big"), `route "checked": validate: checksum: column c_big is of column c_text, which is text; only the bytes of a blob have one`},
		"of the value itself":        {sum("c_blob", "c_blob"), "validate: checksum: column c_blob is the value itself"},
		"not in the cql":             {with(cql, route.Validate{Checksum: "crc32c"}), `route "checked": validate: checksum: the query gives no column crc32c`},
		"of an encoding":             {with(npy, route.Validate{Checksum: "c_big"}), "validate: checksum: is that of a column's bytes as stored"},
		"pickles in npy":             {with(npy, route.Validate{Format: "pickle"}), "validate: encode npy makes no value that would be admitted"},
		"a policy for npy":           {with(npy, route.Validate{Pickle: "log"}), "validate: encode npy makes no value that would be admitted"},
		"a checksum of an object":    {with(object, route.Validate{Checksum: "crc32c"}), "validate: checksum: an object's own is always compared"},
		"objects rejected":           {with(object, route.Validate{Pickle: "reject"}), "validate: pickle reject: an object is checked by its first 65536 bytes"},
		"a hash":                     {hash, "validate: the values of a hash route are not checked"},
		"a format":                   {checked("c_blob", route.Validate{Format: "jpeg"}), `validate: unknown format "jpeg"`},
		"a policy":                   {checked("c_blob", route.Validate{Pickle: "deny"}), `validate: unknown pickle policy "deny"`},
		"crossed":                    {checked("c_blob", route.Validate{MinBytes: 2, MaxBytes: 1}), "validate: greatest length 1 is below the least, 2"},
		"below zero":                 {checked("c_blob", route.Validate{MinBytes: -1}), "validate: least length -1 is below zero"},
	} {
		t.Run(name, func(t *testing.T) {
			table, err := route.Compile([]route.Spec{tt.spec})
			if err == nil {
				err = table.Bind(context.Background(), testSchema())
			}
			text := fmt.Sprint(err)
			if !strings.Contains(text, tt.want) || !strings.HasPrefix(text, `route "checked": `) || strings.Contains(text, "\n") {
				t.Errorf("got  %s\nwant %s", text, tt.want)
			}
		})
	}
}
