package config_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"forebay/config"
)

// Whatever the text: no panic; every problem is one line with a reason, inside the file; what loads is valid, and shows as YAML that
// loads as the same.
func FuzzLoad(f *testing.F) {
	contract, err := os.ReadFile("testdata/contract.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(contract, "")
	f.Add(config.Example(), "")
	f.Add([]byte(strings.ReplaceAll(string(config.Example()), "\n#  ", "\n  ")), "a:1")
	f.Add([]byte("redis: {address: 1, timeout: }\nrouts: []\n"), "unix:///x")
	f.Add([]byte(oneRoute("table: t\nwhere: {\"a\\0\": b}\nencode: {pickle: {\"\\xff\": {column: c, dtype: u1, shape: -1}}}")), "embedded")
	f.Add([]byte("a: &a [*a]\n<<: *a\n? [x]\n: !!binary y\n---\n"), "\xff")
	f.Fuzz(func(t *testing.T, text []byte, address string) {
		if strings.Contains(string(text), "_file") {
			return // it would read files of this machine
		}
		environ := []string{"FOREBAY_REDIS_ADDRESS=" + address}
		c, err := config.Parse("f", text, environ, map[string]string{"redis.username": address})
		if err != nil {
			problems(t, err, strings.Count(string(text), "\n")+strings.Count(string(text), "\r")+2)
			return
		}
		if err := c.Validate(); err != nil {
			t.Fatalf("loaded, then invalid: %v", err)
		}
		if !utf8.Valid(text) || !utf8.ValidString(address) {
			return
		}
		again, err := config.Parse("again", c.Show(), nil, nil)
		if err != nil {
			t.Fatalf("showed\n%s\n%v", c.Show(), err)
		}
		if a, b := bare(c), bare(again); a != b {
			t.Fatalf("showed\n%s\nthen\n%s", a, b)
		}
	})
}

func problems(t *testing.T, err error, lines int) {
	var list *config.Error
	if !errors.As(err, &list) || len(list.Problems) == 0 {
		t.Fatalf("%T: %v", err, err)
	}
	for _, p := range list.Problems {
		if p.Reason == "" || strings.ContainsAny(p.String(), "\n\r\x00") || p.Line < 0 || p.Line > lines+strings.Count(p.String(), "\u2028") {
			t.Fatalf("problem %q of %d lines", p, lines)
		}
	}
}
