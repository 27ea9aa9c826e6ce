package config_test

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"forebay/config"
)

// bare is the effective YAML without its comments on origins.
func bare(c *config.Config) string {
	return regexp.MustCompile(`(?m)  # .*$`).ReplaceAllString(string(c.Show()), "")
}

func TestShowLoadsAsItself(t *testing.T) {
	contract, err := os.ReadFile("testdata/contract.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"contract": string(contract), "default": "", "example": string(config.Example())} {
		c := loaded(t, text, nil, nil)
		again := loaded(t, bare(c), nil, nil)
		if bare(again) != bare(c) {
			t.Errorf("%s: showed\n%s\nthen\n%s", name, c.Show(), again.Show())
		}
		if !reflect.DeepEqual(again.Specs(), c.Specs()) {
			t.Errorf("%s: routes %+v, then %+v", name, c.Specs(), again.Specs())
		}
	}
}

func TestShowSaysWhereValuesCameFrom(t *testing.T) {
	c := loaded(t, "redis:\n  password: hunter2\n"+oneRoute("table: t\nwhere: {a: b}\nvalue: v"),
		[]string{"FOREBAY_LOG_LEVEL=debug"}, map[string]string{"budget": "1s"})
	shown := string(c.Show())
	for _, want := range []string{
		"\n  password: \"[redacted]\"  # forebay.yaml:2\n", "\n  level: debug  # FOREBAY_LOG_LEVEL\n", "\nbudget: 1s  # --budget\n",
		"\n  address: \"127.0.0.1:6380\"\n", "\n  -  # forebay.yaml:4\n", "\n    ttl: 1h  # defaults.ttl\n",
	} {
		if !strings.Contains(shown, want) {
			t.Errorf("no %q in:\n%s", want, shown)
		}
	}
	if strings.Contains(shown, "hunter2") {
		t.Error("the password is shown")
	}
}

func TestExampleChangesNothing(t *testing.T) {
	c := loaded(t, string(config.Example()), nil, nil)
	if bare(c) != bare(config.Default()) {
		t.Errorf("example is\n%s", bare(c))
	}
}

// Prose is "# text"; YAML that is off is "#" and two spaces or more.
func TestExampleLoadsWithItsRoutes(t *testing.T) {
	text := regexp.MustCompile(`(?m)^#(  )`).ReplaceAllString(string(config.Example()), "$1")
	c := loaded(t, text, nil, nil)
	if len(c.Routes) != 6 || len(c.Specs()) != 6 {
		t.Errorf("%d routes, %d specs", len(c.Routes), len(c.Specs()))
	}
	// Every key that a route may have is there, in a route and in the prose.
	for key := range routeKeys(t) {
		if !regexp.MustCompile(`(?m)^#  [- ] `+key+`: `).Match(config.Example()) || !strings.Contains(string(config.Example()), "\n# - "+key+": ") {
			t.Errorf("no %s in the example's routes", key)
		}
		if !strings.Contains(config.Reference(), "\n| `"+key+"` | ") {
			t.Errorf("no %s in the reference's routes", key)
		}
	}
}

// routeKeys asks the loader itself: it lists the keys it knows.
func routeKeys(t *testing.T) map[string]bool {
	_, lines := parse(t, "routes: [{zzzzzzzzzzzzzzzz: 1}]", nil, nil)
	_, list, ok := strings.Cut(strings.Join(lines, "\n"), "want one of ")
	if !ok {
		t.Fatalf("got %q", lines)
	}
	keys := make(map[string]bool)
	for key := range strings.SplitSeq(strings.SplitN(list, "\n", 2)[0], ", ") {
		keys[key] = true
	}
	if len(keys) != 16 {
		t.Fatalf("keys %v", keys)
	}
	return keys
}

func TestEveryFieldIsDescribed(t *testing.T) {
	example, reference := string(config.Example()), config.Reference()
	for _, f := range config.Fields() {
		leaf := f.Path[strings.LastIndexByte(f.Path, '.')+1:]
		line := strings.Repeat("  ", strings.Count(f.Path, ".")) + leaf + ": " + f.Default + "\n"
		if !strings.Contains(example, "\n"+line) {
			t.Errorf("example has no line %q", line)
		}
		flat := regexp.MustCompile(`\n *# `).ReplaceAllString(example, " ")
		if !strings.Contains(flat, f.Doc) || !strings.Contains(flat, f.Bound) {
			t.Errorf("example does not describe %s", f.Path)
		}
		if !strings.Contains(reference, "| `"+f.Path+"` | `"+f.Default+"` | ") {
			t.Errorf("reference has no %s", f.Path)
		}
		if !strings.HasSuffix(f.Doc, ".") {
			t.Errorf("%s: description is no sentence: %q", f.Path, f.Doc)
		}
	}
	for i, line := range strings.Split(example, "\n") {
		if prose := strings.TrimLeft(line, " "); len(line) > 100 && strings.HasPrefix(prose, "# ") && !strings.HasPrefix(prose, "#  ") {
			t.Errorf("line %d is %d bytes", i+1, len(line))
		}
	}
}
