package config

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// Problem is one thing wrong with the configuration.
type Problem struct {
	Origin string // where the value was given: the file's name, the variable or the flag; "" for a default
	Line   int    // in the file, from 1; 0 where there is none
	Path   string // the field, as "redis.timeout" or "routes[2].ttl"; "" for the file as a whole
	Value  string // as given, quoted if it is text; "" where there is none to show, and for secrets
	Reason string // what is wanted, with the bound
}

// String is the problem in one line.
func (p Problem) String() string {
	var b strings.Builder
	if p.Origin != "" {
		b.WriteString(p.Origin)
		if p.Line > 0 {
			b.WriteString(":" + strconv.Itoa(p.Line))
		}
		b.WriteString(": ")
	}
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	if p.Value != "" {
		b.WriteString(p.Value + ": ")
	}
	b.WriteString(p.Reason)
	return b.String()
}

// Error is every problem of a configuration, in the order of the file's lines, then the rest. Problems is never empty.
type Error struct {
	Problems []Problem
}

// Error is one line for each problem.
func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// origin is where a value was given. The zero origin is the default.
type origin struct {
	name string // file name, variable or flag
	line int    // in a file
}

func (o origin) String() string {
	if o.line > 0 {
		return o.name + ":" + strconv.Itoa(o.line)
	}
	return o.name
}

// problems collects what is wrong, once for each field and place.
type problems struct {
	list []Problem
	more int // beyond maxProblems
}

// maxProblems bounds the list: a file that is something else altogether is not told line by line.
const maxProblems = 200

// add reports a problem at a known place. Duplicates of one field and place are dropped: the first says more.
func (ps *problems) add(at origin, path, value, reason string) {
	for _, p := range ps.list {
		if p.Path == path && p.Origin == at.name && p.Line == at.line {
			return
		}
	}
	if len(ps.list) == maxProblems {
		ps.more++
		return
	}
	ps.list = append(ps.list, Problem{Origin: at.name, Line: at.line, Path: path, Value: value, Reason: reason})
}

// covers reports whether path, something inside it or something that holds it was already found wrong, so that judging it
// would only repeat the mistake.
func (ps *problems) covers(path string) bool {
	for _, p := range ps.list {
		if p.Path == path || inside(p.Path, path) || (p.Path != "" && inside(path, p.Path)) {
			return true
		}
	}
	return false
}

// inside reports whether path lies below the section or list element outer.
func inside(path, outer string) bool {
	rest, ok := strings.CutPrefix(path, outer)
	return ok && rest != "" && (rest[0] == '.' || rest[0] == '[')
}

// err is nil, or every problem found in reading order.
func (ps *problems) err() error {
	if len(ps.list) == 0 {
		return nil
	}
	list := slices.Clone(ps.list)
	slices.SortStableFunc(list, func(a, b Problem) int {
		// What has no line comes last.
		return cmp.Compare(uint(a.Line)-1, uint(b.Line)-1)
	})
	if ps.more > 0 {
		list = append(list, Problem{Reason: "and " + strconv.Itoa(ps.more) + " more problems"})
	}
	return &Error{Problems: list}
}
