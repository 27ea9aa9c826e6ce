package route_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"forebay/internal/route"
)

// The parts of a drawn pattern, and for each a generator of canonical spellings.
var partKinds = []struct {
	typ   string
	value *rapid.Generator[string]
}{
	{"", rapid.StringMatching(`[a-z0-9._/{}-]{1,8}`)},
	{":int", rapid.Map(rapid.Int64(), func(v int64) string { return fmt.Sprint(v) })},
	{":uuid", rapid.StringMatching(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)},
	{":hex", rapid.StringMatching(`[0-9a-f]{1,20}`)},
	{":train|test|val|é", rapid.SampledFrom([]string{"train", "test", "val", "é"})},
	{":rest", rapid.StringMatching(`[a-z0-9:._-]{1,12}`)}, // the last part only
}

// drawn is a pattern, and one key of it with the values of its parts.
type drawn struct {
	pattern, key string
	values       []string
}

func drawKey(t *rapid.T) drawn {
	var d drawn
	lit := rapid.StringMatching(`[:/_=]{1,2}|:[a-z]{1,3}:|\{\{t\}\}:`)
	n := rapid.IntRange(1, 5).Draw(t, "parts")
	if rapid.Bool().Draw(t, "prefixed") {
		d.add(lit.Draw(t, "prefix"))
	}
	for i := range n {
		most := len(partKinds) - 1
		if i < n-1 {
			most--
		}
		k := partKinds[rapid.IntRange(0, most).Draw(t, "kind")]
		after := ""
		if i < n-1 || rapid.Bool().Draw(t, "suffixed") {
			after = lit.Draw(t, "literal")
		}
		plain := strings.NewReplacer("{{", "{", "}}", "}").Replace(after)
		v := k.value.Filter(func(v string) bool {
			// A text part does not hold the literal that ends it, not even across its own end.
			return k.typ != "" || i == n-1 || strings.Index(v+plain, plain) == len(v)
		}).Draw(t, "value")
		d.pattern += fmt.Sprintf("{p%d%s}", i, k.typ)
		d.key += v
		d.values = append(d.values, v)
		d.add(after)
	}
	return d
}

func (d *drawn) add(lit string) {
	d.pattern += lit
	d.key += strings.NewReplacer("{{", "{", "}}", "}").Replace(lit)
}

// TestRenderedKeysMatchBackToTheirParts reads the parts back through Explain, which shows each.
func TestRenderedKeysMatchBackToTheirParts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawKey(t)
		table, err := route.Compile([]route.Spec{{
			Name: "r", Key: d.pattern, Table: "t", Where: []route.Bind{{Column: "a", Expr: "1"}}, Value: "v", TTL: time.Second,
		}})
		if err != nil {
			t.Fatalf("%q: %v", d.pattern, err)
		}
		out, err := table.Explain(0, []byte(d.key))
		if err != nil {
			t.Fatalf("key %q of %q: %v", d.key, d.pattern, err)
		}
		for i, v := range d.values {
			if want := fmt.Sprintf("part   p%d = %s (", i, v); !strings.Contains(out, want) {
				t.Fatalf("key %q of %q: lacks %q:\n%s", d.key, d.pattern, want, out)
			}
		}
		spellingsDoNotMatch(t, table, d)
	})
}

// spellingsDoNotMatch changes the spelling of a part but not what it means: the key must no longer match.
func spellingsDoNotMatch(t *rapid.T, table *route.Table, d drawn) {
	var m route.Match
	at := 0
	for i, v := range d.values {
		at += strings.Index(d.key[at:], v)
		var others []string
		switch {
		case strings.Contains(d.pattern, fmt.Sprintf("{p%d:int}", i)):
			others = []string{"0" + v, "+" + v, strings.Replace(v, "-", "-0", 1), v + ".0", " " + v}
		case strings.Contains(d.pattern, fmt.Sprintf("{p%d:uuid}", i)):
			others = []string{strings.ToUpper(v), strings.ReplaceAll(v, "-", ""), "{" + v + "}"}
		case strings.Contains(d.pattern, fmt.Sprintf("{p%d:hex}", i)):
			others = []string{strings.ToUpper(v), "0x" + v}
		}
		for _, o := range others {
			// Where the same bytes stand earlier in the key, some other part is changed: that says nothing about this one.
			if o == v || strings.Count(d.key, v) > 1 {
				continue
			}
			key := d.key[:at] + o + d.key[at+len(v):]
			if table.Match(0, []byte(key), &m) && !strings.Contains(d.pattern, ":rest") {
				t.Fatalf("%q, spelled %q, matches %q", d.key, key, d.pattern)
			}
		}
		at += len(v)
	}
}
