package route_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"forebay/internal/route"
)

// spec is a route that compiles, with the given key; its where names no part.
func spec(name, key string) route.Spec {
	return route.Spec{
		Name: name, Key: key, Table: "samples", Where: []route.Bind{{Column: "id", Expr: "1"}}, Value: "data", TTL: time.Hour,
	}
}

func compile(t testing.TB, specs ...route.Spec) *route.Table {
	t.Helper()
	table, err := route.Compile(specs)
	if err != nil {
		t.Fatalf("Compile: %v", err)
	}
	return table
}

func TestMatch(t *testing.T) {
	const id = "01234567-89ab-cdef-0123-456789abcdef"
	tests := []struct {
		name, pattern string
		yes, no       []string
	}{
		{"text takes all but a colon", "a:{x}", []string{"a:b", "a: ", "a:\x00\xff", "a:{}", "a:7"}, []string{"a:", "a:b:c", "b:b", "a", ""}},
		{"text between literals", "a:{x}:b", []string{"a:x:b", "a:b:b"}, []string{"a::b", "a:x:y:b", "a:x:bb", "a:b"}},
		{"text ends at the literal's first occurrence", "{x}-{y}", []string{"a-b", "a-b-c", "a--"}, []string{"-b", "a-", "--b", "-"}},
		{"last text reaches to the suffix", "img:{x}.jpg", []string{"img:a.jpg", "img:a.jpg.jpg", "img:a.b.jpg"}, []string{"img:.jpg", "img:a.jpeg", "img:a:b.jpg"}},
		{"literal of several bytes", "{x}--{y}", []string{"a--b", "a-b--c", "a--b--c"}, []string{"a-b", "--b", "a--"}},
		{
			"int is canonical", "n:{i:int}",
			[]string{"n:0", "n:7", "n:-5", "n:10", "n:9223372036854775807", "n:-9223372036854775808"},
			[]string{
				"n:", "n:-", "n:007", "n:00", "n:-0", "n:+1", "n:1.0", "n:1e3", "n: 1", "n:1 ", "n:abc", "n:0x1", "n:--1", "n:-01",
				"n:9223372036854775808", "n:-9223372036854775809", "n:18446744073709551617", "n:10000000000000000000000", "n:1:2", "n:\u0661",
			},
		},
		{"int before a literal", "n:{i:int}:{j:int}", []string{"n:1:2", "n:-1:-2"}, []string{"n:01:2", "n:1:02", "n:1:", "n::2", "n:1:2:3", "n:1x:2"}},
		{"int before a minus", "{a:int}-{b:int}", []string{"5-3", "5--3", "-5-3"}, []string{"5-", "5---3", "--5"}},
		{
			"uuid is canonical", "u:{id:uuid}",
			[]string{"u:" + id, "u:00000000-0000-0000-0000-000000000000"},
			[]string{"u:" + strings.ToUpper(id), "u:{" + id + "}", "u:" + strings.ReplaceAll(id, "-", ""), "u:" + id + "0", "u:0123456-789ab-cdef-0123-456789abcdef", "u:"},
		},
		{"uuid before a literal", "u:{id:uuid}:{n}", []string{"u:" + id + ":x"}, []string{"u:" + id + ":", "u:" + id + "x:x", "u:short:x", "u:g1234567-89ab-cdef-0123-456789abcdef:x"}},
		{"hex of any length", "h:{h:hex}", []string{"h:a", "h:00ff", "h:abc"}, []string{"h:", "h:AB", "h:xyz", "h:0x00"}},
		{"hex before a literal", "{h:hex}:{n}", []string{"ab:x", "0:x"}, []string{"g:x", ":x", "abx:x"}},
		{"rest takes colons", "f:{p:rest}", []string{"f:a", "f:a:b/c", "f::"}, []string{"f:", "f"}},
		{"rest before a suffix", "f:{p:rest}.npy", []string{"f:a:b.npy", "f:.npy.npy"}, []string{"f:.npy", "f:a"}},
		{"alternatives", "s:{s:train|test}:{i:int}", []string{"s:train:1", "s:test:1"}, []string{"s:val:1", "s:trainer:1", "s:tes:1", "s::1", "s:train|test:1"}},
		{"alternatives at the end", "s:{s:a|ab|b c}", []string{"s:a", "s:ab", "s:b c"}, []string{"s:", "s:abc", "s:b"}},
		{"alternatives that begin alike", "{s:a|ab}:{x}", []string{"a:x", "ab:x"}, []string{"abc:x", ":x"}},
		{"a suffix that overlaps the literal before it", "{x}:{y}::", []string{"a:b::"}, []string{"xxx::", "xx:::", "x::::"}},
		{"literal hash tag", "{{x}}:{i:int}", []string{"{x}:1"}, []string{"{{x}}:1", "x:1", "{y}:1"}},
		{"part as hash tag", "u:{{{id:int}}}:f", []string{"u:{7}:f"}, []string{"u:7:f", "u:{07}:f", "u:{7:f"}},
		{"no parts", "config", []string{"config"}, []string{"config:", "confi", ""}},
		{"nothing but a part", "{x}", []string{"a"}, []string{"", "a:b"}},
		{"not ASCII", "naïve:{x}", []string{"naïve:é"}, []string{"naive:é"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			table := compile(t, spec("r", tt.pattern))
			var m route.Match
			for _, k := range tt.yes {
				if !table.Match(0, []byte(k), &m) || m.Route != table.Routes()[0] {
					t.Errorf("%q does not match %q", k, tt.pattern)
				}
			}
			for _, k := range tt.no {
				if table.Match(0, []byte(k), &m) || m.Route != nil {
					t.Errorf("%q matches %q", k, tt.pattern)
				}
			}
		})
	}
}

func TestMatchFirstRouteInFileOrderWins(t *testing.T) {
	db1 := spec("other-db", "mnist:{split}:{idx:int}")
	db1.DB = 1
	table := compile(t,
		spec("train", "mnist:train:{idx:int}"),
		spec("any", "mnist:{split}:{idx:int}"),
		spec("sample", "mnist:{split}:{idx:int}:sample"),
		spec("shadowed", "mnist:test:{idx:int}"),
		spec("m", "m:{x}"),
		spec("mn", "mn{x}"),
		db1,
		spec("all", "{x:rest}"),
		spec("never", "m:x"),
	)
	tests := []struct {
		db        int
		key, want string
	}{
		{0, "mnist:train:1", "train"},
		{0, "mnist:test:1", "any"},
		{0, "mnist:val:1", "any"},
		{0, "mnist:train:1:sample", "sample"},
		{0, "mnist:train:01", "all"},
		{0, "mnx", "mn"},
		{0, "m:x", "m"},
		{0, "m:", "all"},
		{0, "z", "all"},
		{0, "", ""},
		{1, "mnist:test:1", "other-db"},
		{1, "m:x", ""},
		{2, "mnist:test:1", ""},
	}
	var m route.Match
	for _, tt := range tests {
		got := ""
		if table.Match(tt.db, []byte(tt.key), &m) {
			got = m.Route.Name
		}
		if got != tt.want {
			t.Errorf("db %d key %q: route %q, want %q", tt.db, tt.key, got, tt.want)
		}
	}
}

func TestPrefixIsTheLiteralBytesBeforeTheFirstPart(t *testing.T) {
	for pattern, want := range map[string]string{"mnist:{s}:x": "mnist:", "{s}": "", "plain": "plain", "{{t}}:{s}": "{t}:"} {
		if got := compile(t, spec("r", pattern)).Routes()[0].Prefix(); got != want {
			t.Errorf("prefix of %q is %q, want %q", pattern, got, want)
		}
	}
}

func TestCompileRefusesPatterns(t *testing.T) {
	tests := []struct{ name, pattern, want string }{
		{"empty", "", "column 1: the pattern is empty"},
		{"touching parts", "a:{x}{y:int}", "column 6: the parts {x} and {y:int} touch"},
		{"unknown type", "a:{idx:itn}", `column 8: part idx has the unknown type "itn" (did you mean int?); allowed are text, int, uuid, hex, rest`},
		{"unknown type, nothing near", "a:{idx:number}", `unknown type "number"; allowed are`},
		{"empty type", "a:{idx:}", `unknown type ""`},
		{"no name", "a:{}", `column 3: "" is no part name`},
		{"bad name", "a:{1x}", `"1x" is no part name`},
		{"space in a name", "a:{ x }", `" x " is no part name`},
		{"same name twice", "{x}:{x}", `column 5: a second part is named "x"`},
		{"empty alternative", "{x:a|}", "empty alternative"},
		{"same alternative twice", "{x:a|b|a}", `the alternative "a" twice`},
		{"alternatives that cannot be told apart", "{x:a|ab}b{y}", `column 1: the alternatives "a" and "ab" of part x cannot be told apart before "b"`},
		{"rest not last", "{x:rest}:{y}", "column 1: part x takes the rest of the key, so no part can follow it"},
		{"digit after an int", "{x:int}0{y}", `the literal "0" after part x begins like the part itself`},
		{"hex digit after hex", "{x:hex}a{y}", `the literal "a" after part x begins like the part itself`},
		{"not closed", "a:{x", `column 3: "{" is not closed`},
		{"nested", "a:{x{y}}", `column 3: "{" is not closed`},
		{"stray brace", "é}:{x}", `column 2: "}" without a "{"`},
		{"stray brace at the end", "{x}}", `column 4: "}" without a "{"`},
		{"too many parts", manyParts(17), "more than 16 parts"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := route.Compile([]route.Spec{spec("r", tt.pattern)})
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), `route "r": key `) {
				t.Errorf("error %v, want one for the route with %q", err, tt.want)
			}
		})
	}
}

func manyParts(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("{p" + string(rune('a'+i)) + "}:")
	}
	return b.String()
}

func TestMatchDoesNotAllocate(t *testing.T) {
	table := twentyRoutes(t)
	keys := [][]byte{[]byte("set7:train:12345"), []byte("set9:test:9:sample"), []byte("unrouted:key"), []byte("set7:train:007")}
	var m route.Match
	for _, k := range keys {
		if n := testing.AllocsPerRun(100, func() { table.Match(0, k, &m) }); n != 0 {
			t.Errorf("matching %q allocates %v times", k, n)
		}
	}
}

func twentyRoutes(t testing.TB) *route.Table {
	var specs []route.Spec
	for i := range 10 {
		key := fmt.Sprintf("set%d:{split:train|test}:{idx:int}", i)
		specs = append(specs, spec(key, key), spec(key+":sample", key+":sample"))
	}
	return compile(t, specs...)
}

func BenchmarkMatch(b *testing.B) {
	table := twentyRoutes(b)
	var m route.Match
	for name, key := range map[string]string{"routed": "set7:train:12345", "unrouted": "user:12345", "spelling": "set7:train:007"} {
		k := []byte(key)
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				table.Match(0, k, &m)
			}
		})
	}
}
