// Package page puts what a benchmark has measured into the README.md of a folder, between two lines of its own.
package page

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// Begin is the line after which the report called name stands; by is the command that writes it. End is the line behind it.
func Begin(name, by string) string {
	return "<!-- " + name + ":begin (" + by + " writes what follows) -->\n"
}

// End is the line behind the report called name.
func End(name string) string { return "<!-- " + name + ":end -->\n" }

// Write puts report between the lines of name in README.md of dir. What is not there is made: the folder, the page, the lines at its end. A page with one of the two
// lines, or the wrong way round, is an error and left as it is.
func Write(dir, name, by, report string) error {
	begin, end := Begin(name, by), End(name)
	path := filepath.Join(dir, "README.md")
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		err = os.MkdirAll(dir, 0o755)
	}
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	if !bytes.Contains(text, []byte(begin)) && !bytes.Contains(text, []byte(end)) {
		text = append(text, begin+end...)
	}
	text, err = splice(text, begin, end, report)
	if err != nil {
		return fmt.Errorf("write report: %s: %w", path, err)
	}
	if err := os.WriteFile(path, text, 0o644); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

// splice puts the report between the two lines of a text.
func splice(text []byte, begin, end, report string) ([]byte, error) {
	before, rest, found := bytes.Cut(text, []byte(begin))
	_, after, closed := bytes.Cut(rest, []byte(end))
	if !found || !closed {
		return nil, fmt.Errorf("it lacks one of the lines between which the report stands, %q and %q", begin, end)
	}
	return slices.Concat(before, []byte(begin+"\n"+report+"\n"+end), after), nil
}
