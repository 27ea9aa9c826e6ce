package route

import (
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"
)

// expr is a compiled where-expression: literal text and parts of the key, in order.
type expr struct {
	src   string
	terms []term
}

// term is literal text, or a part of the key with perhaps one operation on it.
type term struct {
	literal string
	part    int  // index of the part; -1 for a literal
	op      byte // 0, or one of / % + - *
	n       int64
}

// constant tells whether the expression is the same for every key.
func (e *expr) constant() bool { return len(e.terms) == 1 && e.terms[0].part < 0 }

// single returns the one part that the expression consists of, with its operation.
func (e *expr) single() (term, bool) {
	return e.terms[0], len(e.terms) == 1 && e.terms[0].part >= 0
}

// compileExpr parses an expression over the parts of p: literal text, {part}, and for int parts {part / N}, with % + - * as well.
// Braces in literal text are doubled. Division and remainder are floored: -1 / 1024 is -1 and -1 % 1024 is 1023, so that equal ranges of
// indexes share a shard on both sides of zero.
func compileExpr(s string, p *pattern) (expr, error) {
	e := expr{src: s}
	if s == "" {
		return e, &syntaxError{1, "the expression is empty; write a literal or a part such as {idx}"}
	}
	segs, err := split(s)
	if err != nil {
		return e, err
	}
	for _, sg := range segs {
		if sg.literal {
			e.terms = append(e.terms, term{literal: sg.text, part: -1})
			continue
		}
		t, err := compileTerm(sg, p)
		if err != nil {
			return e, err
		}
		e.terms = append(e.terms, t)
	}
	return e, nil
}

// compileTerm parses what stands between the braces of an expression.
func compileTerm(sg segment, p *pattern) (term, error) {
	inner := strings.TrimSpace(sg.text)
	name := leadingName(inner)
	t := term{part: p.part(name)}
	if name == "" {
		return t, &syntaxError{sg.col, fmt.Sprintf("{%s} does not begin with the name of a part", sg.text)}
	}
	if t.part < 0 {
		return t, &syntaxError{sg.col, fmt.Sprintf("the key has no part %q; %s", name, p.names(name))}
	}
	op := strings.TrimSpace(inner[len(name):])
	if op == "" {
		return t, nil
	}
	if strings.IndexByte("/%+-*", op[0]) < 0 {
		return t, &syntaxError{sg.col, fmt.Sprintf(
			"{%s} is not understood; after a part may stand one of / %% + - * and a whole number, as in {idx / 1024}", sg.text)}
	}
	if k := p.parts[t.part].kind; k != integer {
		return t, &syntaxError{sg.col, fmt.Sprintf("part %s is %s and only an int can be calculated with; write {%s:int} in the key", name, k, name)}
	}
	digits := strings.TrimSpace(op[1:])
	if !isInt([]byte(digits)) || digits[0] == '-' {
		return t, &syntaxError{sg.col, fmt.Sprintf("%q after %c is no whole number; one operation and one number may stand there", digits, op[0])}
	}
	t.op = op[0]
	t.n, _ = strconv.ParseInt(digits, 10, 64)
	if t.n == 0 && (t.op == '/' || t.op == '%') {
		return t, &syntaxError{sg.col, fmt.Sprintf("{%s} divides by zero", sg.text)}
	}
	return t, nil
}

// names lists the pattern's parts for a message about one that it lacks.
func (p *pattern) names(wrong string) string {
	var names []string
	for i := range p.parts {
		names = append(names, p.parts[i].name)
	}
	if near := nearest(wrong, names); near != "" {
		return fmt.Sprintf("did you mean {%s}?", near)
	}
	if len(names) == 0 {
		return "it has no parts at all"
	}
	return "its parts are " + strings.Join(names, ", ")
}

// int evaluates a term over an int part. ok is false if the result does not fit an int64.
func (t *term) int(m *Match, key []byte) (v int64, ok bool) {
	v, err := strconv.ParseInt(string(m.bytes(t.part, key)), 10, 64)
	if err != nil {
		return 0, false // not reached for a key that matched
	}
	switch t.op {
	case '/':
		return floorDiv(v, t.n), true
	case '%':
		return v - floorDiv(v, t.n)*t.n, true
	case '+':
		return v + t.n, v <= math.MaxInt64-t.n
	case '-':
		return v - t.n, v >= math.MinInt64+t.n
	case '*':
		return mul(v, t.n)
	default:
		return v, true
	}
}

// floorDiv is a/b rounded towards minus infinity; b is above zero.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// mul is a*b for b of at least zero; ok is false if that does not fit.
func mul(a, b int64) (v int64, ok bool) {
	mag := uint64(a)
	if a < 0 {
		mag = -mag
	}
	hi, lo := bits.Mul64(mag, uint64(b))
	switch {
	case hi != 0:
		return 0, false
	case a < 0:
		return int64(-lo), lo <= 1<<63
	default:
		return int64(lo), lo <= math.MaxInt64
	}
}

// text evaluates the whole expression as text. ok is false if a number in it does not fit an int64.
func (e *expr) text(m *Match, key []byte) (s string, ok bool) {
	if t, one := e.single(); one && t.op == 0 {
		return string(m.bytes(t.part, key)), true
	}
	var b []byte
	for i := range e.terms {
		t := &e.terms[i]
		switch {
		case t.part < 0:
			b = append(b, t.literal...)
		case t.op == 0:
			b = append(b, m.bytes(t.part, key)...)
		default:
			v, ok := t.int(m, key)
			if !ok {
				return "", false
			}
			b = strconv.AppendInt(b, v, 10)
		}
	}
	return string(b), true
}
