package check

import (
	"bytes"
	"strconv"
	"unicode/utf8"
)

// latin1 returns the number of characters of a text in UTF-8, or -1 if one of them is beyond Latin-1; ok is false if it is no text that
// Python decodes: UTF-8, where surrogates (bytes that a file's name could not be decoded from) are let through.
func latin1(b []byte) (n int64, ok bool) {
	for i := 0; i < len(b); n++ {
		if b[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, w := utf8.DecodeRune(b[i:])
		if w == 1 {
			if len(b)-i < 3 || b[i] != 0xed || b[i+1]&0xc0 != 0x80 || b[i+2]&0xc0 != 0x80 {
				return -1, false
			}
			r, w = 0xd800, 3
		}
		if r > 0xff {
			return -1, validUTF8(b[i+w:])
		}
		i += w
	}
	return n, true
}

func validUTF8(b []byte) bool {
	if utf8.Valid(b) {
		return true
	}
	for i := 0; i < len(b); {
		r, w := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && w == 1 {
			if len(b)-i < 3 || b[i] != 0xed || b[i+1]&0xc0 != 0x80 || b[i+2]&0xc0 != 0x80 {
				return false
			}
			w = 3
		}
		i += w
	}
	return true
}

// rawUnicode is latin1 for the text of UNICODE: Latin-1 with \uXXXX and \UXXXXXXXX for what it lacks. plain tells that its bytes are its
// characters, all ASCII.
func rawUnicode(b []byte) (n int64, plain, ok bool) {
	plain = true
	wide := false
	for i := 0; i < len(b); n++ {
		c := b[i]
		i++
		plain = plain && c < utf8.RuneSelf && c != '\\'
		if c != '\\' || i == len(b) {
			continue
		}
		var digits int
		switch b[i] {
		case 'u':
			digits = 4
		case 'U':
			digits = 8
		default:
			i++
			n++
			continue
		}
		if len(b)-i-1 < digits {
			return -1, false, false
		}
		var r uint32
		for _, h := range b[i+1 : i+1+digits] {
			v := hexDigit(h)
			if v < 0 {
				return -1, false, false
			}
			r = r<<4 | uint32(v)
		}
		if r > utf8.MaxRune {
			return -1, false, false
		}
		wide = wide || r > 0xff
		i += 1 + digits
	}
	if wide {
		n = -1
	}
	return n, plain, true
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}

// decimal reads what INT, LONG, GET and PUT hold: digits, without the octal and hexadecimal forms that C's readers also take and
// Python's do not. big tells that the number does not fit.
func decimal(b []byte) (v int64, big, ok bool) {
	digits := bytes.TrimPrefix(b, []byte{'-'})
	if len(digits) == 0 || len(digits) > 1 && digits[0] == '0' {
		return 0, false, false
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false, false
		}
		v = v*10 + int64(c-'0')
	}
	if len(digits) > 18 {
		return 0, true, true
	}
	if len(digits) < len(b) {
		v = -v
	}
	return v, false, true
}

// isFloat tells whether a line is what Python writes for a float.
func isFloat(b []byte) bool {
	if len(b) == 0 || len(b) > 64 {
		return false
	}
	for _, c := range b {
		if bytes.IndexByte([]byte("0123456789eE+-.infa"), c) < 0 {
			return false
		}
	}
	_, err := strconv.ParseFloat(string(b), 64)
	return err == nil
}
