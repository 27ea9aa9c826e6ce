package dataset

import (
	"errors"
	"strconv"
	"strings"
)

// literal reads the few Python literals of an NPY header. After the first error everything is zero.
type literal struct {
	rest string
	err  error
}

func (p *literal) fail(reason string) {
	if p.err == nil {
		p.err = errors.New(reason)
	}
	p.rest = ""
}

func (p *literal) peek() string {
	p.rest = strings.TrimLeft(p.rest, " \t\r\n")
	return p.rest
}

func (p *literal) take(token string) bool {
	rest, ok := strings.CutPrefix(p.peek(), token)
	p.rest = rest
	return ok
}

func (p *literal) expect(token string) {
	if !p.take(token) {
		p.fail("the header lacks a " + strconv.Quote(token))
	}
}

func (p *literal) quoted() string {
	for _, q := range []string{"'", `"`} {
		if !p.take(q) {
			continue
		}
		text, rest, ok := strings.Cut(p.rest, q)
		if !ok || strings.Contains(text, `\`) {
			break
		}
		p.rest = rest
		return text
	}
	p.fail("the header lacks a quoted text")
	return ""
}

func (p *literal) boolean() bool {
	switch {
	case p.take("True"):
		return true
	case p.take("False"):
	default:
		p.fail("fortran_order is neither True nor False")
	}
	return false
}

// tuple reads a shape: "()", "(3,)", "(3, 4)", with the L that Python 2 wrote after long numbers.
func (p *literal) tuple() []int {
	dims := []int{}
	p.expect("(")
	for p.err == nil && !p.take(")") {
		text := p.peek()
		n := 0
		for n < len(text) && text[n] >= '0' && text[n] <= '9' {
			n++
		}
		dim, err := strconv.Atoi(text[:n])
		if err != nil || len(dims) == maxDims {
			p.fail("the shape is not a tuple of numbers")
			return nil
		}
		dims = append(dims, dim)
		p.rest = text[n:]
		p.take("L")
		if !p.take(",") && !strings.HasPrefix(p.peek(), ")") {
			p.fail("the shape is not a tuple of numbers")
		}
	}
	return dims
}

// brackets skips a list with everything in it.
func (p *literal) brackets() {
	depth := 0
	for i, c := range p.peek() {
		switch c {
		case '[', '(':
			depth++
		case ']', ')':
			depth--
		}
		if depth == 0 {
			p.rest = p.rest[i+1:]
			return
		}
	}
	p.fail("the header's descr is not closed")
}
