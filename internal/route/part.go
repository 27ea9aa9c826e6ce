package route

import (
	"bytes"
	"strings"
)

// kind is the type of a part of a key.
type kind uint8

const (
	text    kind = iota // no ':', at least one byte
	integer             // canonical decimal int64
	uuid                // canonical lower-case 8-4-4-4-12
	hexa                // lower-case digits, any number but none
	rest                // anything, at least one byte
	oneOf               // one of the alternatives
)

// kindNames are the names that a pattern gives the kinds.
var kindNames = map[string]kind{"text": text, "int": integer, "uuid": uuid, "hex": hexa, "rest": rest}

// String returns the kind as error messages show it.
func (k kind) String() string {
	return [...]string{"text", "int", "uuid", "hex", "rest", "alternatives"}[k]
}

const uuidLen = 36

// part is one {name:kind} of a pattern and the literal that follows it ("" if none).
type part struct {
	name  string
	kind  kind
	alts  []string // of oneOf
	after string
	col   int // where it stands in the pattern, for messages
}

// end returns where the part that begins at the start of b ends, not being the last of its pattern, or -1.
// The literal after it is known to follow.
func (p *part) end(b []byte) int {
	n := -1
	switch p.kind {
	case text:
		n = index(b, p.after)
		if n < 1 || bytes.IndexByte(b[:n], ':') >= 0 {
			return -1
		}
		return n
	case integer:
		n = intRun(b)
		if !isInt(b[:n]) {
			return -1
		}
	case hexa:
		n = hexRun(b)
		if n == 0 {
			return -1
		}
	case uuid:
		n = uuidLen
		if len(b) < n || !isUUID(b[:n]) {
			return -1
		}
	case oneOf:
		for _, a := range p.alts {
			if hasPrefix(b, a) && hasPrefix(b[len(a):], p.after) {
				return len(a)
			}
		}
		return -1
	case rest: // only ever the last
		return -1
	}
	if !hasPrefix(b[n:], p.after) {
		return -1
	}
	return n
}

// is tells whether the whole of b is a canonical spelling of the part.
func (p *part) is(b []byte) bool {
	switch p.kind {
	case text:
		return len(b) > 0 && bytes.IndexByte(b, ':') < 0
	case integer:
		return isInt(b)
	case uuid:
		return isUUID(b)
	case hexa:
		return len(b) > 0 && hexRun(b) == len(b)
	case rest:
		return len(b) > 0
	case oneOf:
		for _, a := range p.alts {
			if string(b) == a {
				return true
			}
		}
	}
	return false
}

// index is bytes.Index for a separator held as a string.
func index(b []byte, sep string) int {
	if len(sep) == 1 {
		return bytes.IndexByte(b, sep[0])
	}
	for at := 0; ; at++ {
		i := bytes.IndexByte(b[at:], sep[0])
		if i < 0 {
			return -1
		}
		at += i
		if hasPrefix(b[at:], sep) {
			return at
		}
	}
}

func hasPrefix(b []byte, s string) bool { return len(b) >= len(s) && string(b[:len(s)]) == s }

func hasSuffix(b []byte, s string) bool { return len(b) >= len(s) && string(b[len(b)-len(s):]) == s }

// intRun returns how many bytes at the start of b could be of an int.
func intRun(b []byte) int {
	n := 0
	if n < len(b) && b[n] == '-' {
		n++
	}
	for n < len(b) && isDigit(b[n]) {
		n++
	}
	return n
}

func hexRun(b []byte) int {
	n := 0
	for n < len(b) && isHex(b[n]) {
		n++
	}
	return n
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isHex(c byte) bool { return isDigit(c) || c >= 'a' && c <= 'f' }

// The magnitudes of the largest and the smallest int64; both have 19 digits.
const (
	maxInt = "9223372036854775807"
	minInt = "9223372036854775808"
)

// isInt tells whether b is the canonical decimal spelling of an int64.
func isInt(b []byte) bool {
	bound := maxInt
	digits := b
	if len(b) > 0 && b[0] == '-' {
		bound = minInt
		digits = b[1:]
	}
	n := len(digits)
	if n == 0 || n > len(bound) || digits[0] == '0' && len(b) > 1 {
		return false
	}
	for _, c := range digits {
		if !isDigit(c) {
			return false
		}
	}
	return n < len(bound) || string(digits) <= bound
}

// isUUID tells whether b is a canonical lower-case UUID.
func isUUID(b []byte) bool {
	if len(b) != uuidLen {
		return false
	}
	for i, c := range b {
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if !isHex(c) {
				return false
			}
		}
	}
	return true
}

// shape describes the part without its name, so that equal patterns can be told.
func (p *part) shape() string {
	if p.kind == oneOf {
		return "{" + strings.Join(p.alts, "|") + "}"
	}
	return "{" + p.kind.String() + "}"
}
