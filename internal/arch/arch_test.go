package arch_test

import (
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"forebay/internal/arch"
)

// TestModule holds the module to its rules. Where it fails, the rule is usually right; if not, it is changed in graph.go with the
// reason in the commit.
func TestModule(t *testing.T) {
	root := os.DirFS("../..")
	if _, err := fs.Stat(root, "go.mod"); err != nil {
		t.Fatal(err)
	}
	bad, err := arch.Check(root, arch.Forebay(), arch.Clients())
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range bad {
		t.Error(b)
	}
}

func TestCheckFinds(t *testing.T) {
	graph := arch.Graph{"a": {"b"}, "b": {}, "c/...": {"a"}, "internal/testkit/...": {}}
	clients := map[string][]string{"example.org/client": {"b"}}
	for name, tt := range map[string]struct {
		file, src string
		want      string // part of the only violation; "" for none
	}{
		"an import that is allowed":         {"a/a.go", `package a; import _ "forebay/b"`, ""},
		"an import that is not":             {"b/b.go", `package b; import _ "forebay/a"`, "b may not import a"},
		"an import within a tree":           {"c/d/d.go", `package d; import _ "forebay/c/e"`, ""},
		"an import against it, in a test":   {"b/b_test.go", `package b; import _ "forebay/a"`, ""},
		"an import under a build tag":       {"b/b.go", "//go:build plan9\n\npackage b; import _ \"forebay/a\"", "may not import"},
		"an unknown package":                {"x/x.go", `package x`, "not in the graph"},
		"a client in its place":             {"b/b.go", `package b; import _ "example.org/client/sub"`, ""},
		"a client elsewhere":                {"a/a.go", `package a; import _ "example.org/client/sub"`, "only [b] may import"},
		"a name that only begins like it":   {"a/a.go", `package a; import _ "example.org/clients"`, ""},
		"the test kit in a program":         {"a/a.go", `package a; import _ "forebay/internal/testkit"`, "for tests only"},
		"the test kit in a test":            {"a/a_test.go", `package a; import _ "forebay/internal/testkit"`, ""},
		"init":                              {"a/a.go", `package a; func init() {}`, "a/a.go:1: init function"},
		"a method named init":               {"a/a.go", `package a; type t int; func (t) init() {}`, ""},
		"log.Fatal":                         {"a/a.go", `package a; import "log"; func f() { log.Fatalf("x") }`, "log.Fatalf"},
		"log.Fatal by another name":         {"a/a.go", `package a; import l "log"; func f() { l.Fatal() }`, "log.Fatal"},
		"os.Exit":                           {"a/a.go", `package a; import "os"; func f() { os.Exit(1) }`, "os.Exit"},
		"os.Exit in a command":              {"c/m.go", `package main; import "os"; func main() { os.Exit(1) }`, ""},
		"os.Exit in TestMain":               {"a/a_test.go", `package a; import "os"; func TestMain() { os.Exit(1) }`, ""},
		"os.Exit in another test":           {"a/a_test.go", `package a; import "os"; func TestX() { os.Exit(1) }`, "os.Exit"},
		"time.Sleep in a test":              {"a/a_test.go", `package a; import "time"; func f() { time.Sleep(1) }`, "time.Sleep"},
		"time.Sleep in a program":           {"a/a.go", `package a; import "time"; func f() { time.Sleep(1) }`, ""},
		"time.Sleep in a bubble":            {"a/a_test.go", `package a; import ("time"; _ "testing/synctest"); func f() { time.Sleep(1) }`, ""},
		"a skipped test":                    {"a/a_test.go", `package a; import "testing"; func TestX(t *testing.T) { t.Skip() }`, "skipped test"},
		"a skip in a helper of the program": {"a/a.go", `package a; import "testing"; func f(tb testing.TB) { tb.Skipf("x") }`, "skipped test"},
		"code in testdata":                  {"a/testdata/x.go", `package x; func init() {}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			bad, err := arch.Check(fstest.MapFS{tt.file: {Data: []byte(tt.src)}}, graph, clients)
			switch {
			case err != nil:
				t.Fatal(err)
			case tt.want == "" && len(bad) > 0:
				t.Errorf("found %q", bad)
			case tt.want != "" && (len(bad) != 1 || !strings.Contains(bad[0], tt.want)):
				t.Errorf("found %q, want one with %q", bad, tt.want)
			}
		})
	}
}

func TestCheckReportsSourceThatDoesNotParse(t *testing.T) {
	if _, err := arch.Check(fstest.MapFS{"a/a.go": {Data: []byte("package")}}, nil, nil); err == nil {
		t.Error("no error")
	}
}
