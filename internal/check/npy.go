package check

import (
	"bytes"
	"encoding/binary"
	"math"
)

const (
	npyMagic = "\x93NUMPY"
	// maxHeader bounds the header's text. NumPy's own limit for what it parses is 10,000 characters, unless told to trust the file.
	maxHeader = 64 << 10
	// maxNesting bounds structured types inside structured types.
	maxNesting = 16
)

// checkNPY checks that the value is an NPY file, format 1 to 3: a header of a type without references and a shape, and exactly the bytes that these
// take. Of a prefix the header must be there.
func checkNPY(b []byte, size int64) *fault {
	if size < 10 {
		return &fault{-1, "it is too short for a header"}
	}
	if n := min(len(b), len(npyMagic)); string(b[:n]) != npyMagic[:n] {
		return faultf(0, "it does not begin with \\x93NUMPY")
	}
	if len(b) < 12 && int64(len(b)) < size {
		return faultf(len(b), "the header is not in the bytes at hand")
	}
	var length int
	start := 10
	switch version := b[6]; {
	case b[7] != 0 || version < 1 || version > 3:
		return faultf(6, "format version %d.%d is not known", version, b[7])
	case version == 1:
		length = int(binary.LittleEndian.Uint16(b[8:]))
	case len(b) < 12:
		return faultf(8, "the header is cut off")
	default:
		if n := binary.LittleEndian.Uint32(b[8:]); n <= maxHeader {
			start, length = 12, int(n)
		} else {
			return faultf(8, "a header of %d bytes: NumPy writes none so long", n)
		}
	}
	switch end := start + length; {
	case int64(end) > size:
		return faultf(8, "a header of %d bytes, %d are left", length, size-int64(start))
	case end > len(b):
		return faultf(len(b), "the header is not in the bytes at hand")
	default:
		return checkHeader(b, start, end, size-int64(end))
	}
}

// checkHeader reads b[start:end], a Python dict of descr, fortran_order and shape in any order, each once, and compares it with the bytes that follow.
func checkHeader(b []byte, start, end int, have int64) *fault {
	p := literals{b: b[:end], pos: start}
	var itemSize, count int64
	seen := 0
	p.expect('{')
	for p.fault == nil && !p.take('}') {
		key := p.quoted()
		p.expect(':')
		bit := 0
		switch string(key) {
		case "descr":
			bit = 1
			itemSize = p.descr(0)
		case "fortran_order":
			bit = 2
			p.boolean()
		case "shape":
			bit = 4
			count = p.shape()
		}
		if bit == 0 || seen&bit != 0 {
			p.fail("an entry that is none of descr, fortran_order and shape, once each")
		}
		seen |= bit
		p.comma('}')
	}
	if p.peek() != 0 {
		p.fail("text after the header's dict")
	}
	switch {
	case p.fault != nil:
		return p.fault
	case seen != 7:
		return faultf(start, "descr, fortran_order or shape is missing")
	case !fits(count, itemSize, have):
		return faultf(start, "%d elements of %d bytes are not the %d bytes that follow", count, itemSize, have)
	}
	return nil
}

// literals reads the few Python literals of a header. After the first fault it reads nothing more.
type literals struct {
	b     []byte
	pos   int
	fault *fault
}

func (p *literals) fail(what string) {
	if p.fault == nil {
		p.fault = faultf(p.pos, "in the header: %s", what)
	}
	p.pos = len(p.b)
}

// peek returns the next byte that is no space, 0 at the end.
func (p *literals) peek() byte {
	for p.pos < len(p.b) {
		switch c := p.b[p.pos]; c {
		case ' ', '\t', '\r', '\n':
			p.pos++
		case 0:
			p.fail("a zero byte")
		default:
			return c
		}
	}
	return 0
}

func (p *literals) take(c byte) bool {
	if p.peek() != c {
		return false
	}
	p.pos++
	return true
}

func (p *literals) expect(c byte) {
	if !p.take(c) {
		p.fail("no " + string(rune(c)) + " where there must be one")
	}
}

// comma reads what separates entries; the last may go without it.
func (p *literals) comma(end byte) {
	if !p.take(',') && p.peek() != end {
		p.fail("entries without a comma between them")
	}
}

func (p *literals) quoted() []byte {
	q := p.peek()
	if q != '\'' && q != '"' {
		p.fail("no quoted text where there must be one")
		return nil
	}
	s := p.b[p.pos+1:]
	n := bytes.IndexByte(s, q)
	if n < 0 || bytes.IndexByte(s[:n], '\\') >= 0 {
		p.fail("a quoted text that does not end, or has escapes")
		return nil
	}
	p.pos += n + 2
	return s[:n]
}

func (p *literals) boolean() {
	p.peek()
	for _, word := range [...]string{"True", "False"} {
		if bytes.HasPrefix(p.b[p.pos:], []byte(word)) {
			p.pos += len(word)
			return
		}
	}
	p.fail("fortran_order is neither True nor False")
}

// number reads an int that is not negative, with the L that Python 2 wrote after long ones.
func (p *literals) number() int64 {
	p.peek()
	from := p.pos
	for p.pos < len(p.b) && p.b[p.pos] >= '0' && p.b[p.pos] <= '9' {
		p.pos++
	}
	n, big, ok := decimal(p.b[from:p.pos])
	if big || !ok {
		p.fail("no number where there must be one")
		return 0
	}
	if p.pos < len(p.b) && p.b[p.pos] == 'L' {
		p.pos++
	}
	return n
}

// shape reads a tuple of numbers and returns their product.
func (p *literals) shape() int64 {
	product, zero := int64(1), false
	p.expect('(')
	for dims := 0; p.fault == nil && !p.take(')'); dims++ {
		n := p.number()
		switch {
		case dims == maxDims:
			p.fail("a shape of more than 64 dimensions")
		case n == 0:
			zero = true
		case product > math.MaxInt64/n:
			p.fail("a shape larger than any file")
		default:
			product *= n
		}
		p.comma(')')
	}
	if zero {
		return 0
	}
	return product
}

// descr reads a type and returns the bytes of an element: a code, or for a structured type a list of (name, type) and (name, type, shape), where
// the name may be (title, name).
func (p *literals) descr(nesting int) int64 {
	if c := p.peek(); c != '[' {
		code, ok := parseCode(p.quoted())
		if !ok {
			p.fail("a type whose elements are no plain bytes")
		}
		return code.size
	}
	if nesting == maxNesting {
		p.fail("types nested too deep")
		return 0
	}
	p.expect('[')
	total := int64(0)
	for p.fault == nil && !p.take(']') {
		p.expect('(')
		if p.take('(') {
			p.quoted()
			p.expect(',')
			p.quoted()
			p.take(',')
			p.expect(')')
		} else {
			p.quoted()
		}
		p.expect(',')
		size, count := p.descr(nesting+1), int64(1)
		if p.take(',') && p.peek() != ')' {
			count = p.shape()
			p.take(',')
		}
		p.expect(')')
		if size > 0 && count > (math.MaxInt64-total)/size {
			p.fail("a type larger than any file")
			return 0
		}
		total += size * count
		p.comma(']')
	}
	return total
}
