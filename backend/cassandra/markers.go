package cassandra

import (
	"fmt"
	"strings"
)

// positional rewrites a cql text's :name markers as "?" and returns the names in order, one a marker. Quoted text, quoted names and comments are
// left alone. The text must be a single SELECT without "?" markers of its own.
func positional(cql string) (text string, names []string, err error) {
	var out strings.Builder
	first := ""
	for i := 0; i < len(cql); {
		n := skip(cql[i:])
		switch {
		case n < 0:
			return "", nil, fmt.Errorf("read cql: %q is not closed", cql[i:min(i+2, len(cql))])
		case n > 0:
			out.WriteString(cql[i : i+n])
			i += n
		case cql[i] == '?':
			return "", nil, fmt.Errorf("read cql: name the markers (:idx), %q has no name", "?")
		case cql[i] == ';' && strings.TrimSpace(cql[i+1:]) != "":
			return "", nil, fmt.Errorf("read cql: one statement only")
		case cql[i] == ':' && word(cql[i+1:]) > 0:
			n = word(cql[i+1:])
			names = append(names, cql[i+1:i+1+n])
			out.WriteByte('?')
			i += 1 + n
		case word(cql[i:]) > 0:
			n = word(cql[i:])
			if first == "" {
				first = cql[i : i+n]
			}
			out.WriteString(cql[i : i+n])
			i += n
		default:
			out.WriteByte(cql[i])
			i++
		}
	}
	if !strings.EqualFold(first, "SELECT") {
		return "", nil, fmt.Errorf("read cql: only SELECT is run, not %q", first)
	}
	return out.String(), names, nil
}

// skip returns the length of the quoted text or comment that s begins with, 0 if there is none, −1 if it does not end.
func skip(s string) int {
	for _, q := range []struct{ open, end string }{{"'", "'"}, {`"`, `"`}, {"$$", "$$"}, {"/*", "*/"}, {"--", "\n"}, {"//", "\n"}} {
		if !strings.HasPrefix(s, q.open) {
			continue
		}
		end := strings.Index(s[len(q.open):], q.end)
		switch {
		case end >= 0: // a doubled quote is two quoted texts side by side
			return len(q.open) + end + len(q.end)
		case q.end == "\n":
			return len(s)
		default:
			return -1
		}
	}
	return 0
}

// word returns the length of the name that s begins with.
func word(s string) int {
	for i := range len(s) {
		c := s[i]
		letter := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return i
		}
	}
	return len(s)
}
