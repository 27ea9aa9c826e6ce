// Package forebay_test holds the documents to the code: what they name exists, and what they copy is what the code says.
package forebay_test

import (
	"flag"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"forebay/config"
	"forebay/internal/event"
	"forebay/internal/metric"
	"forebay/internal/route"
)

var update = flag.Bool("update", false, "write the tables of the configuration into README.md")

// documents are the files that people read.
func documents() []string {
	return []string{"README.md", "ARCHITECTURE.md", "CHANGELOG.md", "docker/README.md", "examples/README.md", "examples/GUIDE.md"}
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestReference holds README's tables to config.Reference. With -update it writes them.
func TestReference(t *testing.T) {
	const begin, end = "<!-- config:begin (go test . -run TestReference -update) -->\n", "<!-- config:end -->"
	text := read(t, "README.md")
	before, rest, found := strings.Cut(text, begin)
	tables, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatal("README.md lacks the markers around the configuration's tables")
	}
	want := "\n" + config.Reference() + "\n"
	if tables == want {
		return
	}
	if !*update {
		t.Fatal("README.md differs from config.Reference: run go test . -run TestReference -update")
	}
	if err := os.WriteFile("README.md", []byte(before+begin+want+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestConfigurationsLoad loads every block of YAML in README as a whole configuration.
func TestConfigurationsLoad(t *testing.T) {
	blocks := regexp.MustCompile("(?ms)^```yaml\n(.*?)^```").FindAllStringSubmatch(read(t, "README.md"), -1)
	if len(blocks) < 2 {
		t.Fatalf("README.md has %d configurations", len(blocks))
	}
	for _, block := range blocks {
		c, err := config.Parse("README.md", []byte(block[1]), nil, nil)
		if err != nil {
			t.Errorf("%s\n%v", block[1], err)
			continue
		}
		if _, err := route.Compile(c.Specs()); err != nil {
			t.Errorf("%s\n%v", block[1], err)
		}
	}
}

// TestMetrics holds README to the registry: all of Forebay's metrics are there, and no others.
func TestMetrics(t *testing.T) {
	r := prometheus.NewRegistry()
	m, err := metric.New(metric.Options{Registerer: r, Routes: []string{"r"}})
	if err != nil {
		t.Fatal(err)
	}
	err = m.RegisterGauges(metric.Gauges{
		NearBytes:        func() int64 { return 0 },
		RedisMemory:      func() (int64, int64, bool) { return 0, 0, true },
		RedisReplaced:    func() int64 { return 0 },
		ConnectedClients: func() int64 { return 0 },
		Loads:            func() metric.Loads { return metric.Loads{Refusals: map[string]int64{"full": 1}} },
		Backends:         []metric.Backend{{Name: "redis", Up: func() bool { return true }}},
	})
	if err != nil {
		t.Fatal(err)
	}
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var have []string
	for _, f := range families {
		if strings.HasPrefix(f.GetName(), "forebay_") {
			have = append(have, f.GetName())
		}
	}
	var named []string
	for _, name := range regexp.MustCompile(`forebay_[a-z_]+[a-z]`).FindAllString(read(t, "README.md"), -1) {
		if !slices.Contains(named, name) {
			named = append(named, name)
		}
	}
	missing(t, "README.md names metrics that do not exist", named, have)
	missing(t, "README.md lacks metrics", have, named)
}

// TestEvents holds README to the kinds of events.
func TestEvents(t *testing.T) {
	text := read(t, "README.md")
	_, table, _ := strings.Cut(text, "| kind | what happened |")
	table, _, _ = strings.Cut(table, "\n\n")
	for _, k := range event.Kinds() {
		if !strings.Contains(table, "`"+k.String()+"`") {
			t.Errorf("README.md's table of events lacks %s", k)
		}
	}
}

// TestSubcommands holds README to the command line: it names every subcommand, and no others.
func TestSubcommands(t *testing.T) {
	forebay := filepath.Join(t.TempDir(), "forebay")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", forebay, "./cmd/forebay").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	commands := func(args ...string) []string {
		out, err := exec.CommandContext(t.Context(), forebay, append(args, "--help")...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
		var names []string
		_, list, _ := strings.Cut(string(out), "\nCommands:\n")
		for _, m := range regexp.MustCompile(`(?m)^  ([a-z]+(?: [a-z]+)?) {2,}`).FindAllStringSubmatch(list, -1) {
			names = append(names, m[1])
		}
		return names
	}
	var have []string
	for _, name := range commands() {
		if name == "config" {
			have = append(have, commands(name)...)
			continue
		}
		have = append(have, name)
	}
	var named []string
	for _, m := range regexp.MustCompile("(?m)[`$] ?forebay ((?:config )?[a-z]+)\\b").FindAllStringSubmatch(read(t, "README.md"), -1) {
		named = append(named, m[1])
	}
	missing(t, "README.md names subcommands that do not exist", named, have)
	missing(t, "README.md lacks subcommands", have, named)
}

// TestLinks follows the links between the documents, and to parts of themselves.
func TestLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	for _, name := range documents() {
		text := read(t, name)
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			page := text
			if target != "" {
				path := filepath.Join(filepath.Dir(name), target)
				if _, err := os.Stat(path); err != nil {
					t.Errorf("%s: link to %s: %v", name, m[1], err)
					continue
				}
				if anchor != "" {
					page = read(t, path)
				}
			}
			if anchor != "" && !slices.Contains(anchors(page), anchor) {
				t.Errorf("%s: link to %s: no such heading", name, m[1])
			}
		}
	}
}

// anchors are the headings of a page as links name them.
func anchors(page string) []string {
	var list []string
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(page, -1) {
		list = append(list, strings.ReplaceAll(strings.ToLower(m[1]), " ", "-"))
	}
	return list
}

// TestMapOfTheCode holds ARCHITECTURE.md to the tree: every package is on its map, and every test that it names exists.
func TestMapOfTheCode(t *testing.T) {
	text := read(t, "ARCHITECTURE.md")
	var tests, dirs []string
	err := fs.WalkDir(os.DirFS("."), ".", func(name string, d fs.DirEntry, err error) error {
		switch base := filepath.Base(name); {
		case err != nil:
			return err
		case d.IsDir() && name != "." && (base == "testdata" || base == "bin" || base[0] == '.'):
			return fs.SkipDir
		case d.IsDir() || filepath.Ext(name) != ".go":
			return nil
		}
		if dir := filepath.Dir(name); dir != "." && !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
		if strings.HasSuffix(name, "_test.go") {
			for _, m := range regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`).FindAllStringSubmatch(read(t, name), -1) {
				tests = append(tests, m[1])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range dirs {
		if !strings.Contains(text, "`"+dir+"`") {
			t.Errorf("ARCHITECTURE.md lacks package %s", dir)
		}
	}
	missing(t, "ARCHITECTURE.md names tests that do not exist", regexp.MustCompile(`\b(?:Test|Fuzz)[A-Z]\w+`).FindAllString(text, -1), tests)
}

// missing reports those of names that are not among have.
func missing(t *testing.T, what string, names, have []string) {
	t.Helper()
	for _, name := range names {
		if !slices.Contains(have, name) {
			t.Errorf("%s: %s", what, name)
		}
	}
}
