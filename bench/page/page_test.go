package page_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"forebay/bench/page"
)

func TestWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "folder")
	path := filepath.Join(dir, "README.md")
	begin, end := page.Begin("a", "make a"), page.End("a")
	for _, report := range []string{"first", "second"} {
		if err := page.Write(dir, "a", "make a", report); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if want := begin + "\n" + report + "\n" + end; err != nil || string(text) != want {
			t.Errorf("%q, %v; want %q", text, err, want)
		}
	}
	other := page.Begin("b", "make b") + "\nother's\n" + page.End("b")
	if err := os.WriteFile(path, []byte("before\n"+begin+"old\n"+end+other+"after\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := page.Write(dir, "a", "make a", "new"); err != nil {
		t.Fatal(err)
	}
	want := "before\n" + begin + "\nnew\n" + end + other + "after\n"
	if text, err := os.ReadFile(path); err != nil || string(text) != want {
		t.Errorf("%q, %v; want %q", text, err, want)
	}
	if err := page.Write(dir, "c", "make c", "last"); err != nil {
		t.Fatal(err)
	}
	want += page.Begin("c", "make c") + "\nlast\n" + page.End("c")
	if text, err := os.ReadFile(path); err != nil || string(text) != want {
		t.Errorf("%q, %v; want %q", text, err, want)
	}
	for _, broken := range []string{page.Begin("d", "make d"), page.End("d"), page.End("d") + page.Begin("d", "make d")} {
		if err := os.WriteFile(path, []byte(broken), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := page.Write(dir, "d", "make d", "new"); err == nil {
			t.Errorf("%q is taken", broken)
		}
		if text, err := os.ReadFile(path); err != nil || string(text) != broken {
			t.Errorf("a page that was not taken is %q, %v", text, err)
		}
	}
}

func TestMachine(t *testing.T) {
	got := page.Machine(t.Context(), time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC))
	if want := regexp.MustCompile(`^2 November 2026, commit [^ ]+\. .+, \d+ cores, Linux [^ ]+, \d+ GB\.$`); !want.MatchString(got) {
		t.Errorf("%q is not like %v", got, want)
	}
	if got := page.Say(t.Context(), "false"); got != "unknown" {
		t.Errorf("a program that fails says %q", got)
	}
}

// bench/README.md takes the reports of both benchmarks that write into it.
func TestThePageTakesTheReports(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "README.md"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, by := range map[string]string{"bench": "make bench", "epoch": "make bench-epoch"} {
		if !strings.Contains(string(text), page.Begin(name, by)) {
			t.Errorf("there is no place for %s", name)
		}
		if err := page.Write(dir, name, by, "report"); err != nil {
			t.Error(err)
		}
	}
}
