package route

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// compileMarkers checks a cql route's text and gives every :name marker its expression: that of where, else the part of the same name.
// What is not a SELECT is refused: the source is never written to.
func (r *Route) compileMarkers() (problems []error) {
	bad := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	names, err := markers(r.spec.CQL)
	if err != nil {
		return []error{fmt.Errorf("cql: %w", err)}
	}
	given := r.binds
	r.binds = nil
	for _, name := range names {
		i := slices.IndexFunc(given, func(b bind) bool { return b.column == name })
		switch {
		case i >= 0 && given[i].expr.constant():
			bad("where %s %q: is the same for every key, and a marker's type is not known here; write it into the cql itself",
				name, given[i].expr.src)
		case i >= 0:
			r.binds = append(r.binds, given[i])
		case r.key.part(name) >= 0:
			r.binds = append(r.binds, bind{name, expr{src: "{" + name + "}", terms: []term{{part: r.key.part(name)}}}})
		default:
			bad("cql: marker :%s has no value; add it to where, or name a part so (%s)", name, r.key.names(name))
		}
	}
	for _, b := range given {
		if !slices.Contains(names, b.column) {
			bad("where %s: the cql has no marker :%s", b.column, b.column)
		}
	}
	return problems
}

// markers returns the names of a CQL statement's :name markers, each once, in order. Strings, quoted names and comments are skipped.
func markers(cql string) (names []string, err error) {
	first := ""
	for i := 0; i < len(cql); {
		if n, err := skip(cql[i:]); err != nil {
			return nil, err
		} else if n > 0 {
			i += n
			continue
		}
		switch c := cql[i]; {
		case c == '?':
			return nil, errors.New(`has a "?"; write a named marker such as :id`)
		case c == ';' && strings.TrimSpace(cql[i+1:]) != "":
			return nil, errors.New("has more than one statement")
		case c == ':':
			name := leadingName(cql[i+1:])
			if name != "" && !slices.Contains(names, name) {
				names = append(names, name)
			}
			i += len(name)
		default:
			if word := leadingName(cql[i:]); word != "" {
				if first == "" {
					first = word
				}
				i += len(word) - 1
			}
		}
		i++
	}
	if !strings.EqualFold(first, "select") {
		return nil, errors.New("is not a SELECT; the source is only ever read")
	}
	return names, nil
}

// skip returns the length of the string, quoted name or comment that s begins with, or 0.
func skip(s string) (int, error) {
	for _, q := range []struct{ open, close, what string }{
		{"'", "'", "string"}, {`"`, `"`, "quoted name"}, {"$$", "$$", "string"}, {"/*", "*/", "comment"},
	} {
		if !strings.HasPrefix(s, q.open) {
			continue
		}
		n := strings.Index(s[len(q.open):], q.close)
		if n < 0 {
			return 0, fmt.Errorf("has a %s that is not closed", q.what)
		}
		return len(q.open) + n + len(q.close), nil // a doubled quote is two strings side by side
	}
	if strings.HasPrefix(s, "--") || strings.HasPrefix(s, "//") {
		if n := strings.IndexByte(s, '\n'); n >= 0 {
			return n + 1, nil
		}
		return len(s), nil
	}
	return 0, nil
}
