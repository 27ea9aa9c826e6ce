package route

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// MaxParts is the most parts a key pattern can have: a Match has room for as many.
const MaxParts = 16

// span is where a part's bytes lie in the key.
type span struct{ from, to int32 }

// pattern is a compiled key pattern.
type pattern struct {
	prefix string // literal bytes before the first part; the whole key if there are no parts
	parts  []part
	min    int // no shorter key matches
}

// match tells whether the pattern matches the whole key, and where its parts are.
func (p *pattern) match(key []byte, spans *[MaxParts]span) bool {
	if len(key) < p.min || len(key) > math.MaxInt32 || !hasPrefix(key, p.prefix) {
		return false
	}
	last := len(p.parts) - 1
	if last < 0 {
		return len(key) == len(p.prefix)
	}
	// The end is looked at first: of routes that share a prefix, most differ there.
	suffix := p.parts[last].after
	if !hasSuffix(key, suffix) {
		return false
	}
	at := len(p.prefix)
	for i := range last {
		n := p.parts[i].end(key[at:])
		if n < 0 {
			return false
		}
		spans[i] = span{int32(at), int32(at + n)}
		at += n + len(p.parts[i].after)
	}
	end := len(key) - len(suffix)
	if end < at || !p.parts[last].is(key[at:end]) {
		return false
	}
	spans[last] = span{int32(at), int32(end)}
	return true
}

// part returns the index of the named part, or -1.
func (p *pattern) part(name string) int {
	for i := range p.parts {
		if p.parts[i].name == name {
			return i
		}
	}
	return -1
}

// shape is the pattern without the names of its parts.
func (p *pattern) shape() string {
	var b strings.Builder
	b.WriteString(escape(p.prefix))
	for i := range p.parts {
		b.WriteString(p.parts[i].shape())
		b.WriteString(escape(p.parts[i].after))
	}
	return b.String()
}

// escape writes literal text as a pattern would.
func escape(s string) string {
	return strings.NewReplacer("{", "{{", "}", "}}").Replace(s)
}

// syntaxError is a mistake at a column (1 is the first character) of a pattern or expression.
type syntaxError struct {
	col int
	msg string
}

func (e *syntaxError) Error() string { return fmt.Sprintf("column %d: %s", e.col, e.msg) }

// segment is a run of literal text, or what stood between one pair of braces.
type segment struct {
	literal bool
	text    string
	col     int // of its first character; for braces, of the opening one
}

// split cuts s into segments. "{{" and "}}" are the literal braces, so that "{{x}}" is the Redis hash tag {x}.
func split(s string) ([]segment, error) {
	var out []segment
	var lit strings.Builder
	litCol, col := 1, 1
	flush := func() {
		if lit.Len() > 0 {
			out = append(out, segment{literal: true, text: lit.String(), col: litCol})
			lit.Reset()
		}
	}
	for i := 0; i < len(s); {
		if lit.Len() == 0 {
			litCol = col
		}
		switch {
		case strings.HasPrefix(s[i:], "{{"), strings.HasPrefix(s[i:], "}}"):
			lit.WriteByte(s[i])
			i, col = i+2, col+2
		case s[i] == '}':
			return nil, &syntaxError{col, `"}" without a "{" before it; a literal brace is written "}}"`}
		case s[i] == '{':
			flush()
			n := strings.IndexAny(s[i+1:], "{}")
			if n < 0 || s[i+1+n] == '{' {
				return nil, &syntaxError{col, `"{" is not closed; a literal brace is written "{{"`}
			}
			inner := s[i+1 : i+1+n]
			out = append(out, segment{text: inner, col: col})
			i, col = i+n+2, col+utf8.RuneCountInString(inner)+2
		default:
			_, size := utf8.DecodeRuneInString(s[i:])
			lit.WriteString(s[i : i+size])
			i, col = i+size, col+1
		}
	}
	flush()
	return out, nil
}
