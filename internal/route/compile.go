package route

import (
	"fmt"
	"strings"
)

const allowedTypes = "allowed are text, int, uuid, hex, rest, or alternatives such as train|test"

// compilePattern parses a key pattern. Its errors are *syntaxError, or tell what the pattern as a whole lacks.
func compilePattern(s string) (pattern, error) {
	var p pattern
	if s == "" {
		return p, &syntaxError{1, `the pattern is empty; write one such as "mnist:{split}:{idx:int}"`}
	}
	segs, err := split(s)
	if err != nil {
		return p, err
	}
	for i, sg := range segs {
		switch {
		case !sg.literal:
			if i > 0 && !segs[i-1].literal {
				return p, &syntaxError{sg.col, fmt.Sprintf(
					"the parts {%s} and {%s} touch; put literal text such as \":\" between them", segs[i-1].text, sg.text)}
			}
			pt, err := compilePart(sg)
			if err != nil {
				return p, err
			}
			if p.part(pt.name) >= 0 {
				return p, &syntaxError{sg.col, fmt.Sprintf("a second part is named %q; each needs its own name", pt.name)}
			}
			if len(p.parts) == MaxParts {
				return p, &syntaxError{sg.col, fmt.Sprintf("more than %d parts", MaxParts)}
			}
			p.parts = append(p.parts, pt)
		case len(p.parts) == 0:
			p.prefix = sg.text
		default:
			p.parts[len(p.parts)-1].after = sg.text
		}
	}
	p.min = len(p.prefix)
	for i := range p.parts {
		pt := &p.parts[i]
		p.min += 1 + len(pt.after)
		if i < len(p.parts)-1 {
			if err := pt.unambiguous(); err != nil {
				return p, err
			}
		}
	}
	return p, nil
}

// compilePart parses what stands between braces: a name, and a type after a colon.
func compilePart(sg segment) (part, error) {
	name, typ, typed := strings.Cut(sg.text, ":")
	p := part{name: name, col: sg.col}
	if !isName(name) {
		return p, &syntaxError{sg.col, fmt.Sprintf(
			"%q is no part name; one is a letter or _ followed by letters, digits and _, then perhaps a type: {idx:int}", name)}
	}
	if !typed {
		return p, nil
	}
	if k, ok := kindNames[typ]; ok {
		p.kind = k
		return p, nil
	}
	typeCol := sg.col + len(name) + 2 // a name is ASCII
	p.alts = strings.Split(typ, "|")
	if len(p.alts) == 1 {
		msg := fmt.Sprintf("part %s has the unknown type %q", name, typ)
		if near := nearest(typ, []string{"text", "int", "uuid", "hex", "rest"}); near != "" {
			msg += fmt.Sprintf(" (did you mean %s?)", near)
		}
		return p, &syntaxError{typeCol, msg + "; " + allowedTypes}
	}
	p.kind = oneOf
	for i, a := range p.alts {
		if a == "" {
			return p, &syntaxError{typeCol, fmt.Sprintf("part %s has an empty alternative; each needs at least one character", name)}
		}
		for _, b := range p.alts[:i] {
			if a == b {
				return p, &syntaxError{typeCol, fmt.Sprintf("part %s has the alternative %q twice", name, a)}
			}
		}
	}
	return p, nil
}

// unambiguous refuses a part, not the last, whose end could not be told from the literal after it.
func (p *part) unambiguous() error {
	first := p.after[0]
	switch {
	case p.kind == rest:
		return &syntaxError{p.col, fmt.Sprintf("part %s takes the rest of the key, so no part can follow it", p.name)}
	case p.kind == integer && isDigit(first), p.kind == hexa && isHex(first):
		return &syntaxError{p.col, fmt.Sprintf(
			"the literal %q after part %s begins like the part itself; let it begin with another character, such as \":\"",
			p.after, p.name)}
	case p.kind == oneOf:
		for _, a := range p.alts {
			for _, b := range p.alts {
				if a != b && strings.HasPrefix(b+p.after, a+p.after) {
					return &syntaxError{p.col, fmt.Sprintf(
						"the alternatives %q and %q of part %s cannot be told apart before %q", a, b, p.name, p.after)}
				}
			}
		}
	}
	return nil
}

// isName tells whether s can name a part: a letter or _, then letters, digits and _.
func isName(s string) bool { return s != "" && leadingName(s) == s }

// leadingName returns the name that s begins with, or "".
func leadingName(s string) string {
	for i := range len(s) {
		c := s[i]
		if !(c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || i > 0 && isDigit(c)) {
			return s[:i]
		}
	}
	return s
}
