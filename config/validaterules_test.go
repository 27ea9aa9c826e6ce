package config_test

import (
	"strings"
	"testing"

	"forebay/config"
	"forebay/internal/route"
)

// withRules is a file whose only route has the form and the rules given.
func withRules(form, rules string) string {
	const head = "source: {cassandra: {hosts: [\"h:1\"], keyspace: ml}}\n"
	if !strings.HasPrefix(form, "object") {
		form = "table: t\nwhere: {a: \"{a}\"}\n" + form
	}
	return head + oneRoute(form+"\nvalidate: "+rules)
}

func TestRules(t *testing.T) {
	const npy = "encode: {npy: {column: c, dtype: u1}}"
	for name, tt := range map[string]struct {
		form, rules string
		want        route.Validate
		shown       string // the line of config show
	}{
		"nothing": {"value: v", "{}", route.Validate{Format: "any", Pickle: "off"}, "validate: {}"},
		"all": {
			"value: v", "{min_bytes: 10, max_bytes: 4KiB, format: PICKLE, pickle: reject, checksum: sum}",
			route.Validate{MinBytes: 10, MaxBytes: 4096, Format: "pickle", Pickle: "reject", Checksum: "sum"},
			`validate: {min_bytes: 10B, max_bytes: 4KiB, format: pickle, pickle: reject, checksum: "sum"}`,
		},
		"of an encoding": {npy, "{format: npy, max_bytes: 0}", route.Validate{Format: "npy", Pickle: "off"}, "validate: {format: npy}"},
		"of an object":   {"object: {dataset: d, name: n}", "{pickle: log}", route.Validate{Format: "any", Pickle: "log"}, "validate: {pickle: log}"},
	} {
		t.Run(name, func(t *testing.T) {
			c := loaded(t, withRules(tt.form, tt.rules), nil, nil)
			if got := c.Specs()[0].Validate; got == nil || *got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			if shown := bare(c); !strings.Contains(shown, "\n    "+tt.shown+"\n") {
				t.Errorf("shown as\n%s", shown)
			} else if again := loaded(t, shown, nil, nil); *again.Specs()[0].Validate != tt.want {
				t.Errorf("loads again as %+v", again.Specs()[0].Validate)
			}
			if _, err := route.Compile(c.Specs()); err != nil {
				t.Errorf("compile: %v", err)
			}
		})
	}
}

// Each mistake is one line, and is one for whoever compiles the routes as well.
func TestRulesMistakes(t *testing.T) {
	const npy, pickled = "encode: {npy: {column: c, dtype: u1}}", "encode: {pickle: {column: c}}"
	const object, hash = "object: {dataset: d, name: n}", "hash: [a]"
	for name, tt := range map[string]struct{ form, rules, want string }{
		"unknown key":              {"value: v", "{min: 3}", "forebay.yaml:8: routes[0].validate.min: unknown key; want one of checksum, format, max_bytes, min_bytes, pickle"},
		"no mapping":               {"value: v", "pickle", `routes[0].validate: "pickle": want a mapping`},
		"unknown format":           {"value: v", "{format: jpeg}", `routes[0].validate.format: "jpeg": want one of any, pickle, npy`},
		"unknown policy":           {"value: v", "{pickle: deny}", `routes[0].validate.pickle: "deny": want one of off, log, reject`},
		"a length of no size":      {"value: v", "{min_bytes: few}", `routes[0].validate.min_bytes: "few": want a size`},
		"too long":                 {"value: v", "{min_bytes: 1GiB}", "routes[0].validate.min_bytes: 1GiB: want 0 to 512MiB"},
		"crossed":                  {"value: v", "{min_bytes: 2KiB, max_bytes: 1KiB}", "routes[0].validate.max_bytes: 1KiB: want no less than min_bytes, 2KiB"},
		"a policy for arrays":      {"value: v", "{format: npy, pickle: log}", "routes[0].validate.pickle: log: want off with format npy"},
		"a policy for encoded npy": {npy, "{pickle: log}", "routes[0].validate.pickle: log: want off beside encode npy"},
		"pickles in npy":           {npy, "{format: pickle}", "routes[0].validate.format: pickle: want any or npy beside encode npy"},
		"arrays in pickles":        {pickled, "{format: npy}", "routes[0].validate.format: npy: want any or pickle beside encode pickle"},
		"hash":                     {hash, "{min_bytes: 1}", "routes[0].validate: want none beside hash"},
		"a checksum of a hash":     {hash, "{checksum: c, format: npy}", "routes[0].validate: want none beside hash"},
		"a checksum of an object":  {object, "{checksum: c}", `routes[0].validate.checksum: "c": want none beside object`},
		"objects rejected":         {object, "{pickle: reject}", "routes[0].validate.pickle: reject: want off or log beside object"},
		"a checksum of encoded":    {npy, "{checksum: c}", `routes[0].validate.checksum: "c": want none beside encode`},
		"a checksum of itself":     {"value: v", "{checksum: v}", `routes[0].validate.checksum: "v": want another column`},
	} {
		t.Run(name, func(t *testing.T) {
			_, lines := parse(t, withRules(tt.form, tt.rules), nil, nil)
			if len(lines) != 1 || !strings.Contains(lines[0], tt.want) {
				t.Errorf("got:\n%s\nwant: %s", strings.Join(lines, "\n"), tt.want)
			}
		})
	}
}

// A Config made in code need not spell the defaults.
func TestRulesMadeInCode(t *testing.T) {
	c := loaded(t, withRules("value: v", "{}"), nil, nil)
	c.Routes[0].Validate = &config.Validate{MinBytes: 1, Checksum: "sum"}
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	if _, err := route.Compile(c.Specs()); err != nil {
		t.Errorf("compile: %v", err)
	}
	if shown := bare(c); !strings.Contains(shown, `validate: {min_bytes: 1, checksum: "sum"}`) && !strings.Contains(shown, `validate: {min_bytes: 1B, checksum: "sum"}`) {
		t.Errorf("shown as\n%s", shown)
	}
}
